"""`lastmile data`: look at a corpus, and find what is wrong with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from lastmile.commands import app
from lastmile.config import Data

if TYPE_CHECKING:
    from lastmile.corpus.check import Findings
    from lastmile.corpus.describe import Description, Lengths
    from lastmile.records import Example

DEFAULTS = Data(name="demo")
SHOWN_CHARACTERS = 700
SHOWN_PLACES = 5

data = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")
app.add_typer(data, name="data", help="Look at a corpus before training on it: `show` its figures, `check` its rows.")

Name = Annotated[str, typer.Argument(metavar="DATA", help="A known name, a hub id, a file or a folder; `name#500`.")]
Config = Annotated[str | None, typer.Option(help="Configuration of a hub data set.")]
Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit of a hub data set.")]
DocumentColumn = Annotated[str | None, typer.Option(help="Column of the documents, if not recognised.")]
SummaryColumn = Annotated[str | None, typer.Option(help="Column of the targets, if not recognised.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]


@data.command("show")
def show(
    name: Name,
    config: Config = None,
    revision: Revision = None,
    document_column: DocumentColumn = None,
    summary_column: SummaryColumn = None,
    model: Annotated[
        str | None, typer.Option(help="Count tokens too, and what is cut, with the tokenizer of this model or run.")
    ] = None,
    prefix: Annotated[str, typer.Option(help="Put before every document, e.g. `summarize: `.")] = DEFAULTS.prefix,
    max_document_tokens: Annotated[int, typer.Option(min=1)] = DEFAULTS.max_document_tokens,
    max_summary_tokens: Annotated[int, typer.Option(min=1)] = DEFAULTS.max_summary_tokens,
    examples: Annotated[int, typer.Option(min=0, help="Test examples to print.")] = 2,
    sample: Annotated[int, typer.Option(min=1, help="Examples of each split to measure.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the sample, and of the split and subset where one is drawn.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Show some examples, lengths, what a model would not see, and how much of the targets is copied.

    Coverage is the share of a target's words that are copied from the document; density is the mean length, in words,
    of the copied run that such a word stands in.

    Example: `lastmile data show dialogsum --model facebook/bart-base`
    """
    from dataclasses import asdict

    from lastmile.corpus.describe import describe
    from lastmile.corpus.describe import sample as draw
    from lastmile.corpus.divide import SPLITS
    from lastmile.corpus.sources import load_corpus

    tokenizer = None
    if model is not None:
        from lastmile.config import Model
        from lastmile.policy.load import load_tokenizer

        tokenizer = load_tokenizer(Model(name=model))
    settings = Data(
        name=name,
        config=config,
        revision=revision,
        document_column=document_column,
        summary_column=summary_column,
        shared_documents="keep",
    )
    corpus = load_corpus(settings, seed=seed, splits=())
    described = {
        split: describe(
            getattr(corpus, split),
            count=sample,
            seed=seed,
            tokenizer=tokenizer,
            prefix=prefix,
            max_document_tokens=max_document_tokens,
            max_summary_tokens=max_summary_tokens,
        )
        for split in SPLITS
        if len(getattr(corpus, split))
    }
    shown = draw(corpus.test if len(corpus.test) else corpus.train, examples, seed)
    if as_json:
        report = {
            "data": name,
            "fingerprint": corpus.fingerprint,
            "splits": {split: asdict(description) for split, description in described.items()},
            "examples": [asdict(example) for example in shown],
        }
        typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
        return
    _print_examples(shown)
    _print_figures(described)


@data.command("check")
def check(
    name: Name,
    config: Config = None,
    revision: Revision = None,
    document_column: DocumentColumn = None,
    summary_column: SummaryColumn = None,
    max_words: Annotated[int, typer.Option(min=1, help="Longer documents are reported.")] = 20_000,
    as_json: AsJson = False,
) -> None:
    """Read every row and report what is wrong with it: nothing is changed.

    Finds empty, duplicate, over-long and undecodable rows, broken lines, missing columns, and documents that stand in
    two splits. Exit status 2 if there is anything.

    Example: `lastmile data check my_folder/ --json`
    """
    from dataclasses import asdict

    from lastmile.corpus.check import check_data

    settings = Data(
        name=name,
        config=config,
        revision=revision,
        document_column=document_column,
        summary_column=summary_column,
    )
    found = check_data(settings, max_words=max_words)
    if as_json:
        typer.echo(
            json.dumps(
                {"data": name, "splits": {split: asdict(findings) for split, findings in found.items()}},
                indent=2,
                ensure_ascii=False,
            )
        )
    else:
        _print_findings(found)
    if any(findings.problems for findings in found.values()):
        raise typer.Exit(2)


def _print_examples(examples: list[Example]) -> None:
    from rich.console import Console

    console = Console(markup=False, highlight=False)
    for example in examples:
        cut = len(example.document) - SHOWN_CHARACTERS
        console.rule(f"{example.id}")
        console.print(example.document[:SHOWN_CHARACTERS] + (f" … ({cut:,} more characters)" if cut > 0 else ""))
        for target in example.targets:
            console.print(f"\n→ {target}")
        console.print()


def _print_figures(described: dict[str, Description]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(Column("", no_wrap=True), *described)
    for label, cells in {
        "examples": [f"{description.examples:,}" for description in described.values()],
        "measured": [f"{description.sampled:,}" for description in described.values()],
        "targets a document": [f"{description.targets:.2f}" for description in described.values()],
        "coverage": [_figure(description.coverage, ".3f") for description in described.values()],
        "density (words)": [_figure(description.density, ".2f") for description in described.values()],
        "words of a document": [_lengths(description.document_words) for description in described.values()],
        "words of a target": [_lengths(description.target_words) for description in described.values()],
        "tokens of a document": [_lengths(description.document_tokens) for description in described.values()],
        "tokens of a target": [_lengths(description.target_tokens) for description in described.values()],
    }.items():
        if any(cells):
            table.add_row(label, *cells)
    table.caption = "Lengths: mean · median · 95 % are shorter · longest"
    Console().print(table)


def _figure(value: float | None, form: str) -> str:
    return "none" if value is None else f"{value:{form}}"


def _lengths(lengths: Lengths | None) -> str:
    if lengths is None:
        return ""
    cut = "" if lengths.cut is None else f"\n{lengths.cut:.1%} are cut"
    return f"{lengths.mean:,.1f} · {lengths.median:,.0f} · {lengths.p95:,.0f} · {lengths.longest:,}{cut}"


def _print_findings(found: dict[str, Findings]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from lastmile.corpus.check import KINDS

    console = Console()
    table = Table("split", "found", "rows", "where")
    for split, findings in found.items():
        for kind, label in KINDS.items():
            places = [str(problem) for problem in findings.problems if problem.kind == kind]
            if places:
                more = [f"and {len(places) - SHOWN_PLACES:,} more (see --json)"] if len(places) > SHOWN_PLACES else []
                table.add_row(split, label, f"{len(places):,}", escape("\n".join(places[:SHOWN_PLACES] + more)))
        table.add_section()
    if table.row_count:
        console.print(table)
    for split, findings in found.items():
        console.print(f"{split}: {findings.examples:,} usable examples", highlight=False)
    if not table.row_count:
        console.print("Nothing is wrong.", highlight=False)
