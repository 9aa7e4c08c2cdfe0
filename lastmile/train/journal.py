"""What a run tells while it goes on: metrics.jsonl, samples.jsonl, TensorBoard, and a line that people watch."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from lastmile.records import Example, Summary
from lastmile.train.run import write_text, writing

SHOWN = {"return": "return", "reward/rouge": "rouge", "kl": "KL", "words": "words", "loss": "loss"}
SAMPLES_SHOWN = 20


class Journal:
    """Writes the numbers of a run; silent on devices other than the first.

    Args:
        path: The run folder.
        active: False on devices that must not write.
        resume_at: Stage name to the step that a resumed run stands at. Lines of later steps, and of stages not named,
            are dropped, since they come again.
    """

    def __init__(self, path: Path, active: bool = True, resume_at: Mapping[str, int] | None = None) -> None:
        self.path, self.active = Path(path), active
        self.last_step: dict[str, int] = dict(resume_at or {})
        self.console = Console(stderr=True)
        if active:
            self._drop_lines_after(resume_at or {})
            self.board = SummaryWriter(str(self.path / "tensorboard"))

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[None]:
        """Show a stage's bar while the block runs."""
        self.clock = time.perf_counter()
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[news]}"),
            console=self.console,
            disable=not (self.active and sys.stderr.isatty()),
        )
        done = self.last_step.get(name, 0)
        self.task = self.progress.add_task(name.replace("_", " "), total=total, completed=done, news="")
        with self.progress:
            yield
        if self.active:
            self.board.close()

    def say(self, text: str) -> None:
        """One line on stderr."""
        if self.active:
            self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def step(self, stage, step: int, values: dict[str, float]) -> None:
        """Numbers of one optimizer step."""
        now = time.perf_counter()
        values["documents_per_second"] = stage.documents_per_step / (now - self.clock)
        self.clock = now
        self.last_step[stage.name] = step
        if not self.active:
            return
        self._write(stage.name, step, "train", values)
        news = [f"{values['documents_per_second']:.1f} docs/s"]
        news += [f"{label} {values[name]:.3f}" for name, label in SHOWN.items() if name in values]
        news += [f"{name[5:]} {value:.0%}" for name, value in values.items() if name.startswith("flag/") and value > 0]
        self.progress.update(self.task, completed=step, news="  ".join(news))

    def validation(
        self,
        stage,
        step: int,
        values: dict[str, float],
        examples: Sequence[Example],
        summaries: Sequence[Summary],
    ) -> None:
        """Held-out numbers and what the summaries behind them look like."""
        self.clock = time.perf_counter()
        if not self.active:
            return
        self._write(stage.name, step, "validation", values)
        shown = list(zip(examples, summaries, strict=True))[:SAMPLES_SHOWN]
        rows = [
            {"stage": stage.name, "step": step, "id": e.id, "summary": s.text, "ended": s.ended, "target": e.target}
            for e, s in shown
        ]
        self._append("samples.jsonl", [json.dumps(row, ensure_ascii=False) for row in rows])
        cells = ["| id | summary | target |", "|---|---|---|"]
        cells += [f"| {_cell(row['id'])} | {_cell(row['summary'])} | {_cell(row['target'])} |" for row in rows]
        totals = np.concatenate([np.zeros(0), *(scores for _, _, scores in getattr(stage, "newest", ()))])
        with writing(self.path / "tensorboard"):
            self.board.add_text(f"{stage.name}/samples", "\n".join(cells), step)
            self.board.add_histogram(f"{stage.name}/words", np.array([len(s.text.split()) for s in summaries]), step)
            if not np.isnan(totals).all():
                self.board.add_histogram(f"{stage.name}/sampled_total", totals[~np.isnan(totals)], step)
            self.board.flush()
        self.say(
            f"{stage.name.replace('_', ' ')} step {step}: ROUGE-1/2/L {values['rouge1']:.2f}/{values['rouge2']:.2f}/"
            f"{values['rougeL']:.2f}, flagged {_share(values['flag_rate'])} of summaries and "
            f"{_share(values['flagged_words'])} of words, length {values['length_ratio']:.2f} of the targets', "
            f"held-out measure {values['held_out']:.2f}"
        )

    def _write(self, stage: str, step: int, split: str, values: Mapping[str, float]) -> None:
        row = {"stage": stage, "step": step, "split": split, **{name: _plain(value) for name, value in values.items()}}
        self._append("metrics.jsonl", [json.dumps(row)])
        with writing(self.path / "tensorboard"):
            for name, value in values.items():
                self.board.add_scalar(f"{stage}/{split}/{name}", value, step)

    def _append(self, name: str, lines: Sequence[str]) -> None:
        with writing(self.path / name), (self.path / name).open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)

    def _drop_lines_after(self, resume_at: Mapping[str, int]) -> None:
        """Leave only lines of steps that are not computed again; a last line cut by a kill goes too."""
        for file in (self.path / "metrics.jsonl", self.path / "samples.jsonl"):
            if not file.exists():
                continue
            kept = []
            for line in file.read_text(encoding="utf-8", errors="replace").split("\n"):
                try:
                    row = json.loads(line)
                except json.JSONDecodeError:
                    continue
                if row["step"] <= resume_at.get(row["stage"], -1):
                    kept.append(line + "\n")
            write_text(file, "".join(kept))


def _plain(value: float) -> float | None:
    """JSON knows no NaN."""
    value = float(value)
    return value if value == value and abs(value) != float("inf") else None


def _share(value: float) -> str:
    """A percentage; where there was nothing to divide by, a dash."""
    return f"{value:.1%}" if value == value else "–"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
