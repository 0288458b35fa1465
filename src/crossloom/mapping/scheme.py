"""The scheme of one layer: choices and hardware joined, checked, and ready to encode and decode."""

from dataclasses import dataclass
from functools import cached_property
from math import log2

import torch

from crossloom.artefacts import saved
from crossloom.errors import ConfigError
from crossloom.mapping.config import LayerMappingConfig
from crossloom.mapping.encodings import DifferentialPair, Encoding, OffsetColumn
from crossloom.mapping.slicings import Digits, SignMagnitude, Slicing, TwosComplement, Whole
from crossloom.spec import BitSerial, InputMode, MacroSpec, MultiLevel, Pairing, Pulse

for _mode in (BitSerial, Pulse, MultiLevel):
    saved(_mode)


@saved
@dataclass(frozen=True)
class Scheme:
    """How one layer's weights lie in cells, and how its inputs come as pulses.

    level_step: conductance of one level, S.  g_min: conductance of level 0, S.
    """

    encoding: Encoding
    slicing: Slicing
    input_mode: InputMode
    pairing: Pairing
    copies: int
    row_copies: int
    weight_bits: int
    level_step: float
    g_min: float

    @property
    def rows_per_input(self) -> int:
        return self.row_copies * (2 if self.pairing == "rows" else 1)

    @property
    def columns_per_output(self) -> int:
        return 2 if self.pairing == "columns" else 1

    @property
    def num_reference_outputs(self) -> int:
        return 1 if isinstance(self.encoding, OffsetColumn) else 0

    @cached_property
    def coefficients(self) -> tuple[int, ...]:
        """How much each converted output of a weight counts."""
        coefficients = self.cut(torch.zeros(0, dtype=torch.int16)).coefficients
        if isinstance(self.encoding, DifferentialPair) and self.pairing == "none":
            return tuple(sign * value for value in coefficients for sign in (1, -1))
        return coefficients

    def cut(self, weight: torch.Tensor) -> Digits:
        """The digits of integer weights of any shape."""
        return self.slicing.cut(weight, self.weight_bits)

    def encode(self, weight: torch.Tensor) -> torch.Tensor:
        """Levels [row, column] of integer weights [input, output], as they lie in one region."""
        digits, _, digit_range = self.cut(weight.to(torch.int32))
        reference = self.encoding.encode(digits.new_zeros(len(weight), 1), digit_range)[0]
        return self.lay(self.encoding.encode(digits, digit_range), reference)

    def lay(self, levels: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
        """Levels [cell of a pair, plane, input, output] as they lie in one region, [row, column].

        reference: [input, 1], levels of the reference column, where there is one.
        """
        if self.num_reference_outputs:
            cells = torch.cat([levels[0].transpose(0, 1).flatten(1), reference], 1)
        else:
            cells = self._lay_pairs(levels)
        return self._copy_rows(cells)

    def decode(self, sums: torch.Tensor) -> torch.Tensor:
        """Sums of products [vector, output, *positions] from those of converted outputs, in the same units.

        What has to be added up is added up in float64, so that integers stay exact.
        """
        coefficients = self.coefficients
        if coefficients == (1,) and not self.num_reference_outputs:
            return sums
        sums = sums.double()
        reference = sums[:, -1:] if self.num_reference_outputs else None
        planes = sums if reference is None else sums[:, :-1]
        split = planes.unflatten(1, (len(coefficients), -1))
        weights = torch.tensor(coefficients, dtype=sums.dtype, device=sums.device)
        joined = (split * weights.view(1, -1, *[1] * (split.dim() - 2))).sum(1)
        return joined if reference is None else joined - reference * sum(coefficients)

    def _lay_pairs(self, levels: torch.Tensor) -> torch.Tensor:
        """[cell of the pair, plane, input, output] to [row, column], without row copies."""
        if self.pairing == "rows":
            return levels.permute(2, 0, 1, 3).flatten(0, 1).flatten(1)
        if self.pairing == "columns":
            return levels.permute(2, 1, 3, 0).flatten(1)
        return levels.permute(2, 1, 0, 3).flatten(1)

    def _copy_rows(self, cells: torch.Tensor) -> torch.Tensor:
        rows = 2 if self.pairing == "rows" else 1
        copied = cells.unflatten(0, (-1, 1, rows)).expand(-1, self.row_copies, -1, -1)
        return copied.flatten(0, 2)


def make_scheme(
    config: LayerMappingConfig, weight_bits: int, macro: MacroSpec, input_bits: int | None = None
) -> Scheme:
    """Join choices and hardware. ConfigError when cells have too few levels, or drivers lack the input mode.

    input_bits: of an input's magnitude; None where it is not known.
    """
    encoding = config.encoding or (OffsetColumn() if macro.pairing == "none" else DifferentialPair())
    slicing = _choose_slicing(config, encoding, weight_bits, macro.cell.num_levels)
    input_mode = config.input_mode or macro.input_modes[0]
    _check_input_mode(input_mode, macro, input_bits)
    digit_range = slicing.cut(torch.zeros(0, dtype=torch.int32), weight_bits).digit_range
    num_levels = encoding.num_levels(digit_range)
    available = macro.cell.num_levels or num_levels
    if num_levels > available:
        raise ConfigError(
            f"{weight_bits}-bit weights as {encoding.kind} with slicing {slicing.kind} need {num_levels} levels, "
            f"cells have {available}; use slicing SignMagnitude or TwosComplement with fewer bits_per_cell"
        )
    is_paired = isinstance(encoding, DifferentialPair)
    return Scheme(
        encoding=encoding,
        slicing=slicing,
        input_mode=input_mode,
        pairing=macro.pairing if is_paired else "none",
        copies=config.copies,
        row_copies=config.row_copies,
        weight_bits=weight_bits,
        level_step=(macro.cell.g_max - macro.cell.g_min) / (available - 1),
        g_min=macro.cell.g_min,
    )


def _choose_slicing(
    config: LayerMappingConfig, encoding: Encoding, weight_bits: int, num_levels: int | None
) -> Slicing:
    """What was asked for; else whole weights where cells have the levels, and as many bits as they hold."""
    bits, slicing = config.bits_per_cell, config.slicing
    if slicing is not None:
        if bits is None or isinstance(slicing, Whole):
            return slicing
        return slicing.replace(bits_per_cell=bits)
    whole = encoding.num_levels(Whole().cut(torch.zeros(0, dtype=torch.int32), weight_bits).digit_range)
    if bits is None and (num_levels is None or whole <= num_levels):
        return Whole()
    bits = bits or int(log2(num_levels or 2))
    if isinstance(encoding, DifferentialPair):
        return SignMagnitude(bits_per_cell=bits)
    return TwosComplement(bits_per_cell=bits)


def _check_input_mode(mode: InputMode, macro: MacroSpec, input_bits: int | None) -> None:
    kinds = [known.kind for known in macro.input_modes]
    if mode.kind not in kinds:
        raise ConfigError(f"these drivers do {', '.join(kinds)}, not {mode.kind}; choose one of them")
    bits = macro.dac.bits
    if bits is not None and isinstance(mode, BitSerial) and mode.bits_per_pulse > bits:
        raise ConfigError(
            f"these drivers carry {bits} bits a pulse, not {mode.bits_per_pulse}; lower bits_per_pulse"
        )
    if bits is not None and isinstance(mode, MultiLevel) and (input_bits is None or input_bits > bits):
        wanted = "of any level" if input_bits is None else f"of {input_bits} bits a pulse"
        raise ConfigError(f"multi_level needs drivers {wanted}; these carry {bits} bits a pulse")
