"""`lastmile flag --explain`: one page that loads nothing, escapes everything, and links each span to its evidence."""

import json
import re
from html.parser import HTMLParser

import pytest

import lastmile.compare.explain

EVIL = "<script>alert(1)</script> & \"quoted\" <img src=x onerror='x'>"
ROWS = [
    {
        "id": "a",
        "source": "Rain fell. Traders sold 12 boats in Genoa, said Ann. The lighthouse was built in 1543.",
        "summary": "Traders sold 15 boats in Genoa, said Bob Miller. Traders sold 15 boats in Genoa.",
        "label": 0,
        "model": "base",
    },
    {"source": "Rain is expected.", "summary": "Rain is expected.", "label": True},
    {"source": "Rain.", "summary": ""},
    {"id": EVIL, "model": EVIL, "source": f"Rain. {EVIL}", "summary": f"{EVIL} hit Oslo {EVIL}", "split": "valid"},
]


class Reader(HTMLParser):
    """What is closed, what is loaded, which ids there are and which are linked to."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.tags, self.loaded, self.text = [], [], [], [], [], []

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.tags.append((tag, named))
        self.ids += [named["id"]] if "id" in named else []
        self.links += [named["href"][1:]] if named.get("href", "")[:1] == "#" else []
        self.loaded += [v for k, v in attributes if k in ("src", "href", "style") and v[:1] != "#"]
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def explain(run, tmp_path):
    def explain(rows, *options):
        file, page = tmp_path / "in.jsonl", tmp_path / "new folder" / "page.html"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        status, out, err = run("flag", file, "--explain", page, *options)
        assert (status, out) == (0, ""), err
        assert [path.name for path in page.parent.iterdir()] == ["page.html"], "nothing left aside"
        text = page.read_text(encoding="utf-8")
        reader = Reader()
        reader.feed(text)
        assert reader.open == []
        return text, reader, err

    return explain


def test_the_page_is_whole_and_needs_nothing_else(explain):
    page, reader, err = explain(ROWS)
    assert err.endswith("page.html: 4 summaries\n")
    assert reader.loaded == [] and not {"script", "img", "link"} & {tag for tag, _ in reader.tags}
    assert "url(" not in page and "@import" not in page
    assert "default-src 'none'" in page
    assert len(reader.ids) == len(set(reader.ids))
    assert set(reader.links) <= set(reader.ids), "every link leads somewhere"
    text = " ".join("".join(reader.text).split())
    assert "4 summaries, 3 with a flag" in text
    assert "people: not consistent" in text and "people: consistent" in text
    assert "alert(1)" in text
    assert "prefers-color-scheme: dark" in page


def test_spans_lead_to_their_evidence(explain):
    _, reader, _ = explain(ROWS[:1])
    at = {named.get("id"): named.get("class", "") for _, named in reader.tags}
    first = next(named for tag, named in reader.tags if tag == "a" and "unsupported_number" in named.get("class", ""))
    assert first["title"] == "unsupported number: Traders sold 12 boats in Genoa, said Ann."
    # The passage is marked in the document, and every span that rests on it makes it light up.
    assert first["href"][:4] == "#c0d" and at[first["href"][1:]] == "evidence e0 e1 e3"
    page = explain(ROWS[:1])[0]
    assert re.search(r"\.case:has\(\.s0:is\(:hover, :focus-visible\)\) \.e0", page)
    # A repetition rests on the same summary.
    repeated = next(named for tag, named in reader.tags if "repetition" in named.get("class", "") and tag == "a")
    assert repeated["href"].startswith("#c0s")


def test_each_flag_has_a_filter_its_cost_and_its_list(explain):
    page, reader, _ = explain(ROWS[:3])
    inputs = [named["id"] for tag, named in reader.tags if tag == "input"]
    assert inputs == [
        "only-all", "only-repetition", "only-unsupported_entity", "only-unsupported_number", "only-empty", "only-clean"
    ]  # fmt: skip
    labels = [named["for"] for tag, named in reader.tags if tag == "label"]
    assert labels == inputs, "radio buttons with labels work by keyboard"
    assert "main:has(#only-empty:checked) .case:not(.has-empty) { display: none; }" in page
    text = " ".join(" ".join(reader.text).split()).replace(" ,", ",")
    # Without targets 25 words are typical: two numbers cost 2/25, two words of a name 2/25, six repeated words 6/25.
    assert "unsupported number 15, 15 0.08 cost" in text
    assert "unsupported entity Bob Miller 0.08 cost" in text
    assert "repetition Traders sold 15 boats in Genoa 0.24 cost" in text
    assert "empty 1.00 cost no word" in text
    assert "in none of these: unsupported word, " in text and ", copy, unfinished, length." in text


def test_chosen_flags_and_rows(explain):
    page, reader, err = explain(ROWS, "--flags", "unsupported_entity", "--split", "valid")
    assert "page.html: 1 summaries" in err
    assert "Oslo" in page and "Genoa" not in page
    assert [named["id"] for tag, named in reader.tags if tag == "input"] == ["only-all", "only-unsupported_entity"]


def test_a_large_file_gives_the_most_costly(explain, monkeypatch):
    monkeypatch.setattr(lastmile.compare.explain, "MAX_CASES", 2)
    page, reader, err = explain(ROWS)
    assert "page.html: 2 summaries, the most costly of 4" in err
    # `empty` costs 1, as does `unfinished` in the fourth row, beside more; the first row costs 0.4.
    assert re.findall(r'aria-label="(in.jsonl line \d)"', page) == ["in.jsonl line 3", "in.jsonl line 4"]
    assert "4 summaries, 3 with a flag; below are the 2 whose flags cost most" in " ".join("".join(reader.text).split())


def test_refusals(run, tmp_path):
    file = tmp_path / "in.jsonl"
    file.write_text('{"source": "Rain."}\n')
    page = tmp_path / "page.html"
    assert run("flag", file, "--explain", page)[::2] == (2, "in.jsonl line 1: a `summary` is wanted, got none\n")
    assert run("flag", file, "--explain", page, "--json")[0] == 2
    status, _, err = run("flag", file, "--explain", page, "--flags", "emty")
    assert (status, err.splitlines()[0]) == (2, "`emty`: no such flag. Did you mean `empty`?")
    assert not page.exists()
    file.write_text('{"source": "Rain.", "summary": "Rain."}\n')
    (tmp_path / "taken").write_text("")
    status, _, err = run("flag", file, "--explain", tmp_path / "taken" / "page.html")
    assert status == 1 and "page.html: cannot be written: " in err


def test_half_characters_and_missing_ids(explain):
    page, _, _ = explain(
        [{"id": "x\ud800", "source": "Rain.", "summary": "Rain.", "label": 1.0}, {**ROWS[1], "id": None}]
    )
    assert "<code>x?</code>" in page and "None" not in page
    assert page.count("people: consistent") == 2
