"""Summarize many documents; a killed job goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lastmile.compare.postprocess import post_process
from lastmile.config import Data, Decoding
from lastmile.corpus.tokens import tokenize_split
from lastmile.errors import InputError
from lastmile.judge.profile import TargetProfile
from lastmile.policy.decode import decode_batch, writer
from lastmile.policy.load import weights_hash
from lastmile.policy.policy import Policy
from lastmile.records import Split
from lastmile.train.run import write_text, writing


def summarize(
    policy: Policy,
    documents: Split,
    out: Path,
    decoding: Decoding,
    data: Data,
    *,
    rules: Sequence[str] = (),
    profile: TargetProfile | None = None,
    progress: bool = True,
) -> int:
    """Write one record a document to `out`, in the order of the input.

    Records gather in `OUT.partial` batch by batch; once all are there, `out` appears whole. Ids that stand in either
    file are not decoded again.

    Args:
        policy: The model.
        documents: What to summarize; targets are not looked at.
        out: JSONL file: `id`, `summary`, `ended`, `model` and `settings` (short hashes of the weights and of how they
            were used), and `changed` (the rules that changed it) with post-processing.
        decoding: How to write.
        data: Prefix and token limits.
        rules: Post-processing rules, in order.
        profile: What the rules hold a summary against; needed with rules.
        progress: Show a bar on stderr.

    Returns:
        How many documents were decoded now.

    Raises:
        InputError: If `out` was written by another model or with other settings.
        RunError: If `out` cannot be written.
    """
    used = [decoding.model_dump(exclude={"batch_size"}), data.prefix, data.max_document_tokens, list(rules)]
    made_by = {"model": weights_hash(policy)[:12], "settings": _hash(used)}
    partial = out.with_name(out.name + ".partial")
    done = {row["id"]: row for file in (out, partial) if file.exists() for row in _rows(file)}
    _check(done.values(), made_by, out)
    with writing(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
    if partial.exists():
        _write(partial, list(_rows(partial)))
    ids = [documents[i].id for i in range(len(documents))]
    waiting = [i for i, example_id in enumerate(ids) if example_id not in done]
    if waiting:
        tokens = tokenize_split(
            documents,
            policy.tokenizer,
            eos_id=policy.eos_id,
            prefix=data.prefix,
            max_document_tokens=data.max_document_tokens,
            max_summary_tokens=data.max_summary_tokens,
            progress=progress,
        )
        by = writer(policy, decoding)
        order = np.array(waiting)[np.argsort(tokens.document_lengths[waiting], kind="stable")]
        with writing(partial), partial.open("a", encoding="utf-8") as file, _bar(progress) as bar:
            task = bar.add_task("summarizing", total=len(waiting), rate="")
            for start in range(0, len(order), decoding.batch_size):
                batch = tokens.batch(order[start : start + decoding.batch_size], policy.pad_id)
                for example, summary in zip(batch.examples, decode_batch(by, batch, decoding), strict=True):
                    row: dict[str, Any] = {"id": example.id}
                    if rules:
                        summary, changed = post_process(example.document, summary, rules, profile)
                        row["changed"] = list(changed)
                    row |= {"summary": summary.text, "ended": summary.ended, **made_by}
                    done[example.id] = row
                    file.write(_line(row))
                file.flush()
                bar.update(task, advance=len(batch.examples), rate=f"{bar.tasks[0].speed or 0:.1f}/s")
    if waiting or not out.exists():
        _write(out, [done[example_id] for example_id in ids])
        partial.unlink(missing_ok=True)
    return len(waiting)


def _line(row: dict) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _write(file: Path, rows: Sequence[dict]) -> None:
    write_text(file, "".join(map(_line, rows)))


def _hash(settings: list) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def _rows(file: Path) -> Iterator[dict]:
    """Whole lines; one that a kill cut short is left out and computed again."""
    lines = file.read_text(encoding="utf-8", errors="replace").removesuffix("\n").split("\n")
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            if number == len(lines):
                return
            row = None
        if not isinstance(row, dict) or "id" not in row:
            raise InputError(f"{file} line {number}: was not written by `summarize`. Choose another `--out`")
        yield row


def _check(done: Iterable[dict], made_by: dict[str, str], out: Path) -> None:
    for row in done:
        if row.get("model") != made_by["model"]:
            other = f"{row.get('model')}, not of {made_by['model']}"
            raise InputError(f"`{out}` holds summaries of model {other}. Choose another `--out`")
        if row.get("settings") != made_by["settings"]:
            raise InputError(
                f"`{out}` holds summaries of the same model with other settings (decoding, token limits, "
                "post-processing). Repeat those, or choose another `--out`"
            )


def _bar(shown: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not shown,
    )
