"""All flags of a summary in one call."""

from __future__ import annotations

from collections.abc import Collection

from lastmile.config import FLAG_NAMES
from lastmile.errors import InputError, did_you_mean
from lastmile.judge.broken import find_boilerplate, find_garbled
from lastmile.judge.contradiction import find_contradictions
from lastmile.judge.copying import find_copies
from lastmile.judge.document import Text, read_document
from lastmile.judge.grounding import Grounding, read_ground
from lastmile.judge.names import name_places
from lastmile.judge.profile import TargetProfile
from lastmile.judge.relations import find_unrelated
from lastmile.judge.repetition import find_repetitions
from lastmile.judge.shape import find_empty, find_length, find_unfinished
from lastmile.judge.speakers import find_wrong_speakers
from lastmile.judge.support import find_unsupported_entities, find_unsupported_numbers, find_unsupported_words
from lastmile.records import Flag, Summary

__all__ = ["FLAG_NAMES", "find_flags"]

# Flags that look where the summary's words stand in the document, which is worked out once for all of them.
_GROUNDED = {
    "unrelated": find_unrelated,
    "contradiction": find_contradictions,
    "wrong_speaker": find_wrong_speakers,
}


def find_flags(
    document: str, summary: Summary, profile: TargetProfile, names: Collection[str] = FLAG_NAMES
) -> tuple[Flag, ...]:
    """Find the faults of one summary.

    Costs are in one unit, so that coefficients compare: 1.0 is a summary wholly at fault. A fault of words costs the
    flagged words over the median length of the targets; the divisor is a constant, since dividing by the summary's own
    length would make a long summary's faults cheap, and dividing by nothing would make short summaries pay. `empty`
    and `unfinished` cost 1; `length` costs the relative distance from the targets' band; `copy` counts only the words
    beyond what targets copy.

    Args:
        document: What the summary is of.
        summary: Its text, and whether it ended by itself.
        profile: What the corpus' targets are like.
        names: The flags to look for.

    Returns:
        The flags in order of their start.

    Raises:
        InputError: If a name is unknown.
    """
    unknown = [name for name in names if name not in FLAG_NAMES]
    if unknown:
        raise InputError.of(f"`{name}`: no such flag.{did_you_mean(name, FLAG_NAMES)}" for name in unknown)
    text, source, typical = Text(summary.text), read_document(document), profile.typical_words
    named = name_places(text, profile.cased, profile.names)
    found: list[Flag] = []
    if "repetition" in names:
        found += find_repetitions(text, named, typical)
    if "unsupported_entity" in names:
        found += find_unsupported_entities(text, source, named, typical)
    if "unsupported_number" in names:
        found += find_unsupported_numbers(text, source, typical)
    if "unsupported_word" in names:
        found += find_unsupported_words(text, source, named, typical)
    grounded = [find for name, find in _GROUNDED.items() if name in names]
    if grounded and text.words:
        grounding = Grounding(text, read_ground(source))
        for find in grounded:
            found += find(grounding, typical)
    if "garbled" in names:
        found += find_garbled(text, source, typical)
    if "boilerplate" in names:
        found += find_boilerplate(text, source, typical)
    if "copy" in names:
        found += find_copies(text, source, profile.copied_words_high, typical)
    if "unfinished" in names:
        found += find_unfinished(text, summary.ended, profile.punctuated_share)
    if "empty" in names:
        found += find_empty(text)
    if "length" in names:
        found += find_length(text, profile.words_low, profile.words_high)
    return tuple(sorted(found, key=lambda flag: (flag.start, flag.end)))
