"""How much of what the likelihood stage computes is padding, on real documents and targets.

    LASTMILE_DATA=data LASTMILE_MODELS=models python bench/padding.py

An epoch of DialogSum as training reads it: documents of like length in a step, padded to a multiple of 32; targets cut
into short and long rows (`length_groups`), each padded to its longest.
"""

from __future__ import annotations

import os
from pathlib import Path

from lastmile.config import Data
from lastmile.corpus.sources import load_corpus
from lastmile.corpus.tokens import TokenizedSplit, bucketed_batches, tokenize_split
from lastmile.policy.load import load_policy
from lastmile.policy.score import length_groups

SEED = 1


def positions(split: TokenizedSplit, documents_per_step: int, pad_id: int) -> dict[str, tuple[int, int]]:
    """Tokens and computed positions of one epoch, in the encoder and in the decoder."""
    read = computed = written = decoded = 0
    steps = bucketed_batches(split.document_lengths, documents_per_step, seed=SEED, epoch=0, drop_last=True)
    for documents in steps:
        batch = split.batch(documents, pad_id)
        read += int(batch.document_mask.sum())
        computed += batch.document_mask.numel()
        lengths = batch.target_mask.sum(-1)
        written += int(lengths.sum())
        decoded += sum(len(group) * int(lengths[group].max()) for group in length_groups(lengths))
    return {"encoder": (read, computed), "decoder": (written, decoded), "both": (read + written, computed + decoded)}


def main() -> None:
    """Print the shares for 8 and 16 documents a step."""
    policy = load_policy(str(Path(os.environ["LASTMILE_MODELS"], "dialogsum-bart-mini")))
    corpus = load_corpus(Data(name=str(Path(os.environ["LASTMILE_DATA"], "dialogsum"))))
    split = tokenize_split(
        corpus.train, policy.tokenizer, eos_id=policy.eos_id, max_document_tokens=320, max_summary_tokens=80
    )
    for documents_per_step in (8, 16):
        found = positions(split, documents_per_step, policy.pad_id)
        shares = ", ".join(f"{1 - tokens / all_:.1%} in {side}" for side, (tokens, all_) in found.items())
        print(f"{documents_per_step} documents a step: padding is {shares}")


if __name__ == "__main__":
    main()
