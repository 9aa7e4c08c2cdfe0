from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from lastmile.corpus.extractiveness import Fragment, coverage, density, extractive_fragments

words = st.lists(st.sampled_from("abcd"), max_size=14)


def plainly(document: list[str], summary: list[str]) -> list[Fragment]:
    """The definition without any shortcut."""
    found, start = [], 0
    while start < len(summary):
        for length in range(len(summary) - start, 0, -1):
            run = summary[start : start + length]
            places = [i for i in range(len(document) - length + 1) if document[i : i + length] == run]
            if places:
                found.append(Fragment(start, places[0], length))
                start += length
                break
        else:
            start += 1
    return found


@given(words, words)
def test_fragments_are_the_definition(document, summary):
    assert extractive_fragments(document, summary) == plainly(document, summary)


@given(words, words)
def test_fragments_are_in_both_texts_and_do_not_overlap(document, summary):
    end = 0
    for piece in extractive_fragments(document, summary):
        assert piece.summary_start >= end
        end = piece.summary_start + piece.length
        there = document[piece.document_start : piece.document_start + piece.length]
        assert there == summary[piece.summary_start : end]


def test_the_longest_run_wins_over_the_first():
    # "a b" stands first, "a b c" later, overlapping the end of a match that the published pseudocode skips past.
    assert extractive_fragments(list("abxabc"), list("abc")) == [Fragment(0, 3, 3)]
    assert extractive_fragments(list("aab"), list("ab")) == [Fragment(0, 1, 2)]


def test_coverage_and_density_by_hand():
    # "kim won" (2) and "the cup" (2) of "kim won again the cup": coverage 4/5, density (4 + 4)/5.
    document = ["then", "kim", "won", "at", "last", "the", "cup"]
    summary = ["kim", "won", "again", "the", "cup"]
    fragments = extractive_fragments(document, summary)
    assert [piece.length for piece in fragments] == [2, 2]
    assert coverage(fragments, 5) == 0.8
    assert density(fragments, 5) == 1.6
    copied = extractive_fragments(document, document[1:5])
    assert (coverage(copied, 4), density(copied, 4)) == (1.0, 4.0)
    assert math.isnan(coverage([], 0)) and math.isnan(density([], 0))
    assert (coverage([], 3), density([], 3)) == (0.0, 0.0)
