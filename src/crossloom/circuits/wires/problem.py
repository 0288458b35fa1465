"""A crossbar, its wires, and what is done to its lines, ready to be solved."""

from dataclasses import dataclass, replace
from math import isinf

import torch

from crossloom.circuits.curves import Curve
from crossloom.circuits.wires.bias import Bias
from crossloom.circuits.wires.effective import check_conductance
from crossloom.circuits.wires.points import Cells
from crossloom.circuits.wires.segments import Segments
from crossloom.errors import ConfigError


@dataclass(frozen=True)
class Problem:
    """conductance: S, [row, column], float64 like all of `bias`."""

    curve: Curve
    conductance: torch.Tensor
    ends: Segments
    bias: Bias

    @classmethod
    def checked(cls, curve: Curve, conductance: torch.Tensor, ends: Segments, bias: Bias) -> "Problem":
        """ConfigError unless this is one crossbar, and what is done to its lines."""
        check_conductance(conductance)
        if conductance.dim() != 2:
            raise ConfigError(f"conductance: need one crossbar, [row, column], got {list(conductance.shape)}")
        bias.check((conductance.shape[0], conductance.shape[1]))
        return cls(curve, conductance.double(), ends, bias.double())._connected()

    def _connected(self) -> "Problem":
        """The same with drivers and sensing ends of infinite resistance made into lines that float."""
        ends, bias = self.ends, self.bias
        vectors, columns = bias.num_vectors, self.conductance.shape[1]
        if isinf(ends.before[0]) and not any(map(isinf, ends.before[1:])):
            ends = replace(ends, before=(0.0, *ends.before[1:]))
            bias = replace(bias, floating_rows=torch.ones_like(bias.word_lines, dtype=torch.bool))
        if isinf(ends.behind[-1]) and not any(map(isinf, ends.behind[:-1])):
            ends = replace(ends, behind=(*ends.behind[:-1], 0.0))
            floating = bias.word_lines.new_ones(vectors, columns, dtype=torch.bool)
            bias = replace(bias, floating_columns=floating)
        return replace(self, ends=ends, bias=bias)

    def only(self, vectors: torch.Tensor | slice) -> "Problem":
        """Some of the vectors."""
        return replace(self, bias=self.bias.only(vectors))

    @property
    def cells(self) -> Cells:
        active = self.bias.active
        mask = None if active is None else active.T.unsqueeze(1).to(self.conductance)
        return Cells(self.curve, self.conductance.unsqueeze(-1), mask)

    @property
    def has_wires(self) -> bool:
        """Whether cells meet other voltages than those that are given."""
        return any((*self.ends.before, *self.ends.behind)) or self.bias.is_floating

    @property
    def given(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Voltages behind the ends, V: of word lines [row, 1, vector] and of bit lines [1, column, vector]."""
        rows, columns = self.bias.word_lines.T, self.bias.bit_lines
        if columns is None:
            columns = rows.new_zeros(rows.shape[1], self.conductance.shape[1])
        return rows.unsqueeze(1), columns.T.unsqueeze(0)
