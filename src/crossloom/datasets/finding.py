"""Where data are, and which sets a folder holds: recognised by content, without reading the samples."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crossloom.datasets.cifar import FOLDER, cifar_splits
from crossloom.datasets.idx import idx_prefixes, idx_splits
from crossloom.datasets.tables import SUFFIXES, holds_inputs
from crossloom.errors import DataError
from crossloom.registry import did_you_mean

ENVIRONMENT = "CROSSLOOM_DATA"
_INNER_FOLDERS = ("raw", FOLDER)
_ONE_SAMPLE_SET = "test"


@dataclass(frozen=True)
class Source:
    """A set that was found. kind: `cifar10`, `idx` or `table`.  prefix: of IDX files that share a folder.
    splits: the file (or folder) of each split."""

    name: str
    kind: str
    splits: dict[str, Path]
    prefix: str = ""


def find_data(path: str | Path | None = None) -> Path:
    """The folder or file to read: `path`, else the environment variable CROSSLOOM_DATA. DataError if neither is
    there."""
    named = path if path is not None else os.environ.get(ENVIRONMENT) or None
    if named is None:
        raise DataError(f"no data: give --data with a file or folder, or set {ENVIRONMENT} to one")
    found = Path(named).expanduser()
    if not found.exists():
        where = ENVIRONMENT if path is None else "data"
        raise DataError(f"{where}: there is no file or folder {found}")
    return found


def find_source(path: str | Path | None = None, name: str | None = None) -> Source:
    """The one set at `path` (else CROSSLOOM_DATA), or the one called `name` there.

    A `path` that does not exist may also be the name of a set under CROSSLOOM_DATA. Raises DataError when
    there is none, or several and no name to choose by.
    """
    if (
        name is None
        and path is not None
        and not Path(path).expanduser().exists()
        and os.environ.get(ENVIRONMENT)
    ):
        path, name = None, str(path)
    root = find_data(path)
    sources = find_sources(root)
    if name is not None:
        sources = _named(sources, name, root)
    if len(sources) == 1:
        return sources[0]
    if not sources:
        raise DataError(
            f"{root} holds no data set that crossloom reads: {FOLDER}, MNIST or EMNIST files (*-images-idx3-ubyte), "
            "or .npz or .safetensors files with inputs or images"
        )
    names = [source.name for source in sources]
    raise DataError(f"{root} holds several data sets ({', '.join(names)}); name one, or give its own folder")


def find_sources(root: Path) -> list[Source]:
    """Every set in a file, a folder, its subfolders and their inner folders (`raw`, `cifar-10-batches-py`)."""
    if root.is_file():
        return [Source(root.stem, "table", {_ONE_SAMPLE_SET: root})] if root.suffix in SUFFIXES else []
    found = [source for folder in _folders(root) for source in _sources_in(folder)]
    return sorted(found, key=lambda source: source.name)


def _named(sources: list[Source], name: str, root: Path) -> list[Source]:
    same = [source for source in sources if source.name.lower() == name.lower()]
    if not same:
        names = [source.name for source in sources]
        raise DataError(f"no data set {name!r} in {root}; {did_you_mean(name, names)}")
    return same[:1]


def _folders(root: Path) -> Iterator[Path]:
    yield root
    for folder in sorted(root.iterdir()):
        if folder.is_dir() and os.access(folder, os.R_OK | os.X_OK):
            yield folder
            yield from (folder / inner for inner in _INNER_FOLDERS if (folder / inner).is_dir())


def _sources_in(folder: Path) -> Iterator[Source]:
    files = {item.name for item in folder.iterdir() if item.is_file()}
    splits = cifar_splits(files)
    if splits:
        yield Source("cifar10", "cifar10", dict.fromkeys(splits, folder))
    for prefix in idx_prefixes(files):
        name = (
            prefix.rstrip("-") or (folder.parent if folder.name == "raw" else folder).resolve().name.lower()
        )
        yield Source(name, "idx", dict.fromkeys(idx_splits(files, prefix), folder), prefix)
    yield from _tables_in(folder, files)


def _tables_in(folder: Path, files: set[str]) -> Iterator[Source]:
    """Files called train and test are splits of one set, called like the folder; others are sets of their own."""
    tables = [
        folder / name
        for name in sorted(files)
        if Path(name).suffix in SUFFIXES and holds_inputs(folder / name)
    ]
    splits = {table.stem: table for table in tables if table.stem in ("train", "test")}
    if splits:
        yield Source(folder.resolve().name, "table", splits)
    yield from (
        Source(table.stem, "table", {_ONE_SAMPLE_SET: table}) for table in tables if table.stem not in splits
    )
