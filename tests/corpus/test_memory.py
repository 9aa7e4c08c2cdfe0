"""Nothing of a large corpus is kept in memory but what the operating system maps and can take back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

LOAD = """
import resource, sys
import pyarrow, torch
from rich.progress import Progress
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from lastmile.config import Data
from lastmile.corpus.sources import load_corpus
from lastmile.corpus.tokens import bucketed_batches, tokenize_split

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

backend = Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1}, unk_token="<unk>"))
backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", eos_token="</s>")
start = peak()
corpus = load_corpus(Data(name=sys.argv[1]))
settings = {"eos_id": 1, "max_document_tokens": 512, "max_summary_tokens": 64, "progress": False}
tokens = tokenize_split(corpus.train, tokenizer, **settings)
for indices in bucketed_batches(tokens.document_lengths, 32, seed=1, epoch=0):
    tokens.batch(indices, 0)
print(len(corpus.train), peak() - start)
"""


def test_twenty_thousand_pairs_stay_on_disk(tmp_path, monkeypatch):
    draw = np.random.default_rng(0)
    words = [bytes(draw.integers(97, 123, 400, dtype=np.uint8)).decode() for _ in range(1000)]
    with (tmp_path / "big.jsonl").open("w") as file:
        for chosen in draw.integers(0, 1000, (20_000, 16)):
            text = [words[place] for place in chosen]
            file.write(json.dumps({"document": " ".join(text[:15]), "summary": text[15]}) + "\n")
    monkeypatch.setenv("LASTMILE_CACHE", str(tmp_path / "cache"))
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path / "big.jsonl")], capture_output=True, text=True, check=True
    )
    count, grown = done.stdout.split()
    on_disk = sum(file.stat().st_size for file in Path(tmp_path / "cache").rglob("*.arrow")) / 2**20
    # The pages of the mapped files count as resident. The text as Python strings would be another 120 MiB.
    assert int(count) == 18_000 and on_disk > 120
    assert float(grown) < on_disk + 110
