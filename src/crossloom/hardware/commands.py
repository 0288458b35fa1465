"""What is said across the line: regions, wiring, and the order to multiply."""

from dataclasses import dataclass

import torch

from crossloom.artefacts import saved
from crossloom.spec import BitSerial, DacSpec, InputMode, MacroAddress, MultiLevel, Pairing, Pulse

for _value in (BitSerial, Pulse, MultiLevel, MacroAddress):
    saved(_value)


@saved
@dataclass(frozen=True)
class Region:
    """A rectangle of cells of a crossbar."""

    row: int
    column: int
    num_rows: int
    num_columns: int

    @property
    def num_cells(self) -> int:
        return self.num_rows * self.num_columns


@saved
@dataclass(frozen=True)
class Wiring:
    """How inputs meet rows and columns meet converters.

    pairing: "rows": each input drives a row and, negated, the next one; "columns": a converter sees a column
        less the next one; "none": a row is an input, and a column an output.
    row_copies: each input drives so many rows (or pairs of rows) one after another: one column, one converter.
    """

    pairing: Pairing
    row_copies: int = 1

    @property
    def rows_per_input(self) -> int:
        return self.row_copies * (2 if self.pairing == "rows" else 1)

    @property
    def columns_per_output(self) -> int:
        return 2 if self.pairing == "columns" else 1


@saved
@dataclass(frozen=True)
class InputFormat:
    """How input codes become pulses: mode, number of bits (the sign's included), signed or not."""

    mode: InputMode
    bits: int
    is_signed: bool

    @property
    def largest(self) -> int:
        """The largest magnitude of a code."""
        return 2 ** (self.bits - 1) - 1 if self.is_signed else 2**self.bits - 1

    def num_cycles(self, dac: DacSpec) -> int:
        """How many input cycles these drivers need for one input vector."""
        is_split = self.is_signed and not dac.is_signed
        if isinstance(self.mode, BitSerial):
            magnitude_bits = self.bits - 1 if self.is_signed else self.bits
            return -(-magnitude_bits // self.mode.bits_per_pulse) + is_split
        return (self.largest if isinstance(self.mode, Pulse) else 1) * (1 + is_split)


@saved
@dataclass(frozen=True)
class MvmCommand:
    """Multiply a batch of codes with the cells of one region.

    integration_time: the readout's register n.  level_step: conductance (S) of one level of this region.
    read_voltage: V per input step; None for that of the drivers' specification.
    """

    address: MacroAddress
    region: Region
    inputs: InputFormat
    wiring: Wiring
    integration_time: float
    level_step: float
    read_voltage: float | None = None

    @property
    def num_inputs(self) -> int:
        return self.region.num_rows // self.wiring.rows_per_input

    @property
    def num_outputs(self) -> int:
        return self.region.num_columns // self.wiring.columns_per_output


@dataclass(frozen=True)
class Draw:
    """Which noise an MVM meets: that of run number `run`, from sample number `first_sample` on.

    step: how often the region has multiplied for the same samples before: at every step of time, and for every layer
    that shares its cells, noise is another.
    """

    run: int
    first_sample: int = 0
    step: int = 0


@dataclass(frozen=True)
class CodeCounts:
    """How a converter's codes were spread: `counts[i]` conversions gave the code `lowest + i`."""

    lowest: int
    counts: torch.Tensor


@dataclass(frozen=True)
class Reading:
    """The answer to an MVM: sums of codes over the input cycles, [vector, output, *positions].

    `codes` counts the codes of all conversions, when they were asked for and the converter has codes.
    """

    sums: torch.Tensor
    codes: CodeCounts | None = None
