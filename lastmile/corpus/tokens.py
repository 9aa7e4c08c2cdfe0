"""Examples as token ids: tokenized once, kept in a memory-mapped file, handed out in batches of like length."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from lastmile.corpus.progress import watch
from lastmile.corpus.splits import cache_folder as corpus_cache
from lastmile.corpus.splits import map_arrow, split_fingerprint, write_arrow
from lastmile.records import Example, Split, TokenBatch

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SCHEMA = pa.schema({"document_ids": pa.list_(pa.int32()), "target_ids": pa.list_(pa.int32())})
ROWS_PER_BATCH = 256
BATCHES_PER_POOL = 50
# Raised when the same input gives other tokens, so that older caches are not used.
TOKENIZATION = 1


class TokenizedSplit:
    """A split with its token ids, which stay on disk until a batch asks for them.

    Attributes:
        document_lengths: `(N,)` int32, tokens of each document as the model will read it (cut, specials included).
        summary_lengths: `(N,)` int32, tokens of each first target with its end marker; 0 without a target.
    """

    def __init__(self, split: Split, path: Path, max_document_tokens: int, max_summary_tokens: int):
        self.split = split
        self._path, self._limits = Path(path), (max_document_tokens, max_summary_tokens)
        table = map_arrow(self._path)
        self._documents, self._targets = _Ragged(table.column("document_ids")), _Ragged(table.column("target_ids"))
        self.document_lengths, self.summary_lengths = self._documents.lengths, self._targets.lengths

    def __reduce__(self):
        return TokenizedSplit, (self.split, self._path, *self._limits)

    def __len__(self) -> int:
        return len(self.split)

    def example(self, index: int) -> Example:
        """The example that the tokens were made of."""
        return self.split[int(index)]

    def batch(self, indices: Sequence[int] | np.ndarray, pad_id: int, multiple: int = 32) -> TokenBatch:
        """Put examples into one padded batch.

        Args:
            indices: B positions in the split.
            pad_id: Fills the rows up; only the masks say what is padding.
            multiple: Widths are rounded up to a multiple of it (few shapes are quicker than many), but never above the
                limits that the split was tokenized with, which the model may not be able to exceed.
        """
        import torch

        def padded(ragged: _Ragged, limit: int) -> tuple[torch.Tensor, torch.Tensor]:
            rows = [ragged[int(index)] for index in indices]
            lengths = np.array([len(row) for row in rows], dtype=np.int64)
            width = min(-(-int(lengths.max(initial=0)) // multiple) * multiple, limit)
            ids = np.full((len(rows), width), pad_id, dtype=np.int64)
            for place, row in zip(ids, rows, strict=True):
                place[: len(row)] = row
            return torch.from_numpy(ids), torch.from_numpy(np.arange(width) < lengths[:, None])

        examples = tuple(self.example(index) for index in indices)
        return TokenBatch(examples, *padded(self._documents, self._limits[0]), *padded(self._targets, self._limits[1]))


def tokenize_split(
    split: Split,
    tokenizer: PreTrainedTokenizerBase,
    *,
    eos_id: int,
    prefix: str = "",
    max_document_tokens: int,
    max_summary_tokens: int,
    cache_folder: Path | None = None,
    progress: bool = True,
) -> TokenizedSplit:
    """Tokenize the documents and first targets of a split, or find the tokens that an earlier call left on disk.

    Documents get the tokenizer's own special tokens and are cut so that a closing one stays. Targets get none but
    `eos_id` at their end; a target of more than `max_summary_tokens - 1` tokens is cut before it. Text that looks like
    a special token (`</s>` in a web page) is tokenized as the characters it is.

    The cache is keyed by the split's fingerprint, the tokenizer's contents and the settings below; it is written aside
    and renamed, so that a killed run leaves no half of it.

    Args:
        split: What to tokenize; read once, in order, in bounded memory.
        tokenizer: The policy's.
        eos_id: The model's end marker, which BERT-style tokenizers do not know as theirs.
        prefix: Put before every document.
        max_document_tokens: Most tokens of a document, special tokens included.
        max_summary_tokens: Most tokens of a target, the end marker included.
        cache_folder: Where the tokens are kept; by default beside the prepared corpora.
        progress: Show a bar with rate and time left on stderr while tokenizing.

    Raises:
        RunError: If the cache cannot be written.
    """
    settings = (TOKENIZATION, eos_id, prefix, max_document_tokens, max_summary_tokens)
    parts = (split_fingerprint(split), tokenizer_hash(tokenizer), repr(settings))
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
    path = (cache_folder or corpus_cache() / "tokens") / f"{key}.arrow"
    if not path.exists():
        examples = watch(split, "tokenizing", len(split)) if progress else split
        batches = _token_batches(examples, tokenizer, eos_id, prefix, max_document_tokens, max_summary_tokens)
        write_arrow(path, SCHEMA, batches)
    return TokenizedSplit(split, path, max_document_tokens, max_summary_tokens)


def tokenizer_hash(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 (hex) of what decides a tokenizer's output: the same in every process, other after any change.

    Truncation and padding are left out: a fast tokenizer keeps those of its last call.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        contents = json.loads(backend.to_str())
        contents.pop("truncation", None)
        contents.pop("padding", None)
    else:
        contents = {"class": type(tokenizer).__name__, "vocabulary": tokenizer.get_vocab()}
    contents["special"] = {name: str(token) for name, token in tokenizer.special_tokens_map.items()}
    contents["side"] = tokenizer.truncation_side
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()


def bucketed_batches(
    lengths: np.ndarray, batch_size: int, *, seed: int, epoch: int, drop_last: bool = False
) -> list[np.ndarray]:
    """Deal indices into shuffled batches of like length, so that little is padded.

    The shuffled indices are cut into pools of 50 batches, each pool is sorted by length and cut into batches, and the
    batches are shuffled. Every index comes exactly once.

    Args:
        lengths: `(N,)` what to bucket by, e.g. `document_lengths`.
        batch_size: Indices in a batch; the last one dealt may be smaller.
        seed: With `epoch`, the whole of the randomness.
        epoch: Gives another order each epoch.
        drop_last: Leave out N mod `batch_size` indices, drawn at random, instead of a smaller batch.
    """
    random = np.random.default_rng([seed, epoch])
    shuffled = random.permutation(len(lengths))
    if drop_last:
        shuffled = shuffled[: len(shuffled) // batch_size * batch_size]
    batches = []
    for start in range(0, len(shuffled), batch_size * BATCHES_PER_POOL):
        pool = shuffled[start : start + batch_size * BATCHES_PER_POOL]
        pool = pool[np.argsort(np.asarray(lengths)[pool], kind="stable")]
        batches += [pool[place : place + batch_size] for place in range(0, len(pool), batch_size)]
    return [batches[place] for place in random.permutation(len(batches))]


class _Ragged:
    """Rows of unequal length in a chunked Arrow list column, as views of the mapped file."""

    def __init__(self, column: pa.ChunkedArray):
        self._chunks = [(chunk.offsets.to_numpy(), chunk.values.to_numpy()) for chunk in column.chunks]
        self._starts = np.cumsum([0, *(len(chunk) for chunk in column.chunks)])
        lengths = [np.diff(offsets) for offsets, _ in self._chunks]
        self.lengths = np.concatenate(lengths or [np.zeros(0)]).astype(np.int32)

    def __getitem__(self, index: int) -> np.ndarray:
        chunk = int(np.searchsorted(self._starts, index, side="right")) - 1
        offsets, values = self._chunks[chunk]
        row = index - self._starts[chunk]
        return values[offsets[row] : offsets[row + 1]]


def _token_batches(
    examples: Iterable[Example],
    tokenizer: PreTrainedTokenizerBase,
    eos_id: int,
    prefix: str,
    document_limit: int,
    summary_limit: int,
) -> Iterator[dict[str, list]]:
    rows = iter(examples)
    while batch := list(islice(rows, ROWS_PER_BATCH)):
        documents = tokenizer(
            [prefix + example.document for example in batch],
            truncation=True,
            max_length=document_limit,
            split_special_tokens=True,
        )["input_ids"]
        targets = tokenizer(
            text_target=[example.targets[0] if example.targets else "" for example in batch],
            add_special_tokens=False,
            truncation=True,
            max_length=summary_limit - 1,
            split_special_tokens=True,
        )["input_ids"]
        ended = [[*ids, eos_id] if example.targets else [] for example, ids in zip(batch, targets, strict=True)]
        yield {"document_ids": documents, "target_ids": ended}
