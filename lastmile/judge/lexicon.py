"""Closed lists of English words that the flags lean on. Data only; another language would bring its own."""

from __future__ import annotations


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOP_WORDS = _set(
    """a about above across after again against ago ah all almost along already also although always am among an and
    another any anybody anymore anyone anything anyway anywhere apart are aren around as at away back be became because
    become becomes been before behind being below beside besides between beyond both but by came can cannot come could
    couldn d did didn do does doesn doing don done down due during each either else enough etc even ever every everybody
    everyone everything everywhere except far few first for from further get gets getting give given go goes going gone
    got had hadn has hasn have haven having he hello hence her here hers herself hey hi him himself his how however i if
    in indeed instead into is isn it its itself just keep kept last least less let like likely ll lot lots m made make
    makes making many may maybe me might mightn mine more most much must mustn my myself near need needn neither never
    nevertheless next no nobody none nor not nothing now nowhere of off often oh ok okay on once one ones only onto or
    other others otherwise ought our ours ourselves out over own per perhaps please put quite rather re really s said
    same say saying says second several shall shan she should shouldn since so some somebody someone something sometimes
    somewhere soon still such t take taken takes taking than that the their theirs them themselves then there therefore
    these they thing things this those though through throughout thus till to together too took toward towards under
    unless unlike until up upon us use used using usually ve very via was wasn way we well went were weren what whatever
    when whenever where whereas wherever whether which while who whoever whole whom whose why will with within without
    won would wouldn yes yet you your yours yourself yourselves"""
)

# A sentence never ends on one of these.
DANGLING = _set(
    """a an and the of to for from with by or but that which who whose because if as than into onto at in on its their
    his her my our your is are was were be been has have had will would can could should may might very"""
)

TITLES = _set("mr mrs ms miss dr doctor sir madam prof professor lord lady st saint rev jr sr")
