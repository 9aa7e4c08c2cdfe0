"""`lastmile flag`: the faults of summaries, with their places and evidence; and the verbs that belong to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from lastmile.commands import app
from lastmile.config import FLAG_NAMES
from lastmile.errors import InputError

verbs = typer.Typer(rich_markup_mode="markdown")


class FlagCommand(TyperCommand):
    """`flag FILE`, which steps aside where the first word is a verb: `flag audit RUN`.

    No file can be meant by such a word, for the name of a file of rows has an ending.
    """

    @cached_property
    def commands(self) -> dict[str, Any]:
        """The verbs, by name."""
        return typer.main.get_group(verbs).commands

    def make_context(self, info_name, args, parent=None, **extra):
        """The verb's own context, where there is one; whoever runs a context runs the command that it is of."""
        if args and args[0] in self.commands:
            verb = self.commands[args[0]]
            return verb.make_context(f"{info_name} {args[0]}", args[1:], parent=parent, **extra)
        return super().make_context(info_name, args, parent=parent, **extra)


@app.command("flag", cls=FlagCommand)
def flag(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Rows with `document` (or `source`) and `summary`; `.gz` is fine.")
    ],
    out: Annotated[Path | None, typer.Option(help="JSONL: the same rows, each with its `flags`.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Hold the flags against people: rows with `label`, 1 = consistent, 0 = not.")
    ] = False,
    explain: Annotated[
        Path | None, typer.Option(help="HTML: documents and summaries side by side, flags linked to their evidence.")
    ] = None,
    flags: Annotated[
        str,
        typer.Option(
            help=f"Which flags to look for, with commas between, of {', '.join(FLAG_NAMES)}. Not with `--check`.",
            show_default="all",
        ),
    ] = ",".join(FLAG_NAMES),
    detector: Annotated[
        Path | None, typer.Option(help="A folder of `lastmile flag train`: adds the flag `learned`, by a model.")
    ] = None,
    semantic: Annotated[
        str | None, typer.Option(help="An encoder, by name or path: `--check` its semantic support too.")
    ] = None,
    nli: Annotated[
        str | None, typer.Option(help="A classifier for inference, by name or path: `--check` its entailment too.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only rows whose `split` is this. Not with `--out`.")] = None,
    spans_from: Annotated[
        int | None,
        typer.Option(
            min=0, max=1, help="What the first character counts as in `spans`. With `--check`.", show_default="0"
        ),
    ] = None,
    span_votes: Annotated[
        int, typer.Option(min=1, help="Annotators who must have marked a word for it to count. With `--check`.")
    ] = 1,
    skip_bad_spans: Annotated[
        bool, typer.Option("--skip-bad-spans", help="Take rows with spans outside of the summary for not marked.")
    ] = False,
    bootstrap_samples: Annotated[
        int, typer.Option(min=100, help="Resamples that the intervals of `--check` rest on.")
    ] = 2000,
    seed: Annotated[int, typer.Option(help="Of the resamples.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts, or the whole check, as JSON.")] = False,
) -> None:
    """Find the faults of summaries: repetition, names and numbers that the document lacks, and more.

    `--out` writes each row with `flags`: a list of `name`, `start`, `end`, `text` and `evidence`. Where rows have a
    `target`, a `reference` or several, lengths and copied passages are held against those; else a flag of length is
    never raised. `unsupported_word` marks every content word that is not the document's: most good summaries have some.

    `--explain` writes one page to read them on. `--check` says how far to trust them, on summaries that people
    labelled: AUC, balanced accuracy and marked words of every detector with 95 % intervals, beside overlap alone and
    beside other detectors' `scores` in the file (higher = more consistent). `lastmile flag audit RUN` asks how a run
    came by fewer flags.

    Example: `lastmile flag outputs.jsonl --out flagged.jsonl --flags repetition,unsupported_entity`
    """
    names = list(dict.fromkeys(name.strip() for name in flags.split(",") if name.strip()))
    _one_task(out, check, explain)
    _fitting(
        {
            "--flags": (not check, flags != ",".join(FLAG_NAMES)),
            "--semantic": (check, semantic is not None),
            "--nli": (check, nli is not None),
            "--split": (out is None, split is not None),
            "--spans-from": (check, spans_from is not None),
            "--span-votes": (check, span_votes != 1),
            "--skip-bad-spans": (check, skip_bad_spans),
            "--bootstrap-samples": (check, bootstrap_samples != 2000),
            "--seed": (check, seed != 1),
            "--json": (explain is None, as_json),
        }
    )
    if check:
        from lastmile.compare.flag_check import check_flags
        from lastmile.compare.flag_tables import print_check

        found = check_flags(
            file,
            split,
            spans_from,
            span_votes,
            skip_bad_spans,
            bootstrap_samples,
            seed,
            detector=detector,
            semantic=semantic,
            nli=nli,
        )
        typer.echo(f"{file}: {found['rows']:,} labelled summaries", err=True)
        if found["doubt"]:
            typer.echo(f"{file}: {found['doubt']}", err=True)
        if found["rows_with_bad_spans"]:
            left_out = "whose spans lie outside of the summary have no part in the figures of words"
            typer.echo(f"{file}: {found['rows_with_bad_spans']:,} rows {left_out}", err=True)
        if as_json:
            typer.echo(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))
        else:
            print_check(found)
    elif explain is not None:
        from lastmile.compare.explain import explain_file

        shown, rows = explain_file(file, explain, names, split, detector=detector)
        left_out = f", the most costly of {rows:,}" if shown < rows else ""
        typer.echo(f"{explain}: {shown:,} summaries{left_out}", err=True)
    elif out is not None:
        _write_flags(file, out, names, as_json, detector)


def _one_task(out: Path | None, check: bool, explain: Path | None) -> None:
    given = [name for name, is_given in (("--out", out), ("--check", check), ("--explain", explain)) if is_given]
    if len(given) != 1:
        what = f"got {' and '.join(f'`{name}`' for name in given)}" if given else "got none"
        raise InputError(f"`lastmile flag FILE` needs one of `--out FILE`, `--check` and `--explain FILE`, {what}")


def _fitting(options: Mapping[str, tuple[bool, bool]]) -> None:
    """Refuse options that would say nothing: option to whether it applies, and whether it was given."""
    wrong = [name for name, (applies, given) in options.items() if given and not applies]
    if wrong:
        raise InputError.of(f"`{name}`: not for this; `lastmile flag --help` says for what" for name in wrong)


def _write_flags(file: Path, out: Path, names: list[str], as_json: bool, detector: Path | None) -> None:
    from lastmile.compare.flag_file import flag_file

    counts = flag_file(file, out, names, detector=detector)
    profile = counts.profile
    typer.echo(
        f"{out}: {counts.summaries} summaries, "
        f"{'names by their capitals' if profile.cased else f'all in lower case: {len(profile.names)} names learnt'}",
        err=True,
    )
    if as_json:
        rates = {name: count / counts.summaries for name, count in counts.flagged.items()}
        found = {"summaries": counts.summaries, "flagged": counts.flagged, "rates": rates, "spans": counts.spans}
        typer.echo(json.dumps(found, indent=2))
        return

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for head, justify in (("flag", "left"), ("summaries", "right"), ("share", "right"), ("spans", "right")):
        table.add_column(head, justify=justify)
    for name, count in counts.flagged.items():
        table.add_row(name, f"{count:,}", f"{100 * count / counts.summaries:.1f} %", f"{counts.spans[name]:,}")
    Console().print(table)


@verbs.command("audit")
def audit(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    detector: Annotated[
        Path | None, typer.Option(help="The witness: a folder of `lastmile flag train`, but not the run's own.")
    ] = None,
    bootstrap_samples: Annotated[int, typer.Option(min=100, help="Resamples that the intervals rest on.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of the resamples.")] = 1,
    semantic: Annotated[
        str | None, typer.Option(help="An encoder, by name or path: its semantic support is the witness.")
    ] = None,
    nli: Annotated[
        str | None, typer.Option(help="A classifier for inference, by name or path: its entailment is the witness.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, documents included.")] = False,
) -> None:
    """Ask how a run came by fewer flags: by fewer faults, or by a trick.

    The summaries of the first validation against those of the last, on the same documents, and, where `compare` left
    them, those of the likelihood model against the best: did they get shorter, copy more, say fewer names and numbers?
    A detector that training did not use is the witness: a flag that fell while the witness did not was evaded. Ends
    with the ten most suspicious summaries, where the return rose and the witness complains.

    Example: `lastmile flag audit runs/dialogsum-rloo-seed1`
    """
    from lastmile.compare.audit import audit_run
    from lastmile.compare.audit_tables import print_audit

    found = audit_run(run, bootstrap_samples, seed, lambda text: typer.echo(text, err=True), detector, semantic, nli)
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print_audit(found)


@verbs.command("train")
def train(
    data: Annotated[str, typer.Option(help="A corpus with targets: a name, hub id, file or folder; `name#2000`.")],
    out: Annotated[Path, typer.Option(help="A new folder for the detector.")],
    model: Annotated[
        str | None, typer.Option(help="An encoder, by name or path. Without it, a small one is built from nothing.")
    ] = None,
    generator: Annotated[
        str | None,
        typer.Option(help="A run or a summarizer: its own slips, where it goes on with targets, are learnt too."),
    ] = None,
    generated: Annotated[int, typer.Option(min=1, help="Training targets at most that it goes on with, once.")] = 1000,
    document_column: Annotated[str | None, typer.Option(help="Where documents stand.")] = None,
    summary_column: Annotated[str | None, typer.Option(help="Where targets stand.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the targets, spoiled anew each time, at most.")] = 5,
    patience: Annotated[int, typer.Option(min=1, help="Epochs without gain on held-out targets before it ends.")] = 2,
    batch_size: Annotated[int, typer.Option(min=1, help="Targets of a step.")] = 16,
    learning_rate: Annotated[
        float | None, typer.Option(min=0.0, help="At its highest.", show_default="1e-4 with --model, else 1e-3")
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=16, help="Document and summary together; more is not read.")] = 512,
    precision: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of marked words that shall be wrong; sets the threshold.")
    ] = 0.9,
    held_out: Annotated[int, typer.Option(min=1, help="Documents at most of validation, and of test.")] = 500,
    bf16: Annotated[bool, typer.Option("--bf16", help="Train in bfloat16: faster on processors that have it.")] = False,
    seed: Annotated[int, typer.Option(help="Of the spoiling, the order and the weights.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print settings and figures as JSON.")] = False,
) -> None:
    """Train a model to find unsupported words, on your own targets with one thing made wrong in each.

    Names, numbers, pronouns, speakers and relations are exchanged, negations flipped, sentences of other targets
    spliced in. With `--generator` that model also goes on with targets from a drawn word: of what it wrote, the words
    that it doubted and that neither document nor target has count as wrong. The validation split decides when to stop
    and where the threshold lies; the figures printed are those of the test split. They say how well such changes are
    found, not how well a person's judgement is: see `lastmile flag FILE --check --detector DETECTOR` for that. English
    only.

    Example: `lastmile flag train --data train.jsonl --model distilroberta-base --out detector`
    """
    from lastmile.compare.learned import train_detector
    from lastmile.config import Data
    from lastmile.train.detector import Lessons

    rate = (1e-3 if model is None else 1e-4) if learning_rate is None else learning_rate
    corpus = Data(name=data, document_column=document_column, summary_column=summary_column, shared_documents="drop")
    lessons = Lessons(epochs, batch_size, rate, patience, seed, bf16)
    if generator is None and generated != 1000:
        raise InputError("`--generated` says how many targets `--generator` goes on with: give both, or neither")
    found = train_detector(corpus, out, model, max_tokens, precision, held_out, lessons, generator, generated)
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        from lastmile.compare.flag_tables import print_detector

        print_detector(found)
