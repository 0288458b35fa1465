"""What a region of a crossbar is to its drivers and converters, with all that lies in series with its cells."""

from dataclasses import dataclass
from math import isinf

import torch

from crossloom.circuits.array import WiredNoise
from crossloom.circuits.curved import CurvedArray, NetworkArray, TermsArray
from crossloom.circuits.curves import Curve, Ohmic, separable_terms
from crossloom.circuits.wires import Segments, reach, segments, transfer
from crossloom.hardware import Region
from crossloom.spec import CrossbarSpec

CellNoise = torch.Tensor | WiredNoise | None


@dataclass(frozen=True)
class RegionCells:
    """The cells that conduct when a region of a crossbar is used.

    Where cells have transistors, these are the cells of the region: all others are cut off, and their wires are only
    in the way. In a passive crossbar they are all its cells, with the lines that are not used held at 0 V.

    conductance, read_noise: S, [row, column]; no noise: None.
    """

    conductance: torch.Tensor
    read_noise: torch.Tensor | None
    curve: Curve
    crossbar: CrossbarSpec
    region: Region

    def effective(self) -> tuple[torch.Tensor, CellNoise]:
        """The matrix, and the noise of its cells: S, [row, column]. For linear regions."""
        assert isinstance(self.curve, Ohmic)
        conductance, noise = self.conductance, self.read_noise
        if noise is not None:
            noise = noise / (1 + conductance * self.curve.resistance).square()
        conductance, inner = self.curve.static(conductance), self._inner()
        if not _has_wires(self.crossbar):
            return conductance[inner], None if noise is None else noise[inner]
        ends = self._ends()
        if noise is None:
            return transfer(conductance.unsqueeze(0), ends).squeeze(0)[inner], None
        found = reach(conductance, ends)
        return found.effective[inner], WiredNoise.of(noise, found).part(*inner)

    def curved(self) -> CurvedArray:
        """The region as a circuit, for regions that are not linear."""
        conductance, noise = self.conductance, self.read_noise
        terms = None if _has_wires(self.crossbar) else separable_terms(self.curve, conductance)
        if terms is not None:
            inner = self._inner()
            terms = [(matrix[inner], shape) for matrix, shape in terms]
            return TermsArray(terms, self.curve, None if noise is None else noise[inner], conductance.mean())
        ends = self._ends()
        access = self.crossbar.cell.access
        is_gated = access is not None and access.is_gated
        return NetworkArray(conductance, self.curve, ends, noise, self._place(), is_gated)

    def _place(self) -> Region:
        """The region among the cells that conduct."""
        if self.crossbar.is_passive:
            return self.region
        return Region(0, 0, self.region.num_rows, self.region.num_columns)

    def _inner(self) -> tuple[slice, slice]:
        return _slices(self._place())

    def _ends(self) -> Segments:
        if self.crossbar.is_passive:
            return _ends(self.crossbar, Region(0, 0, self.crossbar.num_rows, self.crossbar.num_columns))
        return _ends(self.crossbar, self.region)


def is_linear(curve: Curve, crossbar: CrossbarSpec) -> bool:
    """Whether regions multiply by a matrix: ohmic cells, and no rows that come and go between wires."""
    access = crossbar.cell.access
    is_gated = _has_wires(crossbar) and access is not None and access.is_gated
    return isinstance(curve, Ohmic) and not is_gated


def series_resistance(crossbar: CrossbarSpec, region: Region, like: torch.Tensor) -> torch.Tensor | None:
    """Ohm in series with every cell when it is measured alone, through wires and access: [row, column]."""
    access = crossbar.cell.access.resistance if crossbar.cell.access else 0.0
    if not _has_wires(crossbar) and not access:
        return None
    ends = _ends(crossbar, region)
    rows = _to_ends(like.new_tensor(ends.before), ends.right)
    columns = _to_ends(like.new_tensor(ends.behind).flip(0), ends.top).flip(0).unsqueeze(1)
    return (rows + columns).flip(ends.turned) + access


def _to_ends(segments: torch.Tensor, far: float | None) -> torch.Tensor:
    """Ohm between every cell of a line and its ends, which are at one voltage; `far` is the second one."""
    near = segments.cumsum(0)
    if far is None or isinf(far):
        return near
    beyond = near[-1] - near + far
    return near * beyond / (near + beyond)


def _has_wires(crossbar: CrossbarSpec) -> bool:
    return crossbar.wires is not None and not crossbar.wires.is_zero


def _ends(crossbar: CrossbarSpec, region: Region) -> Segments:
    """The wires around a region, whose lines go on beyond it."""
    if crossbar.wires is None:
        return Segments((0.0,) * region.num_columns, (0.0,) * region.num_rows)
    columns = (region.column, crossbar.num_columns - region.column - region.num_columns)
    rows = (region.row, crossbar.num_rows - region.row - region.num_rows)
    return segments(crossbar.wires, region.num_rows, region.num_columns, columns, rows)


def _slices(region: Region) -> tuple[slice, slice]:
    return (
        slice(region.row, region.row + region.num_rows),
        slice(region.column, region.column + region.num_columns),
    )
