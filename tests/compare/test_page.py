import re
from html.parser import HTMLParser

import numpy as np
import pytest
from harbours import PROFILE, SETTINGS, make_report

from lastmile.compare.marked import mark
from lastmile.compare.page import render_page
from lastmile.compare.report import build_report
from lastmile.compare.systems import System
from lastmile.records import Example, Summary


@pytest.fixture(scope="module")
def report():
    return make_report()


@pytest.fixture(scope="module")
def page(report):
    return render_page(report)


class Reader(HTMLParser):
    """Tags that must be closed are; ids are unique; what is loaded from elsewhere."""

    VOID = ("meta", "br", "path", "use", "rect")

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.tags, self.loaded, self.text = [], [], set(), [], []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        named = dict(attributes)
        self.ids += [named["id"]] if "id" in named else []
        self.loaded += [value for key, value in attributes if key in ("src", "href", "xlink:href") and value[:1] != "#"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_the_page_is_whole_and_needs_nothing_else(page):
    reader = read(page)
    assert reader.loaded == []
    assert "script" not in reader.tags and "link" not in reader.tags
    assert len(reader.ids) == len(set(reader.ids))
    assert "url(http" not in page and "@import" not in page


def test_every_section_is_there(page, report):
    text = " ".join(" ".join(read(page).text).split())
    assert report["verdict"] in text
    heads = ["Systems", "Differences", "Flags", "Reward against what it never saw", "Training", "Stage 1: likelihood"]
    heads += ["Stage 2: policy gradient", "Documents on which they differ most", "Resources", "Signature"]
    assert [head for head in heads if head not in text] == []
    assert "saw the targets" in text, "the oracle says that it is one"
    assert "def456" in text
    assert set(re.findall(r'href="#([\w]+)"', page)) <= set(re.findall(r'id="([\w]+)"', page))


def test_plots_take_their_colours_from_the_page(page):
    assert page.count("<svg") >= 12
    assert "var(--s1)" in page and "var(--ink)" in page
    assert not re.search(r"#0[1-4]0\d{3}", page), "no stand-in colour is left"


def test_flagged_spans_and_their_evidence_are_marked(page):
    assert re.search(r'<mark class="[^"]*repetition[^"]*" title="repetition[^"]*">', page)
    assert "unchanged by post-processing" in page


def test_other_peoples_text_is_escaped():
    evil = "<script>alert(1)</script> & \"quoted\" <img src=x onerror='x'>"
    examples = [Example(evil, f"Boats {evil} sold.", (evil,)) for _ in range(3)]
    systems = [
        System("likelihood", tuple(Summary(f"{evil} {i} {evil}") for i in range(3)), family="likelihood"),
        System("policy gradient", tuple(Summary("Boats sold.") for _ in range(3)), family="policy gradient"),
        System(evil, tuple(Summary(evil) for _ in range(3))),
    ]
    report = build_report(
        evil,
        examples,
        systems,
        PROFILE,
        SETTINGS,
        signature={evil: evil},
        resources={evil: {evil: 1}},
        rewards_by_system={evil: np.ones(3)},
        comparisons=[(evil, "likelihood")],
        curves=[{"stage": "policy_gradient", "split": "train", "step": i, f"reward/{evil}": 1.0} for i in range(2)],
    )
    page = render_page(report)
    reader = read(page)
    assert not {"script", "img"} & reader.tags
    assert "alert(1)" in "".join(reader.text)


def test_a_report_of_one_plain_system_is_a_page():
    examples = [Example("a", "Boats were sold."), Example("b", "Rain is expected.")]
    systems = [System("mine", (Summary("Boats."), Summary("")))]
    read(render_page(build_report("plain", examples, systems, PROFILE, SETTINGS)))


def test_overlapping_marks_are_cut_at_their_ends():
    pieces = mark("abcdef", [(1, 4, "x", "one"), (2, 6, "y", "two"), (3, 3, "z", "nothing")])
    assert [(piece.text, piece.marks) for piece in pieces] == [
        ("a", ()), ("b", ("x",)), ("cd", ("x", "y")), ("ef", ("y",))
    ]  # fmt: skip
    assert pieces[2].title == "one; two"
    assert mark("", [(0, 0, "empty", "")]) == []
