from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastmile.corpus.named import clean_cnn_dm, clean_multi_news

PIECES = ["By", ".", "Ann Lee", "PUBLISHED:", "12:18 EST, 26 March 2013", "|", "UPDATED:", "(CNN)", "--", "Ann ran"]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("(CNN) -- A man ran.", "A man ran."),
        ("(CNN)A man ran.", "A man ran."),
        ("(CNN Student News) -- A man ran.", "A man ran."),
        ("LONDON, England (CNN) -- A man ran.", "LONDON, England -- A man ran."),
        ("RIO DE JANEIRO, Brazil (Reuters)  -- A man ran.", "RIO DE JANEIRO, Brazil -- A man ran."),
        ("NEW YORK (CNNMoney.com) — A man ran.", "NEW YORK -- A man ran."),
        (
            "By . Daily Mail Reporter . PUBLISHED: . 12:18 EST, 26 March 2013 . | . "
            "UPDATED: . 13:03 EST, 26 March 2013 . A man ran .",
            "A man ran .",
        ),
        ("By . Ann Lee and Bob O'Neil . PUBLISHED: . 02:52 EST, 18 October 2013 . A man ran .", "A man ran ."),
        ("By . Ann Lee, Home Affairs Editor . PUBLISHED: . 19:52 EST, 2 April 2012 . A man ran .", "A man ran ."),
        ("By . Ann Lee . and Bob May . A man ran .", "A man ran ."),
        ("By . Ann Lee . Last updated at 4:12 PM on 14th May 2011 . A man ran .", "A man ran ."),
        ("PUBLISHED: . 05:36 EST, 6 May 2013 . | . UPDATED: . 05:36 EST, 6 May 2013 . A man ran .", "A man ran ."),
        ("A man ran . Scroll down for video . He fell .", "A man ran . He fell ."),
        ("A man ran . Follow @@annlee .", "A man ran ."),
    ],
)
def test_what_stands_around_an_article_goes(page, text):
    assert clean_cnn_dm(page) == text


@pytest.mark.parametrize(
    "text",
    [
        "By 2020 the sea will rise. (CNN) -- he said.",
        "Bob May (CNN) talked to her.",
        "By . the river he ran .",
        "A man (AP) -- his name is Ann.",
        "Ann reads PUBLISHED: . and goes .",
    ],
)
def test_an_article_that_only_looks_alike_stays(text):
    assert clean_cnn_dm(text) == text


@given(st.lists(st.sampled_from(PIECES), max_size=16).map(" ".join))
def test_clean_up_never_adds_words(page):
    once = clean_cnn_dm(page)
    assert len(once) <= len(page) + len(" -- ")
    assert set(once.split()) <= set(page.split()) | {"--"}


def test_articles_of_multi_news_are_paragraphs():
    assert clean_multi_news("one ||||| two|||||three |||||") == "one\n\ntwo\n\nthree"
