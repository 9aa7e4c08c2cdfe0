"""`python -m bench NAME`: ours and a peer in turns, in one run, on any machine."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from bench.places import add_accelerate
from lastmile.errors import LastmileError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Time lastmile against its peers, in turns, on models of random weights. See docs/performance.md.",
)

# One module a benchmark: what it does, and what it takes where nothing is said.
BENCHMARKS = {
    "rollout": ("Sampling: ours against `generate`.", {"documents": 8}),
    "update": ("The training pass: folded cross-attention against encoder states copied K times.", {"documents": 4}),
    "step": ("A whole step (sample, reference, update): ours against TRL's PPO.", {"documents": 4}),
    "reward": ("ROUGE against `rouge_score`, and flags.", {"documents": 100}),
    "judge": ("What a step waits for the judge: worker processes against none.", {"documents": 256}),
    "likelihood": ("The likelihood stage against `Seq2SeqTrainer`.", {"documents": 128, "samples": 1}),
    "summarize": ("Greedy and beam-4 decoding against `generate`.", {"documents": 16, "samples": 1}),
    "startup": ("From the command to its first optimizer step, and `--help`.", {"rounds": 3}),
    "scale": ("Reading, tokenizing, flagging of N/100, N/10 and N documents.", {"documents": 100_000, "rounds": 1}),
    "phases": ("Where a step of ours spends its time: each phase by kinds of operations.", {"documents": 4}),
    "memory": ("The most memory of a step: ours against TRL's, each in a process of its own.", {"documents": 4}),
}


def _command(name: str, about: str, preset: dict[str, int]) -> None:
    def run(
        shape: Annotated[str, typer.Option(help="tiny, t5-small, bart-base, flan-t5-base or pegasus")] = "t5-small",
        documents: Annotated[int, typer.Option(min=1, help="B, documents in a turn")] = preset.get("documents", 1),
        samples: Annotated[int, typer.Option(min=1, help="K, summaries a document")] = preset.get("samples", 8),
        document_tokens: Annotated[int, typer.Option(min=2, help="S, tokens of a document")] = 384,
        summary_tokens: Annotated[int, typer.Option(min=2, help="T, most tokens of a summary")] = 64,
        dtype: Annotated[str, typer.Option(help="float32, or bfloat16 for autocast")] = "float32",
        rounds: Annotated[int, typer.Option(min=1, help="Turns of each side, after one to warm up")] = preset.get(
            "rounds", 5
        ),
        threads: Annotated[int, typer.Option(min=0, help="Of every side; 0: as torch finds it")] = 0,
        device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
        seed: Annotated[int, typer.Option(help="Of weights, lengths and tokens")] = 0,
        peer: Annotated[bool, typer.Option(help="--no-peer times ours alone")] = True,
        out: Annotated[Path | None, typer.Option(help="JSON file to write")] = None,
    ) -> None:
        for option, given, known in (
            ("--shape", shape, ("tiny", "t5-small", "bart-base", "flan-t5-base", "pegasus")),
            ("--dtype", dtype, ("float32", "bfloat16")),
            ("--device", device, ("cpu", "cuda")),
        ):
            if given not in known:
                raise typer.BadParameter(f"must be one of {', '.join(known)}, got `{given}`", param_hint=option)
        if name == "likelihood" and peer and not add_accelerate():
            typer.echo(
                "Seq2SeqTrainer needs `accelerate`. Get it with `bash bench/peers.sh`, or say `--no-peer`", err=True
            )
            raise typer.Exit(2)
        import torch

        from bench.results import show, write
        from bench.turns import Setup

        if threads:
            torch.set_num_threads(threads)
        threads = threads or torch.get_num_threads()
        if device == "cuda" and not torch.cuda.is_available():
            raise typer.BadParameter("there is no GPU here. Use `--device cpu`", param_hint="--device")
        setup = Setup(shape, documents, samples, document_tokens, summary_tokens, dtype, rounds, threads, device, seed)
        try:
            found = import_module(f"bench.{name}").run(setup, peer)
        except LastmileError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(error.exit_code) from None
        for each in found:
            typer.echo(show(each))
        write(found, out)

    app.command(name, help=about)(run)


for _name, (_about, _preset) in BENCHMARKS.items():
    _command(_name, _about, _preset)


@app.command("table")
def table(folder: Annotated[Path, typer.Argument(help="Folder of JSON files that `--out` wrote")]) -> None:
    """Print the figures of a folder as a Markdown table, each beside its target and its command."""
    from bench.table import markdown

    typer.echo(markdown(folder))


if __name__ == "__main__":
    app(prog_name="python -m bench")
