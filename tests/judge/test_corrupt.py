"""Spoiled targets: each kind by hand, and what holds for all of them."""

import random
from typing import ClassVar

import pytest

from lastmile.judge.corrupt import KINDS, changed_by_model, corrupt, corrupt_somehow
from lastmile.judge.learned import Learned, find_learned
from lastmile.judge.profile import TargetProfile

STORY = "The mayor of Bergen met Ann Lee on Monday. They spoke about 14 boats of Clara Holt until 1931."
FOREIGN = "Rain fell in Lima. The ferries stopped because nobody could see the harbour."
TALK = "#Person1#: Will you come?\n#Person2#: My car is broken.\n#Person1#: Take the bus."
NAMED = "Ann: Will you come?\nBen Hall: My car is broken.\nAnn: Take the bus."


def every(kind, document, target, other=FOREIGN):
    """All results within forty throws."""
    found = (corrupt(kind, document, target, other, random.Random(seed)) for seed in range(40))
    return {(spoiled.text, spoiled.spans) for spoiled in found if spoiled}


def test_entity_takes_a_name_of_the_document_or_of_the_other_target():
    found = every("entity", STORY, "A man saw Ann Lee's boat.")
    # `Lee` shares a word with nothing else; each replaces the seven characters from 10 on, and `'s` stays.
    assert found == {
        (f"A man saw {name}'s boat.", ((10, 10 + len(name)),)) for name in ("Bergen", "Monday", "Clara Holt", "Lima")
    }


def test_entity_leaves_speakers_to_their_own_kind():
    assert not every("entity", TALK, "A friend tells #Person1# no.", "Nothing.")
    talk = "Ann: Will you meet Ben Hall?\nBen Hall: I met Zoe.\nAnn: Good."
    assert every("entity", talk, "We met Olaf.", "Nothing.") == {("We met Zoe.", ((7, 10),))}


def test_number_changes_a_digit_or_takes_another_number():
    found = every("number", STORY, "He saw 14 boats.")
    texts = {text for text, _ in found}
    assert "He saw 1931 boats." in texts, "the document's other number"
    digits = {text[7:9] for text in texts - {"He saw 1931 boats."}}
    # One digit of the two differs, and none becomes 0.
    assert {new[0] == "1" for new in digits} == {True, False}, "either digit"
    assert all((new[0] == "1") != (new[1] == "4") and "0" not in new for new in digits)
    assert {spans for text, spans in found if len(text) == 16} == {((7, 9),)}


def test_a_number_word_stays_of_its_kind():
    found = {text for text, _ in every("number", STORY, "Third of two.")}
    assert {"Fourth of two.", "Third of three."} <= found
    assert not any("third" in text for text in found), "the capital stays"


@pytest.mark.parametrize(
    ("target", "spoiled", "span"),
    [
        ("He left.", "She left.", (0, 3)),
        ("It hurt himself.", "It hurt herself.", (8, 15)),
        ("Ann lost her coat.", "Ann lost his coat.", (9, 12)),
        ("Ben told her that.", "Ben told him that.", (9, 12)),
        ("Ben told her.", "Ben told him.", (9, 12)),
    ],
)
def test_pronouns_change_sex(target, spoiled, span):
    assert every("pronoun", STORY, target) == {(spoiled, (span,))}


def test_speakers_change_with_their_marks():
    assert every("speaker", TALK, "#Person2# has a broken car.") == {("#Person1# has a broken car.", ((0, 9),))}
    assert every("speaker", NAMED, "Ben Hall's car is broken.") == {("Ann's car is broken.", ((0, 3),))}
    assert not every("speaker", STORY, "Ann spoke."), "no dialogue"


@pytest.mark.parametrize(
    ("target", "spoiled", "span"),
    [
        ("The car is old.", "The car is not old.", (8, 14)),
        ("The car is not old.", "The car is old.", (8, 10)),
        ("Ann can swim.", "Ann cannot swim.", (4, 10)),
        ("Ann cannot swim.", "Ann can swim.", (4, 7)),
        ("We won't go.", "We will go.", (3, 7)),
        ("They don’t know.", "They do know.", (5, 7)),
        ("He wants tea.", "He doesn't want tea.", (3, 15)),
        ("She tries tea.", "She doesn't try tea.", (4, 15)),
        ("She goes home.", None, None),  # `goes` may only help
    ],
)
def test_negations_flip(target, spoiled, span):
    assert every("negation", STORY, target) == ({(spoiled, (span,))} if spoiled else set())


def test_relation_exchanges_two_names_of_a_sentence():
    assert every("relation", STORY, "The boss said Ann Lee paid Clara.") == {
        ("The boss said Clara paid Ann Lee.", ((14, 19), (25, 32)))
    }
    assert every("relation", TALK, "#Person1# asks #Person2#.") == {("#Person2# asks #Person1#.", ((0, 9), (15, 24)))}


@pytest.mark.parametrize("target", ["He saw Ann and Clara.", "He saw Ann. He met Clara.", "He saw Ann meet Ann."])
def test_relation_needs_two_names_that_differ_and_something_between_them(target):
    assert not every("relation", STORY, target)


def test_splice_puts_a_foreign_sentence_or_its_tail():
    found = every("splice", STORY, "Ann spoke.", "It rains because they all saw it.")
    assert found == {
        ("Ann spoke. It rains because they all saw it.", ((10, 44),)),
        ("Ann spoke because they all saw it.", ((9, 34),)),
    }
    two = {text for text, _ in every("splice", STORY, "Ann spoke. Ben left.", "It rains.")}
    assert {"It rains. Ben left.", "Ann spoke. It rains."} <= two
    assert not every("splice", STORY, "Ann spoke.", "Ann spoke."), "what it says already is no splice"


def test_changed_words():
    spoiled = corrupt("relation", STORY, "The boss said Ann Lee paid Clara.", FOREIGN, random.Random(1))
    # The boss said Clara paid Ann Lee
    assert spoiled.changed() == (False, False, False, True, False, True, True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", ["", " ", "…", "Ann Lee told him that 14 boats weren't two. He left."])
def test_outside_of_the_spans_nothing_changes_and_the_dice_decide(kind, target):
    for seed in range(10):
        found = corrupt(kind, STORY, target, FOREIGN, random.Random(seed))
        assert found == corrupt(kind, STORY, target, FOREIGN, random.Random(seed))
        if found is None:
            continue
        assert found.text != target and any(found.changed())
        at = 0
        for start, end in found.spans:
            kept = found.text[at:start]
            assert kept in target
            at = end
        assert target.endswith(found.text[at:])


def test_somehow_takes_every_kind_that_applies():
    target = "#Person1# saw him. Ann Lee paid Clara 14 crowns."
    kinds = {corrupt_somehow(TALK, target, FOREIGN, random.Random(seed)).kind for seed in range(80)}
    assert kinds == set(KINDS) - {"negation"}
    assert corrupt_somehow(STORY, "", FOREIGN, random.Random(1)) is None


def test_learned_flags_are_runs_of_doubted_words():
    # Words 1 and 2 are doubted, and word 4; a target has 10 words.
    flags = find_learned("Ann met old Ben, twice.", (0.1, 0.6, 0.9, 0.2, 0.5), 0.5, 10)
    assert [(flag.text, flag.start, flag.end, flag.evidence, flag.cost) for flag in flags] == [
        ("met old", 4, 11, "score 0.90", 0.2),
        ("twice", 17, 22, "score 0.50", 0.1),
    ]
    assert find_learned("", (), 0.5, 10) == ()


def test_two_witnesses_label_what_a_model_wrote():
    document, target = "Ann: I bought a red bicycle in Oslo.", "Ann bought a bicycle."
    text = "Ann bought a car in Oslo for Ben happily"
    sure = (None, None, 0.9, 0.01, 0.9, 0.4, 0.6, 0.05, 0.3)
    found = changed_by_model(document, target, text, sure, TargetProfile.neutral(cased=True))
    assert found == (
        False, False,  # the target's own
        False,  # a small word, and the model is sure
        True,  # `car`: neither document nor target has it, and the model doubted it
        False,
        None,  # `Oslo` is the document's, but the model was not sure
        False,
        True,  # `Ben`
        None,  # `happily` is nobody's, but the model did not doubt it: a paraphrase, perhaps
    )  # fmt: skip
    # What the target says needs no document, and lower case is no fault.
    assert changed_by_model("", target, "ann bought a bicycle", (0.9,) * 4, TargetProfile.neutral(cased=False)) == (
        False, False, False, False,
    )  # fmt: skip
    assert changed_by_model(document, target, "", (), TargetProfile.neutral(cased=True)) == ()


def test_the_newest_call_is_remembered_and_no_other():
    class Detector:
        threshold = 0.5
        asked: ClassVar[list] = []

        def score(self, pairs):
            self.asked.append(list(pairs))
            return [(0.9,) * len(text.split()) for _, text in pairs]

    detector = Detector()
    learned = Learned(detector, 4)
    first = learned([("a", "Ann met Ben"), ("b", "Rain"), ("a", "Ann met Ben")])
    assert [[flag.cost for flag in flags] for flags in first] == [[0.75], [0.25], [0.75]]
    assert learned([("b", "Rain"), ("b", "Snow")])[0] == first[1]
    learned([("a", "Ann met Ben")])
    assert detector.asked == [[("a", "Ann met Ben"), ("b", "Rain")], [("b", "Snow")], [("a", "Ann met Ben")]]
    learned.keeps = True
    learned([("b", "Rain")])
    learned([("a", "Ann met Ben"), ("b", "Rain")])
    assert detector.asked[3:] == [[("b", "Rain")], []]
