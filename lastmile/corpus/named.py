"""The data sets that have a short name, and the clean-up that some of them need."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Named:
    """Where a named data set lies on the hub and how it is read.

    Attributes:
        repository: Hub data set id.
        config: Which of the repository's configurations; None for its only one.
        document: Column of the document; None to recognise it.
        summary: Column of the target, likewise.
        clean: Applied to every document.
        merge: Rows that follow each other with the same document are one document with several targets.
    """

    repository: str
    config: str | None = None
    document: str | None = None
    summary: str | None = None
    clean: Callable[[str], str] | None = None
    merge: bool = False


_PLACE = r"[A-Z][\w.'’-]*(?:[ ,]+[A-Z(][\w.'’)-]*){0,5}"
_DASH = r"(?:--?|[–—])\s*"
# What follows an agency's name differs from page to page: `(CNN)`, `(CNN Student News)`, `(CNNMoney.com)`.
_AGENCY = re.compile(
    rf"^\s*(?P<place>{_PLACE}\s+)?\((?:CNN|CNNMoney|Reuters|AP|Financial Times|Time)(?:[\s.-][^()]{{0,30}})?\)\s*"
    rf"(?(place){_DASH}|(?:{_DASH})?)"
)
_NAME = r"[A-Z][\w'’-]*(?:(?:,? |,? and |,? for |,? in |,? of | & )[A-Z][\w'’-]*){0,8}"
_CLOCK = r"\d{1,2}[:.]\d{2},? ?(?:[AP]M|[A-Z]{2,4})?"
_STAMP = rf"(?:PUBLISHED|UPDATED|CREATED): \. {_CLOCK}, \d{{1,2}} [A-Z][a-z]+ \d{{4}} \. "
_MAIL_HEAD = re.compile(
    rf"^\s*(?:By \. {_NAME} \. (?:(?:and|,) (?:\. )?{_NAME} \. )*)*"
    rf"(?:(?:\| \. )?{_STAMP}|Last updated at {_CLOCK} on \d{{1,2}}(?:st|nd|rd|th) [A-Z][a-z]+ \d{{4}} \. )*"
)
_ASIDE = re.compile(r"\s*\b(?:Scroll down for videos?|Follow @@\w+)(?: \.)?(?=\s|$)")


def clean_cnn_dm(document: str) -> str:
    """Take off what CNN and Daily Mail pages put around the text of an article.

    CNN's `(CNN) --` goes and the place before it stays, since a summary may name it. The Daily Mail's `By . Name .`,
    its `PUBLISHED: . … | . UPDATED: . …` stamps, `Scroll down for video` and `Follow @@name` go.

    >>> clean_cnn_dm("LONDON, England (CNN) -- The queen spoke.")
    'LONDON, England -- The queen spoke.'
    >>> clean_cnn_dm("By . Ann Lee . PUBLISHED: . 12:18 EST, 26 March 2013 . The queen spoke .")
    'The queen spoke .'
    """
    document = _MAIL_HEAD.sub("", document, count=1)
    document = _AGENCY.sub(lambda match: f"{match['place'].strip()} -- " if match["place"] else "", document, count=1)
    return _ASIDE.sub("", document).strip()


def clean_multi_news(document: str) -> str:
    """Put a blank line where the data set writes `|||||` between the articles of a document."""
    return re.sub(r"\s*\|{5}\s*", "\n\n", document).strip()


NAMED = {
    "aeslc": Named("Yale-LILY/aeslc", None, "email_body", "subject_line"),
    "arxiv": Named("ccdv/arxiv-summarization", "document", "article", "abstract"),
    "billsum": Named("FiscalNote/billsum", None, "text", "summary"),
    "cnn_dm": Named("abisee/cnn_dailymail", "3.0.0", "article", "highlights", clean=clean_cnn_dm),
    "dialogsum": Named("knkarthick/dialogsum", None, "dialogue", "summary", merge=True),
    "multi_news": Named("alexfabbri/multi_news", None, "document", "summary", clean=clean_multi_news),
    "pubmed": Named("ccdv/pubmed-summarization", "document", "article", "abstract"),
    "reddit_tifu": Named("ctr4si/reddit_tifu", "long", "documents", "tldr"),
    "samsum": Named("knkarthick/samsum", None, "dialogue", "summary"),
    "xsum": Named("EdinburghNLP/xsum", None, "document", "summary"),
}
KNOWN_NAMES = (*NAMED, "demo")
