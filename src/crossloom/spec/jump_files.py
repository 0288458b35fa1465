"""Files of jump tables."""

import csv
from itertools import pairwise
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

_DIRECTIONS = ("increasing", "decreasing")
_AXES = ("conductance", "probability", "change")
_EVEN = 1e-6


def read_jumps(path: Path) -> dict[str, Any]:
    """The fields of a `JumpTable` in an .npz file, or in a folder of two CSV files. ValueError names the file.

    .npz: arrays {increasing,decreasing}_{conductance,probability,change}.  CSV: line 1 conductances (S), line 2
    probabilities, then a line of changes (S) for every probability.
    """
    if path.is_dir():
        return {name: _read_csv(path / f"dG_{name}.csv") for name in _DIRECTIONS}
    if path.suffix != ".npz":
        raise ValueError(
            f"{path}: need an .npz file, or a folder with dG_increasing.csv and dG_decreasing.csv"
        )
    return _read_npz(path)


def rearrange(fields: dict[str, Any]) -> dict[str, Any]:
    """The same with the changes at each conductance sorted. ValueError where probabilities are not evenly spaced."""
    return {name: _sort(name, jumps) for name, jumps in fields.items()}


def _sort(name: str, jumps: dict[str, Any]) -> dict[str, Any]:
    points = jumps["probability"]
    steps = [after - before for before, after in pairwise(points)]
    if max(steps) - min(steps) > _EVEN:
        raise ValueError(f"need evenly spaced probabilities to rearrange changes, {name} has others")
    if len({len(row) for row in jumps["change"]}) != 1:
        return jumps  # the shape is refused where all shapes are
    columns = [sorted(column) for column in zip(*jumps["change"], strict=True)]
    return {**jumps, "change": list(zip(*columns, strict=True))}


def _read_npz(path: Path) -> dict[str, Any]:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [
                f"{name}_{axis}" for name in _DIRECTIONS for axis in _AXES if f"{name}_{axis}" not in file
            ]
            if missing:
                raise ValueError(f"need arrays {', '.join(missing)}")
            return {name: {axis: file[f"{name}_{axis}"].tolist() for axis in _AXES} for name in _DIRECTIONS}
    except (OSError, BadZipFile, EOFError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as .npz: {error}") from None


def _read_csv(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = [_numbers(path, number, line) for number, line in enumerate(csv.reader(file), 1)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read as CSV: {error}") from None
    if len(lines) < 2:
        raise ValueError(f"{path}: need a line of conductances, a line of probabilities, then changes")
    return {"conductance": lines[0], "probability": lines[1], "change": [line for line in lines[2:] if line]}


def _numbers(path: Path, number: int, line: list[str]) -> list[float]:
    while line and not line[-1].strip():
        line = line[:-1]
    try:
        return [float(item) for item in line]
    except ValueError as error:
        raise ValueError(f"{path}: line {number} has something that is no number ({error})") from None
