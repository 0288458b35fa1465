"""Packing: puts the rectangles of tiles onto as few equal bins (macros) as it can find.

Rectangles are never turned, because their rows are inputs. The front door is `pack`; `lower_bound` says how
few bins could ever do, and so how good an answer is.
"""

from crossloom.placement.packing.bounds import area_bound, lower_bound
from crossloom.placement.packing.exact import improve_exactly
from crossloom.placement.packing.packer import pack
from crossloom.placement.packing.shapes import Forbidden, Loads, Packing, Rectangle, Spot

__all__ = [
    "Forbidden",
    "Loads",
    "Packing",
    "Rectangle",
    "Spot",
    "area_bound",
    "improve_exactly",
    "lower_bound",
    "pack",
]
