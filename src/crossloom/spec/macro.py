"""Macros: crossbar, drivers and readout. Codes in, codes out."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from crossloom.spec.base import Spec
from crossloom.spec.cell import CellSpec, NonNegative, Positive
from crossloom.spec.inputs import InputMode

Count = Annotated[int, Field(ge=1)]
Pairing = Literal["rows", "columns", "none"]


class CrossbarSpec(Spec):
    """The grid of cells."""

    num_rows: Count
    num_columns: Count
    cell: CellSpec


class DacSpec(Spec):
    """The drivers of the rows.

    bits: magnitude bits that one pulse can carry (1: a pulse or none); None when any code fits one pulse.
    is_signed: whether a pulse may be negative; if not, signed inputs take more cycles.
    read_voltage: volt per input step; None when not published.
    cycle_time: seconds of one input cycle; None when not published.
    """

    bits: Count | None = None
    is_signed: bool
    read_voltage: Positive | None = None
    cycle_time: Positive | None = None


class IntegratorSpec(Spec):
    """Charge integration: n * time_step seconds onto `capacitance` farad; `full_scale` volt is the top code."""

    capacitance: Positive
    full_scale: Positive
    time_step: Positive
    max_time: Count


class ReadoutSpec(Spec):
    """What turns a column's current into a code: `clamp(round(gain * S))`.

    bits: of the code; None for an ideal converter that gives the exact value.
    is_signed: codes from -2^(bits-1) to 2^(bits-1) - 1, else from 0 to 2^bits - 1.
    integrator: None when the range can be set freely: then the integration time n *is* the gain.
    offset: standard deviation over columns of the converter's offset, in codes, drawn once per chip.
    gain_error: the same for its gain, as a share.
    columns_per_adc: columns that take turns at one converter; None when not published.
    """

    bits: Annotated[int, Field(ge=1, le=32)] | None = None
    is_signed: bool = True
    integrator: IntegratorSpec | None = None
    offset: NonNegative | None = None
    gain_error: NonNegative | None = None
    columns_per_adc: Count | None = None

    @model_validator(mode="after")
    def _an_integrator_needs_codes(self) -> Self:
        if self.integrator is not None and self.bits is None:
            raise ValueError("an integrator needs a converter: give bits, or leave the integrator out")
        return self

    @model_validator(mode="after")
    def _there_is_a_code_above_zero(self) -> Self:
        if self.is_signed and self.bits == 1:
            raise ValueError(
                "one bit of a signed converter is its sign alone: give bits >= 2, or is_signed = false"
            )
        return self

    @property
    def code_range(self) -> tuple[int, int] | None:
        """The lowest and the highest code; None when the converter is ideal."""
        if self.bits is None:
            return None
        return (
            (-(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1) if self.is_signed else (0, 2**self.bits - 1)
        )

    @property
    def max_time(self) -> int | None:
        """The largest integration time that the register holds; None when any positive number will do."""
        return self.integrator.max_time if self.integrator else None


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

    def gain(self, integration_time: float, level_step: float) -> float:
        """Codes per unit of S = sum of input steps times levels.

        `level_step` is the conductance (S) of one level. With an integrator the gain is what its physics
        gives, V * level_step * n * time_step / (C * full_scale) * top code; without one it is n itself.
        """
        integrator, code_range = self.readout.integrator, self.readout.code_range
        if integrator is None or code_range is None or self.dac.read_voltage is None:
            return integration_time
        charge = self.dac.read_voltage * level_step * integration_time * integrator.time_step
        return charge / (integrator.capacitance * integrator.full_scale) * code_range[1]
