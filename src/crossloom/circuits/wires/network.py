"""Wires with ohmic stand-ins for the cells, for many vectors at once."""

from copy import copy

import torch

from crossloom.circuits.wires.bias import Bias
from crossloom.circuits.wires.elimination import CellStates, eliminate
from crossloom.circuits.wires.segments import Segments


class Network:
    """A linear network: solving it is one sweep.

    slope: S of the stand-ins, [row, column, 1] for one set that all vectors share, or [row, column, vector].
    All tensors that come and go are [row, column, vector].
    """

    def __init__(self, slope: torch.Tensor, ends: Segments, bias: Bias) -> None:
        self._is_shared = slope.shape[-1] == 1
        self._elimination = eliminate(slope.movedim(-1, 0).contiguous(), ends, keep=True)
        self._floating = None
        if bias.is_floating:
            shape = (bias.num_vectors, slope.shape[0], slope.shape[1])
            rows, columns = _masks(bias, shape)
            self._floating = self._elimination.floating_lines(self._pack(rows), self._pack(columns))

    def solve(self, bias: Bias, extra: torch.Tensor | None) -> CellStates:
        """Currents and voltages at the cells with `extra` (A) through each beside what its stand-in carries."""
        bit_lines = None if bias.bit_lines is None else self._pack(bias.bit_lines.T)
        return self._states(self._pack(bias.word_lines.T), extra, bit_lines)

    def step(self, extra: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """By how much `extra` (A) alone changes voltage and current of every cell."""
        idle = self._pack(extra.new_zeros(extra.shape[0], extra.shape[-1]))
        states = self._states(idle, extra, None)
        return states.voltage, states.current

    def only(self, vectors: torch.Tensor) -> "Network":
        """The same for some of the vectors; for stand-ins that all vectors share."""
        assert self._is_shared
        part = copy(self)
        part._floating = None if self._floating is None else self._floating.only(vectors)
        return part

    def _states(
        self, voltages: torch.Tensor, extra: torch.Tensor | None, bit_lines: torch.Tensor | None
    ) -> CellStates:
        sources = None if extra is None else self._pack(extra)
        states = self._elimination.cell_states(voltages, sources, bit_lines, self._floating)
        return CellStates(*map(self._unpack, (states.current, states.word_line, states.bit_line)))

    def _pack(self, values: torch.Tensor) -> torch.Tensor:
        """[..., vector] to [batch, ..., vector]: stand-ins of its own make every vector a batch."""
        return values.unsqueeze(0) if self._is_shared else values.movedim(-1, 0).unsqueeze(-1)

    def _unpack(self, values: torch.Tensor) -> torch.Tensor:
        return values.squeeze(0) if self._is_shared else values.squeeze(-1).movedim(0, -1)


def _masks(bias: Bias, shape: tuple[int, int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Floating rows [row, vector] and columns [column, vector]."""
    num_vectors, num_rows, num_columns = shape
    rows, columns = bias.floating_rows, bias.floating_columns
    like = bias.word_lines.device
    if rows is None:
        rows = torch.zeros(num_vectors, num_rows, dtype=torch.bool, device=like)
    if columns is None:
        columns = torch.zeros(num_vectors, num_columns, dtype=torch.bool, device=like)
    return rows.T, columns.T
