"""Reports of tiles that are not kept: whoever asks for one has it made again."""

from collections.abc import Sequence
from typing import overload

from crossloom.hardware import Divisible
from crossloom.programming.report import TileReport
from crossloom.programming.streaming.past import Past, Programming
from crossloom.spec import MacroAddress


class ReplayedTiles(Sequence[TileReport]):
    """How every tile was written in the last step of a past, in the order of writing. One macro at a time is made."""

    def __init__(self, base: Divisible, past: Past) -> None:
        written = past.steps[-1]
        assert isinstance(written, Programming)
        self._base, self._past = base, past
        self._places = [
            (address, place) for address, tiles in written.tiles.items() for place in range(len(tiles))
        ]
        self._last: tuple[MacroAddress, tuple[TileReport, ...]] | None = None

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> TileReport: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[TileReport, ...]: ...
    def __getitem__(self, index: int | slice) -> TileReport | tuple[TileReport, ...]:
        if isinstance(index, slice):
            return tuple(self[number] for number in range(*index.indices(len(self))))
        address, place = self._places[index]
        if self._last is None or self._last[0] != address:
            self._last = (address, self._past.redo(self._base, address)[1])
        return self._last[1][place]
