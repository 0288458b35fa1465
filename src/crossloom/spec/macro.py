"""Macros: crossbar, drivers and readout. Codes in, codes out."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from crossloom.spec.base import Spec
from crossloom.spec.cell import CellSpec
from crossloom.spec.dac import DacSpec
from crossloom.spec.inputs import InputMode
from crossloom.spec.numbers import Count
from crossloom.spec.readout import ReadoutSpec
from crossloom.spec.wires import Wires

Pairing = Literal["rows", "columns", "none"]


class CrossbarSpec(Spec):
    """The grid of cells.

    wires: their resistances; None for wires without any.
    is_passive: whether cells have no transistors, so that those outside the lines in use conduct too, with their
        lines held at 0 V.
    """

    num_rows: Count
    num_columns: Count
    cell: CellSpec
    wires: Wires | None = None
    is_passive: bool = False

    @model_validator(mode="after")
    def _a_passive_crossbar_has_no_gates(self) -> Self:
        if self.is_passive and self.cell.access is not None and self.cell.access.is_gated:
            raise ValueError(
                "a passive crossbar has no transistors to gate its rows: give access.is_gated = false, or leave "
                "is_passive out"
            )
        return self


class MacroSpec(Spec):
    """Crossbar with drivers and readout.

    pairing: how the two cells of a differential pair are wired: in two `rows` driven by opposite inputs, in
        two `columns` subtracted before the converter, or `none` (two conversions, subtracted digitally).
    input_modes: the modes that the drivers can do; the first is the usual one.
    """

    crossbar: CrossbarSpec
    dac: DacSpec
    readout: ReadoutSpec
    pairing: Pairing
    input_modes: Annotated[tuple[InputMode, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _an_integrator_needs_a_voltage(self) -> Self:
        if self.readout.integrator is not None and self.dac.read_voltage is None:
            raise ValueError("an integrator needs dac.read_voltage")
        return self

    @property
    def cell(self) -> CellSpec:
        return self.crossbar.cell

    def gain(self, integration_time: float, level_step: float, read_voltage: float | None = None) -> float:
        """Codes per unit of S = sum of input steps times levels.

        `level_step` is the conductance (S) of one level. With an integrator the gain is what its physics
        gives, V * level_step * n * time_step / (C * full_scale) * top code; without one it is n itself. A
        `read_voltage` (V per input step) other than the drivers' own changes it in proportion.
        """
        integrator, code_range = self.readout.integrator, self.readout.code_range
        voltage = self.dac.read_voltage if read_voltage is None else read_voltage
        if voltage is None or self.dac.read_voltage is None:
            return integration_time
        if integrator is None or code_range is None:
            return integration_time * (voltage / self.dac.read_voltage)
        charge = voltage * level_step * integration_time * integrator.time_step
        return charge / (integrator.capacitance * integrator.full_scale) * code_range[1]
