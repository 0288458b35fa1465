"""Noise for every read of a pass: at each step of time, and in each layer that shares cells, another."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from crossloom.hardware import Draw


class Draws:
    """Says which noise cells meet when they multiply, from how often they did so for the samples at hand.

    holders: layers that use the tiles of another, and whose.
    """

    def __init__(self, holders: Mapping[str, str]) -> None:
        self._holders = holders
        self._draw, self._reads = Draw(0), Counter[str]()

    def begin(self, draw: Draw) -> None:
        """A new pass: other samples, or the same ones once more."""
        self._draw, self._reads = draw, Counter()

    def next(self, layer: str) -> Draw:
        """That of the next read of a layer's cells."""
        holder = self._holders.get(layer, layer)
        step, self._reads[holder] = self._reads[holder], self._reads[holder] + 1
        return replace(self._draw, step=step) if step else self._draw
