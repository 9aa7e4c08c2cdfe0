"""Words that mean the opposite of each other. Data only; another language would bring its own.

Converses are left out: what one side wins, buys, lends or receives the other one loses, sells, borrows or sends, and a
summary may tell it from either. So are words that are opposites in one meaning of many (`light`, `right`, `leave`).
"""

from __future__ import annotations

from lastmile.judge.lexicon import FAMILIES
from lastmile.judge.rouge import stem

_PAIRS = """
    increase decrease; increase reduce; rise fall; rise drop; grow shrink; up down; higher lower; high low; more
    less; more fewer; most least; above below; over under; accept reject; accept refuse; accept decline; agree
    disagree; agree refuse; allow forbid; allow ban; allow prevent; allow prohibit; permit forbid; approve reject;
    admit deny; confirm deny; appear disappear; arrive depart; begin end; start end; start stop; start finish;
    open close; begin finish; best worst; better worse; good bad; big small; large small; cheap expensive; clean
    dirty; cold hot; cool warm; continue stop; continue quit; correct wrong; create destroy; build destroy; day
    night; early late; earlier later; easy difficult; easy hard; empty full; enemy friend; enough insufficient;
    exclude include; include omit; expand contract; extend shorten; fail succeed; fail pass; failure success;
    false true; fast slow; faster slower; female male; woman man; girl boy; mother father; daughter son; sister
    brother; queen king; forget remember; friendly hostile; guilty innocent; happy sad; happy unhappy; satisfied
    dissatisfied; hate love; inside outside; indoors outdoors; join leave; legal illegal; loud quiet; major minor;
    many few; marry divorce; maximum minimum; modern ancient; near far; necessary unnecessary; new old; old young;
    elder younger; north south; east west; northern southern; eastern western; often rarely; often seldom; always
    never; optimistic pessimistic; optional required; optional mandatory; voluntary mandatory; peace war;
    permanent temporary; positive negative; possible impossible; likely unlikely; able unable; willing unwilling;
    public private; pull push; raise lower; raise cut; recover deteriorate; improve worsen; improve deteriorate;
    release arrest; release imprison; rich poor; safe dangerous; safe unsafe; same different; similar different;
    short long; short tall; shorter longer; simple complex; single married; smart stupid; strengthen weaken;
    strong weak; stronger weaker; support oppose; supporter opponent; surplus deficit; support reject; sweet sour;
    thick thin; top bottom; trust distrust; upstairs downstairs; useful useless; wide narrow; internal external;
    domestic foreign; local foreign; morning evening; before after; absent present; active passive; add remove;
    add subtract; ahead behind; ascend descend; attract repel; brave afraid; careful careless; certain uncertain;
    clear unclear; common rare; comfortable uncomfortable; complete incomplete; connect disconnect; cause prevent;
    deep shallow; dry wet; familiar unfamiliar; fat thin; fresh stale; healthy ill; healthy sick; honest
    dishonest; important unimportant; interested bored; interesting boring; lucky unlucky; normal abnormal; obey
    disobey; patient impatient; perfect imperfect; pleased upset; polite rude; popular unpopular; praise
    criticise; praise criticize; praise condemn; proud ashamed; regular irregular; responsible irresponsible; save
    waste; sharp blunt; smooth rough; soft hard; stable unstable; lock unlock; tie untie; tidy messy; urban rural;
    usual unusual; visible invisible; wise foolish; worried relieved; accelerate slow; advantage disadvantage;
    benefit harm; help hinder; encourage discourage; favour oppose; guilty acquitted; convict acquit; hired fired;
    conservative liberal; majority minority; maintain abandon; optimism pessimism; promote demote; reveal conceal;
    show hide; reward punish; sunny rainy; sunrise sunset; weekday weekend
"""


def _opposites() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for pair in _PAIRS.split(";"):
        one, other = ({stem(word), *FAMILIES.get(word, ())} for word in pair.split())
        for here, there in ((one, other), (other, one)):
            for root in here - there:
                found.setdefault(root, set()).update(there - here)
    return {word: frozenset(others - {word}) for word, others in found.items()}


# Stem to the stems that mean the opposite, with the irregular forms of both.
OPPOSITES = _opposites()
