"""Large tables of numbers: lists in memory and in TOML, one short string in files that machines read."""

import sys
import zlib
from array import array
from base64 import b85decode, b85encode
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

Row = tuple[float, ...]
Matrix = tuple[Row, ...]
_LARGEST_PLAIN = 1000
_MARK = "packed"


def _pack(matrix: Matrix) -> Any:
    """Without loss: as float32 where every number is one, else as float64, deflated, in base 85.

    >>> _unpack(_pack(((0.5,) * 40,) * 30)) == ((0.5,) * 40,) * 30
    True
    """
    flat = [number for row in matrix for number in row]
    if len(flat) <= _LARGEST_PLAIN:
        return [list(row) for row in matrix]
    kind = "f" if list(array("f", flat)) == flat else "d"
    packed = b85encode(zlib.compress(_little_endian(array(kind, flat)).tobytes(), 9)).decode("ascii")
    return f"{_MARK}:{kind}:{len(matrix)}:{packed}"


def _unpack(value: Any) -> Any:
    if not (isinstance(value, str) and value.startswith(f"{_MARK}:")):
        return value
    try:
        _, kind, num_rows, packed = value.split(":", 3)
        numbers = array(kind)
        numbers.frombytes(zlib.decompress(b85decode(packed)))
        flat = _little_endian(numbers)
        width = len(flat) // int(num_rows)
        return tuple(tuple(flat[start : start + width]) for start in range(0, len(flat), width))
    except (ValueError, TypeError, zlib.error, ZeroDivisionError):
        raise ValueError("need a table as rows of numbers, or packed as crossloom saves it") from None


def _little_endian(numbers: array) -> array:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers


def is_rising(numbers: Sequence[float]) -> bool:
    """Whether each number lies above the one before it."""
    return all(before < after for before, after in pairwise(numbers))


PackedMatrix = Annotated[Matrix, BeforeValidator(_unpack), PlainSerializer(_pack, when_used="json")]
