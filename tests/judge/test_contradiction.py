"""Wrong partners, opposites, wrong speakers, broken text: hits, and what people may well write."""

import pytest

from lastmile.judge import contradiction
from lastmile.judge.antonyms import OPPOSITES
from lastmile.judge.broken import find_boilerplate, find_garbled
from lastmile.judge.contradiction import find_contradictions
from lastmile.judge.document import Text, read_document
from lastmile.judge.grounding import FAR, Ground, Grounding, read_ground
from lastmile.judge.relations import find_unrelated
from lastmile.judge.speakers import find_wrong_speakers, turns_of

MARKET = (
    "Shares of the brewer Halden rose sharply on Friday after the company raised its forecast for the year. Analysts "
    "had expected weak sales of beer in the summer months. The board will not close the plant in Moss."
)
DIALOGUE = (
    "Ann: Did you book the train to Leeds?\n"
    "Ben: Yes, the early train, and I bought sandwiches for the journey.\n"
    "Ann: Lovely. My sister Clara cannot come, she broke her ankle skiing in Austria.\n"
    "Ben: Oh no, give her my best wishes.\n"
)
LONG = (
    "Pilot Erik Dahl landed the burning aircraft safely in Tromso. "
    + "The weather had been calm all morning and the passengers were reading. " * 8
    + "Far away a gardener named Sofia Brandt opened her orchid show."
)


def grounding(document, summary):
    return Grounding(Text(summary), read_ground(read_document(document)))


def texts(flags):
    return [flag.text for flag in flags]


@pytest.mark.parametrize(
    ("summary", "flagged"),
    [
        ("Shares of the brewer fell sharply on Friday.", ["fell"]),
        ("The company lowered its forecast for the year.", ["lowered"]),
        ("Analysts had expected strong sales of beer.", ["strong"]),
        ("Shares of Halden never rose sharply on Friday after the forecast.", ["never"]),
        ("Shares of Halden didn't rise sharply on Friday.", ["didn't"]),
        # Accepted: the same, the same in other words, negations that the document has, another subject.
        ("Shares of the brewer rose sharply on Friday.", []),
        ("The plant in Moss will not close.", []),
        ("The board won't close the plant in Moss.", []),
        ("Shares did not fall on Friday.", []),
        ("The plant in Moss may open a cafe.", []),
        ("The brewer Halden won as shares rose sharply on Friday.", []),  # `won` is no `won't`
    ],
)
def test_contradictions(summary, flagged):
    flags = find_contradictions(grounding(MARKET, summary), 20)
    assert texts(flags) == flagged
    assert all(flag.cost == 1 / 20 and flag.evidence in MARKET for flag in flags)


def test_negations_are_not_looked_for_in_dialogues():
    document = "Ann: Did you post the letter to grandma today?\nBen: No.\nAnn: Then go."
    assert find_contradictions(grounding(document, "Ben did not post the letter to grandma today."), 20) == ()


def test_opposites_go_both_ways():
    assert all(word in OPPOSITES[other] for word, others in OPPOSITES.items() for other in others)
    assert not any(word in others for word, others in OPPOSITES.items())


def test_unrelated_neighbours():
    (flag,) = find_unrelated(grounding(LONG, "Pilot Brandt landed the aircraft."), 20)
    assert flag.text == "Pilot Brandt"
    assert "Erik Dahl" in flag.evidence
    assert "Sofia Brandt" in flag.evidence
    assert flag.cost == 2 / 20


@pytest.mark.parametrize(
    "summary",
    [
        "Pilot Dahl landed the aircraft safely.",  # they stand together
        "Sofia Brandt has orchids to show.",
        "The pilot flew to Mars.",  # absent words are for other flags
        "Passengers were reading. Sofia Brandt had a show.",  # the border of a sentence parts them
    ],
)
def test_related_neighbours(summary):
    assert find_unrelated(grounding(LONG, summary), 20) == ()


def test_turns():
    assert [turn[0] for turn in turns_of(DIALOGUE)] == ["ann", "ben", "ann", "ben"]
    assert [turn[0] for turn in turns_of("#Person1#: Hi.\n#Person2#: Hi.\n#Person1#: Bye.")] == [
        "person1", "person2", "person1",
    ]  # fmt: skip
    assert turns_of("Note: this is prose.\nIt has one colon.") == ()


def test_wrong_speaker():
    (flag,) = find_wrong_speakers(grounding(DIALOGUE, "Ben says his sister Clara broke her ankle skiing."), 20)
    assert flag.text == "Ben"
    assert flag.evidence.startswith("Ann: Lovely. My sister Clara")
    assert flag.evidence in DIALOGUE
    assert flag.cost == 9 / 20


@pytest.mark.parametrize(
    "summary",
    [
        "Ann says her sister Clara broke her ankle skiing.",
        "Ben bought sandwiches for the journey.",
        "Ann had asked about the train to Leeds.",
        "Ben sends Clara his best wishes.",
        "Ben says he cannot come.",  # too little to tell
    ],
)
def test_right_speaker(summary):
    assert find_wrong_speakers(grounding(DIALOGUE, summary), 20) == ()


@pytest.mark.parametrize(
    ("ann", "ben", "called", "flagged"),
    [
        ("Mrs. Hall", "Mr. Lee", "Mr. Lee", "Mr. Lee"),
        ("Mrs. Hall", "Mr. Lee", "Then Lee", "Lee"),
        ("Mrs. Hall", "Mr. Lee", "Mrs. Lee", None),  # somebody else
        ("Mrs. Hall", "Mr. Lee", "Tom Lee", None),
        ("Mrs. Lee", "Mr. Lee", "Lee", None),  # which of them?
        ("Mrs. Lee", "Mr. Lee", "Mr. Lee", "Mr. Lee"),
        ("Mrs. Hall", "Mr. Lee", "The lee", None),  # the side out of the wind
        ("Zoë", "José", "José", "José"),
        ("Zoë", "José", "Jose", "Jose"),
        ("Émile", "Jose\u0301", "Jose\u0301", "Jose"),  # the accent is a letter of its own, behind the word
        ("Óscar Ruiz", "Dr. Anna Müller", "Dr. Anna Müller", "Dr. Anna Müller"),
        ("Óscar Ruiz", "Dr. Anna Müller", "Anna", "Anna"),
        ("Óscar Ruiz", "Dr. Anna Müller", "Dr. Müller", "Dr. Müller"),
        ("Óscar Ruiz", "Dr. Anna Müller", "Prof. Müller", None),
        ("Кира", "Иван", "Иван", "Иван"),
        ("Tom van der Meer", "Jean-Luc O’Brien", "Jean-Luc O’Brien", "Jean-Luc O’Brien"),
    ],
)
def test_speakers_of_any_name(ann, ben, called, flagged):
    document = DIALOGUE.replace("Ann:", f"{ann}:").replace("Ben:", f"{ben}:")
    flags = find_wrong_speakers(grounding(document, f"{called} says his sister Clara broke her ankle skiing."), 20)
    assert texts(flags) == ([flagged] if flagged else [])
    if not called.startswith("The "):
        right = f"{ann} says her sister Clara broke her ankle skiing."
        assert find_wrong_speakers(grounding(document, right), 20) == ()


def test_what_a_turn_opens_with():
    assert {turn[0] for turn in turns_of("Ludwig van Beek: Hi.\nÅsa: Hi.\nDr. Ana María Ruiz: Bye.")} == {
        "ludwig van beek", "åsa", "dr. ana maría ruiz",
    }  # fmt: skip
    assert turns_of("Ann: Hi.\nso they said: no.\nShe said: yes.\nHe said this: no.") == ()


def test_prose_has_no_speakers():
    assert find_wrong_speakers(grounding(MARKET, "Halden says analysts expected weak sales."), 20) == ()


@pytest.mark.parametrize(
    ("summary", "flagged"),
    [
        ("Arsenal won. Click here for all the latest news.", ["Click here for all the latest news"]),
        ("SCROLL DOWN FOR VIDEO. The dog was found.", ["SCROLL DOWN FOR VIDEO"]),
        ("He left. Follow us on Twitter @news", ["Follow us on Twitter @news"]),
        ("All rights reserved.", ["All rights reserved"]),
        ("She clicked on the link and read more than she wanted.", ["read more"]),
        ("Voters will follow the news on Twitter.", []),
        ("The page was torn, and the copyright belongs to her.", []),
        ("They subscribe to a newspaper.", ["subscribe to a newspaper"]),
    ],
)
def test_boilerplate(summary, flagged):
    assert texts(find_boilerplate(Text(summary), read_document(MARKET), 20)) == flagged


@pytest.mark.parametrize(
    ("summary", "reason"),
    [
        ("The <unk> <unk> <unk> rose.", "token soup"),
        ("Prices rose !!!!!!! today.", "token soup"),
        ("He was soooooooo late.", "token soup"),
        ("Shares rose Москва хорошо сегодня.", "a script that the document does not use"),
        ("The beer the beer the beer the beer the beer the beer the beer.", "a loop to the end"),
        (" ".join(f"token{letter}" for letter in "abcdefghijklmnop") + ".", "no function word in fifteen"),
    ],
)
def test_garbled(summary, reason):
    (flag,) = find_garbled(Text(summary), read_document(MARKET), 20)
    assert flag.evidence == reason
    assert flag.text == summary[flag.start : flag.end]


@pytest.mark.parametrize(
    "summary",
    [
        "Shares of the brewer rose... and rose.",
        "The <unk> rose, said <unk> on Friday.",
        "Halden's café in Malmö sells smørrebrød.",
        "Beer, beer and more beer: the summer was good for Halden.",
    ],
)
def test_readable(summary):
    assert find_garbled(Text(summary), read_document(MARKET), 20) == ()


def test_long_documents_with_one_opposite_everywhere_are_quick(monkeypatch):
    """A loop asks for each pair's distance once; each opposite looks at places near it, not at all of them."""
    asked = []
    monkeypatch.setattr(Ground, "distance", lambda self, one, other: asked.append(1) or FAR)
    assert len(grounding("boat " * 50, "boat sank " * 50).pairs) == 2 * 100 - 3
    assert len(asked) == 4  # boat sank, sank boat, boat boat, sank sank
    monkeypatch.undo()
    looked = []
    monkeypatch.setattr(contradiction, "_is_near", lambda place, others: looked.append(place) or False)
    found = grounding("The fast boat sank near a reef. " * 50, "The slow boat sank near a reef.")
    assert find_contradictions(found, 20) == ()
    assert len(looked) == 50 * 2  # boat and sank beside each `fast`; reef is too far off
