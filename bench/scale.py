"""Does a large corpus cost more a document than a small one? N/100, N/10 and N documents, each in a new process.

Each reads a JSONL file (as `--data FILE` does: checked, split, prepared on disk), tokenizes it and looks for flags in
every summary, after a few other documents that load the libraries. Told are seconds a document, the most resident
memory, and the most of it that is not the pages of mapped files, which the system takes back when it needs them.
Growth is that of processor time: other work on the machine holds up a large corpus, which takes minutes, more than a
small one. Documents and summaries come from the demo's generator; no two documents are the same.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.places import CHECKOUT
from bench.results import Result, command
from bench.turns import Setup, machine, peak_bytes, spread
from lastmile.errors import RunError

SMALLEST = 20
WARM_UP = 20


def run(setup: Setup, peer: bool = True) -> list[Result]:
    """One line a size; `growth` is processor time a document over that of the smallest size in the same round."""
    sizes = sorted({max(SMALLEST, setup.documents // part) for part in (100, 10, 1)})
    found: dict[int, list[dict[str, float]]] = {size: [] for size in sizes}
    for _ in range(setup.rounds):
        for size in sizes:
            found[size].append(_measure(size, setup))
    first = [one["processor"] / sizes[0] for one in found[sizes[0]]]
    return [
        {
            "name": f"scale, {size:,} documents",
            "ours": {
                "seconds": spread([one["seconds"] for one in found[size]]),
                "documents_per_second": size / spread([one["seconds"] for one in found[size]])["median"],
            },
            "peer": None,
            "ratio": None,
            "floor": None,
            "fraction": None,
            "documents": size,
            "processor_seconds": spread([one["processor"] for one in found[size]]),
            "growth": spread([one["processor"] / size / start for one, start in zip(found[size], first, strict=True)]),
            "peak_bytes": max(one["peak_bytes"] for one in found[size]),
            "own_bytes": max(one["own_bytes"] for one in found[size]),
            "facts": {
                "seconds of the processor": spread([one["processor"] for one in found[size]])["median"],
                "of it reading, tokenizing, flagging": ", ".join(
                    f"{found[size][-1][part]:.3g}" for part in ("reading", "tokenizing", "flagging")
                ),
                "most resident memory, MiB": round(max(one["peak_bytes"] for one in found[size]) / 2**20),
                "of it not of mapped files, MiB": round(max(one["own_bytes"] for one in found[size]) / 2**20),
            },
            "settings": asdict(setup),
            "machine": machine("cpu"),
            "command": command(),
        }
        for size in sizes
    ]


def _measure(size: int, setup: Setup) -> dict[str, float]:
    with TemporaryDirectory(prefix="lastmile-bench-") as folder:
        write_corpus(Path(folder) / "warm-up.jsonl", WARM_UP, seed=1)
        write_corpus(Path(folder) / "corpus.jsonl", size)
        done = subprocess.run(
            [sys.executable, "-m", "bench.scale", folder, str(setup.document_tokens), str(setup.summary_tokens)],
            cwd=CHECKOUT,
            env=os.environ | {"LASTMILE_CACHE": str(Path(folder) / "cache")},
            stdout=subprocess.PIPE,
            text=True,
        )
    if done.returncode:
        raise RunError("the process that was measured failed; its last words stand above")
    return json.loads(done.stdout.splitlines()[-1])


def write_corpus(path: Path, size: int, seed: int = 0) -> None:
    """Demo wires, each with its first target."""
    from lastmile.corpus.demo import demo_corpus

    with path.open("w", encoding="utf-8") as file:
        for story in demo_corpus((size, 0, 0), seed).train:
            file.write(json.dumps({"id": story.id, "document": story.document, "summary": story.target}) + "\n")


def own_bytes() -> int:
    """Resident bytes of this process now that are not the pages of files; 0 where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon")), 0)


def main(folder: str, document_tokens: str, summary_tokens: str) -> None:
    """What is measured, in this process; libraries are loaded before the clock starts."""
    from lastmile.corpus.demo import demo_corpus
    from lastmile.policy.build import train_tokenizer

    some = demo_corpus((200, 0, 0)).train
    tokenizer = train_tokenizer((example.document for example in some), 2048, int(document_tokens))
    walk(Path(folder) / "warm-up.jsonl", tokenizer, int(document_tokens), int(summary_tokens))
    print(json.dumps(walk(Path(folder) / "corpus.jsonl", tokenizer, int(document_tokens), int(summary_tokens))))


def walk(path: Path, tokenizer, document_tokens: int, summary_tokens: int) -> dict[str, float]:
    """Read, tokenize and flag a file; seconds by the clock, of the processor for each part, and bytes."""
    from lastmile.config import Data
    from lastmile.corpus.sources import load_corpus
    from lastmile.corpus.tokens import tokenize_split
    from lastmile.judge.flags import find_flags
    from lastmile.judge.profile import profile_targets
    from lastmile.records import Summary

    start, times, own = time.perf_counter(), [time.process_time()], [own_bytes()]

    def mark() -> None:
        times.append(time.process_time())
        own.append(own_bytes())

    corpus = load_corpus(Data(name=str(path)))
    mark()
    splits = [corpus.train, corpus.validation, corpus.test]
    for split in splits:
        tokenize_split(
            split,
            tokenizer,
            eos_id=tokenizer.eos_token_id,
            max_document_tokens=document_tokens,
            max_summary_tokens=summary_tokens,
            progress=False,
        )
        own.append(own_bytes())
    mark()
    profile = profile_targets(corpus.train, cased=True, limit=200)
    for split in splits:
        for number, example in enumerate(split):
            find_flags(example.document, Summary(example.target), profile)
            if number % 1000 == 0:
                own.append(own_bytes())
    mark()
    reading, tokenizing, flagging = (after - before for before, after in pairwise(times))
    return {
        "seconds": time.perf_counter() - start,
        "processor": times[-1] - times[0],
        "reading": reading,
        "tokenizing": tokenizing,
        "flagging": flagging,
        "peak_bytes": peak_bytes("cpu"),
        "own_bytes": max(own),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
