"""Data sets of the Hugging Face hub, through `datasets`: from the network once, from its cache afterwards."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lastmile.config import Data
from lastmile.corpus.files import Problem, Row
from lastmile.corpus.folders import ALIASES
from lastmile.corpus.intake import Read, Source, read_examples, source_key
from lastmile.corpus.named import Named
from lastmile.errors import InputError, RunError

if TYPE_CHECKING:
    from datasets import Dataset

PARQUET_BRANCH = "refs/convert/parquet"
ROWS_PER_BATCH = 256


def hub_sources(name: str, named: Named, data: Data) -> dict[str, Source]:
    """The splits of a hub data set; what `data` sets goes before what the name implies.

    Raises:
        InputError: If the data set cannot be loaded or has none of the three splits.
    """
    tables = load_hub(named.repository, data.config or named.config, data.revision)
    columns = {
        "document": data.document_column or named.document,
        "summary": data.summary_column or named.summary,
    }

    def source(split: str, table: Dataset) -> Source:
        def key() -> str:
            # `datasets` names its files after the repository, the configuration and the commit.
            files = [Path(file["filename"]) for file in table.cache_files]
            treatment = named.clean.__name__ if named.clean else None, named.merge
            return source_key(split, columns, treatment, [(str(file), file.stat().st_size) for file in files])

        def read() -> Read:
            examples = read_examples(_rows(table, split), f"{name} {split}", clean=named.clean, **columns)
            return _merged(examples) if named.merge else examples

        return Source(f"{name} {split}", key, read, lenient=True)

    sources = {}
    for split, aliases in ALIASES.items():
        if found := [alias for alias in aliases if alias in tables]:
            sources[split] = source(split, tables[found[0]])
    if not sources:
        raise InputError(f"{name}: no train, validation or test split. Found only: {', '.join(tables)}")
    return sources


def load_hub(repository: str, config: str | None, revision: str | None) -> dict[str, Dataset]:
    """Load all splits of a hub data set as memory-mapped tables.

    Some well-known data sets are kept as Python scripts, which `datasets` no longer runs; of these the hub's own
    conversion to Parquet is taken, unless a revision is asked for.

    Args:
        repository: Hub id, `owner/name`.
        config: One of its configurations; None for its default.
        revision: Branch, tag or commit.

    Raises:
        InputError: If there is no such data set, configuration or revision, or no network and nothing in the cache.
    """
    import datasets
    from huggingface_hub import is_offline_mode
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        try:
            return dict(datasets.load_dataset(repository, config, revision=revision))
        except (RuntimeError, ValueError, ConnectionError) as error:
            is_script = "scripts are no longer supported" in str(error)
            if revision is not None or not (is_script or _is_unreachable(error)):
                raise
            try:
                return _converted(repository, config or "default", cached_only=not is_script)
            except LocalEntryNotFoundError:
                raise error from None
    except datasets.exceptions.DatasetNotFoundError as error:
        raise InputError(
            f"`{repository}`: {_sentence(error)} A private or gated data set needs `hf auth login` first"
        ) from error
    except (ValueError, OSError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        if _is_unreachable(error):
            wanted = f"`{repository}`{f' ({config})' if config else ''}"
            reason = "HF_HUB_OFFLINE is set" if is_offline_mode() else "the hub cannot be reached"
            raise InputError(
                f"{wanted} is not in the cache and {reason}. Load it once with a network, or copy the cache (HF_HOME, "
                "by default ~/.cache/huggingface) from a machine that has it and set HF_HUB_OFFLINE=1"
            ) from error
        if "disk space" in str(error) or getattr(error, "errno", None) == errno.ENOSPC:
            raise RunError(f"`{repository}`: the disk is full. Free some space, or set HF_HOME elsewhere") from error
        raise InputError(f"`{repository}`: not loadable from the hub: {_sentence(error)}") from error


def _converted(repository: str, config: str, cached_only: bool) -> dict[str, Dataset]:
    """The hub's own conversion of a data set: `CONFIG/SPLIT/0000.parquet` (`partial-SPLIT` for the largest)."""
    import datasets
    from huggingface_hub import snapshot_download

    folder = snapshot_download(
        repository,
        repo_type="dataset",
        revision=PARQUET_BRANCH,
        allow_patterns=f"{config}/*.parquet",
        local_files_only=cached_only,
    )
    files: dict[str, list[str]] = {}
    for file in sorted(Path(folder, config).glob("*/*.parquet")):
        files.setdefault(file.parent.name.removeprefix("partial-"), []).append(str(file))
    if not files:
        raise ValueError(f"no configuration `{config}` in its {PARQUET_BRANCH} branch")
    return dict(datasets.load_dataset("parquet", data_files=files))


def _is_unreachable(error: Exception) -> bool:
    """No network, or offline with another configuration of the data set in the cache than the one asked for."""
    return isinstance(error, ConnectionError) or "Couldn't find cache for" in str(error)


def _sentence(error: Exception) -> str:
    """The first line of a library's message, as one sentence."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _rows(table: Dataset, split: str) -> Iterator[Row]:
    number = 0
    for batch in table.iter(batch_size=ROWS_PER_BATCH):
        for values in zip(*batch.values(), strict=True):
            number += 1
            yield Row(f"{split} row {number}", dict(zip(batch, values, strict=True)))


def _merged(examples: Read) -> Read:
    """Make one example of those that follow each other with the same document, keeping the first's id."""
    held = None
    for item in examples:
        if isinstance(item, Problem):
            yield item
        elif held is not None and held[1].document == item[1].document:
            targets = dict.fromkeys(held[1].targets + item[1].targets)
            held = held[0], replace(held[1], targets=tuple(targets))
        else:
            if held is not None:
                yield held
            held = item
    if held is not None:
        yield held
