"""Text that is no summary of anything: token soup, loops, other scripts, and the furniture of web pages."""

from __future__ import annotations

import re
from collections import Counter

from lastmile.judge.document import Document, Text
from lastmile.judge.lexicon import STOP_WORDS
from lastmile.records import Flag

_BOILERPLATE = re.compile(
    r"""click\ here\b[^.!?]*
    | (?:scroll|read)\ down\ for\ (?:the\ )?(?:video|more)s?
    | read\ more\b:?
    | sign\ up\ (?:for|to)\ [^.!?]*newsletter
    | subscribe\ (?:to|now|here)\b[^.!?]*
    | (?:follow|like)\ us\ on\ (?:twitter|facebook|instagram)[^.!?]*
    | all\ rights\ reserved
    | terms\ (?:and\ conditions|of\ (?:use|service))\ apply
    | share\ this\ (?:article|page|story)
    | for\ confidential\ (?:support|help)\b[^.!?]*call\b[^.!?]*
    | copyright\ (?:©|\(c\))[^.!?]*
    | (?:e-?mail|contact)\ the\ (?:author|editor|newsdesk)\b[^.!?]*
    | (?:image|photo|video)\ (?:caption|copyright|courtesy)\b""",
    re.IGNORECASE | re.VERBOSE,
)
_UNKNOWN = r"(?:<unk>|\[unk\]|\bunk\b)"
_SOUP = re.compile(
    rf"{_UNKNOWN}(?:[\s,.]*{_UNKNOWN}){{2,}}|([^\w\s])(?:\s*\1){{5,}}|(\w)\2{{5,}}|\ufffd{{2,}}", re.IGNORECASE
)
_MIN_WORDS = 12


def find_boilerplate(summary: Text, document: Document, typical_words: float) -> tuple[Flag, ...]:
    """Flag what belongs to a web page and to no summary: `Click here for all the latest news`.

    It is flagged wherever it stands, also when the document has it: a reader of the summary can click nothing.

    Args:
        summary: The summary.
        document: Its document, named in the evidence where it has the same words.
        typical_words: Median words of a target; the cost of a flag is its words over this.
    """
    flags = []
    lower = document.text.lower()
    for match in _BOILERPLATE.finditer(summary.text):
        text = match.group().rstrip()
        evidence = "also in the document" if text.lower() in lower else "not in the document"
        cost = len(text.split()) / typical_words
        flags.append(Flag("boilerplate", match.start(), match.start() + len(text), text, evidence, cost))
    return tuple(flags)


def find_garbled(summary: Text, document: Document, typical_words: float) -> tuple[Flag, ...]:
    """Flag text that nobody can read.

    * soup: three unknown tokens in a row, a sign six times over, a letter six times over, broken characters;
    * script: letters of a script that the document does not use, in three or more words;
    * loop: one content word makes up a third of twelve or more words, or the last twelve are three different ones;
    * no grammar: fifteen words in a row without a single function word, where the document has them.

    Args:
        summary: The summary.
        document: Its document.
        typical_words: Median words of a target; the cost of a flag is its words over this.
    """
    spans: list[tuple[int, int, str]] = [
        (m.start(), m.start() + len(m.group().rstrip()), "token soup")
        for m in _SOUP.finditer(summary.text)
        if m.group().strip() and m.group() not in document.text
    ]
    spans += _foreign(summary, document) + _loop(summary) + _without_grammar(summary, document)
    flags, end = [], -1
    for start, stop, reason in sorted(spans):
        if start >= end:
            text = summary.text[start:stop]
            cost = max(len(text.split()), 1) / typical_words
            flags.append(Flag("garbled", start, stop, text, reason, cost))
            end = stop
    return tuple(flags)


def _script(word: str) -> str:
    code = ord(word[0])
    return "latin" if code < 0x250 or 0x1E00 <= code < 0x1F00 else f"{code >> 8}" if code < 0x3000 else "east asian"


def _foreign(summary: Text, document: Document) -> list[tuple[int, int, str]]:
    own = {_script(word.text) for word in document.words if word.text[0].isalpha()}
    strange = [w for w in summary.words if w.text[0].isalpha() and _script(w.text) not in own]
    return [(strange[0].start, strange[-1].end, "a script that the document does not use")] if len(strange) >= 3 else []


def _loop(summary: Text) -> list[tuple[int, int, str]]:
    forms, spans = summary.forms, summary.words
    if len(forms) < _MIN_WORDS:
        return []
    if len(set(forms[-_MIN_WORDS:])) <= 3:
        first = len(forms) - _MIN_WORDS
        while first and forms[first - 1] in forms[-_MIN_WORDS:]:
            first -= 1
        return [(spans[first].start, spans[-1].end, "a loop to the end")]
    counts = Counter(form for form in forms if form not in STOP_WORDS)
    word, times = counts.most_common(1)[0] if counts else ("", 0)
    if 3 * times >= len(forms):
        places = [k for k, form in enumerate(forms) if form == word]
        return [(spans[places[1]].start, spans[places[-1]].end, f"`{word}` {times} times")]
    return []


def _without_grammar(summary: Text, document: Document) -> list[tuple[int, int, str]]:
    if not document.forms or sum(form in STOP_WORDS for form in document.forms) < 0.2 * len(document.forms):
        return []
    run = 0
    for k, form in enumerate([*summary.forms, "the"]):
        if form not in STOP_WORDS and not form[0].isdigit():
            run += 1
            continue
        if run >= 15:
            return [(summary.words[k - run].start, summary.words[k - 1].end, "no function word in fifteen")]
        run = 0
    return []
