"""Wires that have resistance, and what lies in series with cells."""

from typing import Literal, Self

import torch

from crossloom.circuits import RegionCells, approximate_conductance, is_linear, make_curve
from crossloom.errors import ConfigError
from crossloom.hardware import Region
from crossloom.spec import CrossbarSpec, MacroSpec, Wires
from crossloom.training.effects.effect import CellEffect, Share


class IrDrop(CellEffect):
    """Conductances become those that drivers and converters see through `crossbar.wires` and `cell.access`.

    Nothing is drawn, and the gradient is that of the circuit. The cells lie in the corner of the crossbar where tiles
    are placed first; a layer that is larger is cut into crossbars. Comes after the effects on the cells themselves.
    is_exact: by elimination, as simulated chips do it (0.6 s forward and 0.5 s backward for 576 x 64 cells on one
        core), or right to first order in the resistances in a few sums (3 ms; docs/crossbars.md shows how far off).
    share: of the change.
    """

    kind: Literal["ir_drop"] = "ir_drop"
    is_exact: bool = True
    share: Share = 1.0

    def with_share(self, share: float) -> Self:
        return self.replace(share=self.share * share)

    def check(self, macro: MacroSpec) -> None:
        crossbar, cell = macro.crossbar, macro.cell
        if not is_linear(make_curve(cell.iv, cell.access), crossbar):
            raise ConfigError(
                "ir_drop: these crossbars do not multiply by a matrix (cells that are not ohmic, or gated rows between "
                "wires), so training knows no matrix for them; leave out cell.iv and access.is_gated"
            )
        if not _has_wires(crossbar) and not (cell.access and cell.access.resistance):
            raise ConfigError("ir_drop: these crossbars have no wire resistance; give crossbar.wires")
        if not self.is_exact and crossbar.is_passive:
            raise ConfigError("ir_drop: a passive crossbar is only known exactly; use is_exact=True")
        if not self.is_exact and crossbar.wires is not None:
            approximate_conductance(torch.ones(1, 1), crossbar.wires)

    def on_cells(self, conductance: torch.Tensor, macro: MacroSpec) -> torch.Tensor:
        crossbar = macro.crossbar
        rows = [
            torch.cat([self._effective(block, crossbar) for block in strip.split(crossbar.num_columns, 1)], 1)
            for strip in conductance.split(crossbar.num_rows)
        ]
        effective = torch.cat(rows)
        return effective if self.share == 1 else torch.lerp(conductance, effective, self.share)

    def _effective(self, conductance: torch.Tensor, crossbar: CrossbarSpec) -> torch.Tensor:
        region = Region(0, 0, conductance.shape[0], conductance.shape[1])
        curve = make_curve(crossbar.cell.iv, crossbar.cell.access)
        if self.is_exact or not _has_wires(crossbar):
            cells = _whole(conductance, crossbar) if crossbar.is_passive else conductance
            return RegionCells(cells, None, curve, crossbar, region).effective()[0]
        series = make_curve(None, crossbar.cell.access).static(conductance)  # type: ignore[attr-defined]
        return approximate_conductance(series, _wires_to(region, crossbar))


def _has_wires(crossbar: CrossbarSpec) -> bool:
    return crossbar.wires is not None and not crossbar.wires.is_zero


def _wires_to(region: Region, crossbar: CrossbarSpec) -> Wires:
    """The wires around a region in the first corner, with the bit lines' way past the rows below it."""
    assert crossbar.wires is not None
    wires = crossbar.wires
    below = crossbar.num_rows - region.num_rows
    return wires.model_copy(update={"sense": wires.sense + below * wires.bit_line})


def _whole(conductance: torch.Tensor, crossbar: CrossbarSpec) -> torch.Tensor:
    """All cells of a passive crossbar: those around the region are as new."""
    right, below = crossbar.num_columns - conductance.shape[1], crossbar.num_rows - conductance.shape[0]
    return torch.nn.functional.pad(conductance, (0, right, 0, below), value=crossbar.cell.g_min)
