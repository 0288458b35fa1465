"""Chips that need not fit in memory: macros are made when they are used, from what was done to them."""

from crossloom.programming.streaming.footprint import VALUES_SHARE
from crossloom.programming.streaming.replayed import ReplayedTiles
from crossloom.programming.streaming.stream import stream
from crossloom.programming.streaming.streamed import StreamedBackend, StreamedChips

__all__ = ["VALUES_SHARE", "ReplayedTiles", "StreamedBackend", "StreamedChips", "stream"]
