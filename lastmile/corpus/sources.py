"""Load a corpus: a known name, a hub data set, a file or a folder, made into train, validation and test."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from lastmile.config import Data
from lastmile.corpus.divide import SPLITS, carve, draw, settle_shared
from lastmile.corpus.files import file_format
from lastmile.corpus.folders import file_source, folder_sources
from lastmile.corpus.hub import hub_sources
from lastmile.corpus.intake import Source, prepare
from lastmile.corpus.named import KNOWN_NAMES, NAMED, Named
from lastmile.corpus.splits import ArrowSplit, corpus_fingerprint
from lastmile.errors import InputError, did_you_mean
from lastmile.records import Corpus

DEMO_SIZES = (6000, 500, 500)


def load_corpus(data: Data, *, seed: int = 1, splits: Iterable[str] = SPLITS) -> Corpus:
    """Load a corpus by name, hub id, file or folder; prepared rows are cached on disk and memory-mapped.

    A file alone is split by its documents: 5 % test, 5 % validation, the rest train (see `divide.carve`), and so is a
    folder or data set that lacks validation or test. `name#500` keeps at most 500 examples of each split. Documents
    that stand in two splits are refused in the user's files and left out of data sets of the hub, unless
    `data.shared_documents` says otherwise (see `divide.settle_shared`). Whatever is done to the rows is said on stderr.

    Args:
        data: What to load and which columns to read.
        seed: Of the split and of the subset, where one is drawn. Runs that are to be compared use the same.
        splits: The splits that must be there; others are empty where a folder has no files for them.

    Raises:
        InputError: With every bad row (the first 20 in full), unknown names and columns, missing files, no network.
    """
    name, limit = split_name(data.name)
    if name == "demo":
        from lastmile.corpus.demo import demo_corpus

        _refuse_settings(data, "config", "revision", "document_column", "summary_column")
        return demo_corpus(DEMO_SIZES if limit is None else tuple(min(limit, size) for size in DEMO_SIZES))
    sources = find_sources(data)
    absent = [split for split in splits if split not in sources]
    if absent and "train" not in sources:
        raise InputError(f"{name}: no {' and no '.join(absent)} split. Found only: {', '.join(sources)}")
    parts = _prepare_all(sources)
    if "train" in parts:
        parts = carve(parts, seed, name)
    nothing = next(iter(parts.values())).select([])
    parts = {split: parts.get(split, nothing) for split in SPLITS}
    from_hub = any(source.lenient for source in sources.values())
    parts = settle_shared(parts, name, data.shared_documents or ("drop" if from_hub else "refuse"))
    if limit is not None:
        parts = {split: draw(part, limit, seed) for split, part in parts.items()}
    return Corpus(name=data.name, **parts, fingerprint=corpus_fingerprint(*parts.values()))


def _refuse_settings(data: Data, *settings: str) -> None:
    """What a kind of data knows nothing of must not be set for it, rather than be passed over."""
    given = [f"`data.{setting}`" for setting in settings if getattr(data, setting) is not None]
    if given:
        raise InputError(f"{data.name}: takes no {' and no '.join(given)}; leave out what does not apply")


def _prepare_all(sources: dict[str, Source]) -> dict[str, ArrowSplit]:
    """Prepare every split before any problem is raised, so that a person mends all in one go."""
    parts, problems = {}, []
    for split, source in sources.items():
        try:
            parts[split] = prepare(source)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError.of(problems)
    return parts


def load_documents(path: Path, document_column: str | None = None) -> ArrowSplit:
    """Load the documents of one file, targets or not, e.g. to summarize them.

    Raises:
        InputError: With every bad row (the first 20 in full) or an unknown column.
    """
    return prepare(file_source([Path(path)], Data(name=str(path), document_column=document_column), targets=False))


def split_name(name: str) -> tuple[str, int | None]:
    """Take the number of examples off a name.

    >>> split_name("cnn_dm#500"), split_name("a.jsonl")
    (('cnn_dm', 500), ('a.jsonl', None))

    Raises:
        InputError: If what follows `#` is not a number above 0.
    """
    base, mark, count = name.rpartition("#")
    if not mark:
        return name, None
    if not re.fullmatch(r"[1-9]\d*", count):
        raise InputError(f"`{name}`: after `#` stands how many examples to take of each split, e.g. `{base}#500`")
    return base, int(count)


def find_sources(data: Data) -> dict[str, Source]:
    """Find the splits that a name other than `demo` stands for, rows not read: one `Source` for each that is there.

    A known name goes before a folder of the same name, and that before a hub id; `./xsum` is the folder.

    Raises:
        InputError: If the name is no known name, file, folder or hub id.
    """
    name, _ = split_name(data.name)
    path = Path(name).expanduser()
    if name in NAMED:
        return hub_sources(name, NAMED[name], data)
    if path.exists():
        _refuse_settings(data, "config", "revision")
        return folder_sources(path, data) if path.is_dir() else {"train": file_source([path], data)}
    if re.fullmatch(r"\w[\w.-]*/[\w.-]+", name) and not file_format(path):
        return hub_sources(name, Named(name), data)
    if "/" in name or file_format(path):
        raise InputError(f"{name}: no such file or folder")
    known = ", ".join(f"`{known}`" for known in KNOWN_NAMES)
    raise InputError(
        f"`{name}`: no such data.{did_you_mean(name, KNOWN_NAMES)} Give a file, a folder, a hub id (`owner/name`) or "
        f"one of {known}"
    )
