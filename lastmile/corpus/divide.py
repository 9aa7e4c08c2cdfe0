"""How rows become train, validation and test where a source does not say, and what the three may not share."""

from __future__ import annotations

import sys
from typing import Literal

import numpy as np

from lastmile.corpus.splits import ArrowSplit, document_hash
from lastmile.errors import InputError

SPLITS = ("train", "validation", "test")
CARVED_SHARE = 0.05


def carve(parts: dict[str, ArrowSplit], seed: int, name: str) -> dict[str, ArrowSplit]:
    """Take 5 % of the documents of train for validation and for test, where these are not there.

    The documents are put in the order of a hash keyed with `seed`: the lowest 5 % become test, the next 5 %
    validation. Where a row stands plays no part, and rows with the same document stay together.

    Raises:
        InputError: If train has too few different documents to take any from.
    """
    absent = [split for split in ("test", "validation") if split not in parts]
    if not absent:
        return parts
    train = parts["train"]
    documents = np.unique(train.document_hashes)
    count = max(1, round(CARVED_SHARE * len(documents)))
    if len(documents) <= count * len(absent):
        raise InputError(
            f"{name}: {len(documents)} different documents are too few to take {' and '.join(absent)} from; at least "
            f"{len(absent) + 1} are needed"
        )
    key = b"%d" % seed
    keyed = np.array([document_hash(str(document), key=key) for document in documents], dtype=np.uint64)
    rest = documents[keyed.argsort()]
    carved = dict(parts)
    for split in absent:
        taken, rest = rest[:count], rest[count:]
        carved[split] = train.select(np.flatnonzero(np.isin(train.document_hashes, taken)))
    carved["train"] = train.select(np.flatnonzero(np.isin(train.document_hashes, rest)))
    sizes = ", ".join(f"{len(carved[split]):,} {split}" for split in SPLITS)
    say(f"{name}: has no {' or '.join(reversed(absent))} split; taken from train by document, seed {seed}: {sizes}")
    return carved


def settle_shared(
    parts: dict[str, ArrowSplit], name: str, policy: Literal["refuse", "drop", "keep"]
) -> dict[str, ArrowSplit]:
    """Deal with documents that stand in two splits, so that no number is reported on a document learnt from.

    Args:
        parts: The three splits.
        name: For messages.
        policy: `refuse` raises when train shares documents with test and only tells of the other pairs; `drop` leaves
            them out, from train first and from validation next, and says how many; `keep` only tells.

    Raises:
        InputError: With the number of shared documents and where the first of them stand.
    """
    settled = dict(parts)
    for early, late in (("train", "test"), ("train", "validation"), ("validation", "test")):
        shared = shared_documents(settled[early], settled[late])
        if not shared:
            continue
        pairs = ", ".join(f"{one} = {other}" for one, other in shared[:3]) + (", …" if len(shared) > 3 else "")
        found = f"{name}: {early} and {late} share {len(shared):,} document{'s' if len(shared) > 1 else ''}"
        if policy == "drop":
            kept = ~np.isin(settled[early].document_hashes, settled[late].document_hashes)
            say(f"{found}; rows left out of {early}: {np.count_nonzero(~kept):,}")
            settled[early] = settled[early].select(np.flatnonzero(kept))
        elif policy == "refuse" and (early, late) == ("train", "test"):
            raise InputError(
                f"{found} ({pairs}). Take them out of {early} (`lastmile data check` lists them), or set "
                "`data.shared_documents=drop` to have that done on loading (`keep` reports on them all the same)"
            )
        else:
            say(f"{found} ({pairs}); `lastmile data check` lists them")
    return settled


def shared_documents(one: ArrowSplit, other: ArrowSplit) -> list[tuple[str, str]]:
    """Places of the documents that stand in both splits, each with its first place in either."""
    _, first, second = np.intersect1d(one.document_hashes, other.document_hashes, return_indices=True)
    order = np.argsort(first)
    return [(one.where(int(first[place])), other.where(int(second[place]))) for place in order]


def draw(part: ArrowSplit, limit: int, seed: int) -> ArrowSplit:
    """At most `limit` examples drawn with `seed`, in their order; a smaller limit draws a part of a larger one's."""
    drawn = np.random.default_rng(seed).permutation(len(part))[:limit]
    return part.select(np.sort(drawn))


def say(text: str) -> None:
    """Tell the person at the terminal, on stderr."""
    print(text, file=sys.stderr)
