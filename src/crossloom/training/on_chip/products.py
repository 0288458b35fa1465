"""How a learning array multiplies: real numbers become codes, go through drivers and converters, and come back."""

from math import floor, log2

import torch

from crossloom.circuits import expand
from crossloom.hardware import DenseCodes, Draw, InputFormat, MvmCommand
from crossloom.mapping import legal_integration_time
from crossloom.training.on_chip.array import LearningArray
from crossloom.training.on_chip.sites import LearningTile

_SHARE = 0.999  # of the sums that a converter's range is to hold
_MOST_VECTORS = 64  # that choose it
_GRID = 4  # integration times to the octave, where any number will do: a range that moves a little stays


class ChipProducts:
    """Products of an array through its converters.

    Inputs have one step: the largest magnitude seen while learning is the largest code. Ranges of converters follow the
    weights: at every `observe` those integration times are taken at which 99.9 % of the sums that the cells last read
    should give are in range.
    """

    def __init__(self, array: LearningArray, input_bits: int | None) -> None:
        spec = array.backend.spec
        self._array, self._macro = array, spec.macro
        self._bits = input_bits or spec.precision.activation_bits
        self._is_signed = bool(spec.precision.activations_are_signed)
        self._largest = 0.0
        cell = spec.macro.cell
        self._level_step = cell.g_max - cell.g_min  # one level is the whole window: sums are in full cells
        self._times = [1.0] * len(array.tiles)
        self.num_mvms = 0

    def observe(self, vectors: torch.Tensor) -> None:
        """Let the ranges of inputs and converters follow `vectors` [vector, input] and the weights last read."""
        self._largest = max(self._largest, vectors.abs().max().item() if vectors.numel() else 0.0)
        self._is_signed = self._is_signed or bool((vectors < 0).any())
        if self._macro.readout.code_range is not None:
            codes = self._codes(vectors[:_MOST_VECTORS])
            self._times = [self._time(tile, codes) for tile in self._array.tiles]

    def __call__(self, vectors: torch.Tensor, draw: Draw) -> torch.Tensor:
        """The products [vector, output] of `vectors` [vector, input], float32."""
        layout, codes = self._array.layout, self._codes(vectors)
        answer = vectors.new_zeros(len(vectors), self._array.shape[0], dtype=torch.float64)
        for tile, time in zip(self._array.tiles, self._times, strict=True):
            command = self._command(tile, time)
            part = DenseCodes(codes[:, tile.inputs], len(vectors))
            sums = self._array.backend.mvm(command, part, draw).sums.to("cpu", torch.float64)
            self.num_mvms += len(vectors)
            gain = self._macro.gain(command.integration_time, self._level_step)
            answer[:, tile.outputs] += layout.joined(sums) / gain
        return (answer * (self._step * self._level_step / self._array.scale.unit)).to(vectors.dtype)

    @property
    def _inputs(self) -> InputFormat:
        return InputFormat(self._macro.input_modes[0], self._bits, self._is_signed)

    @property
    def _step(self) -> float:
        return (self._largest or 1.0) / self._inputs.largest

    def _codes(self, vectors: torch.Tensor) -> torch.Tensor:
        largest = self._inputs.largest
        codes = (vectors.detach() / self._step).round()
        return codes.clamp_(-largest if self._is_signed else 0, largest)

    def _command(self, tile: LearningTile, time: float) -> MvmCommand:
        wiring = self._array.layout.wiring
        return MvmCommand(tile.address, tile.region, self._inputs, wiring, time, self._level_step)

    def _time(self, tile: LearningTile, codes: torch.Tensor) -> float:
        """The integration time at which the sums of all cycles of `codes` fit the converter's range."""
        pairs = self._array.pairs[:, tile.outputs, tile.inputs]
        matrix = self._array.layout.matrix(pairs) / self._level_step
        cycles = expand(DenseCodes(codes[:, tile.inputs], len(codes)), self._inputs, self._macro.dac)
        sums = (cycles.codes.values.double() @ matrix.T).abs().flatten()
        largest = sums.kthvalue(max(round(_SHARE * len(sums)), 1)).values.item() if len(sums) else 0.0
        assert self._macro.readout.code_range is not None
        top, unit = self._macro.readout.code_range[1], self._macro.gain(1.0, self._level_step)
        wanted = top / (max(largest, 1e-6) * unit)
        if self._macro.readout.max_time is None:
            wanted = 2.0 ** (floor(log2(wanted) * _GRID) / _GRID)
        return legal_integration_time(wanted, self._macro)
