"""Crossbars of ohmic cells whose bit lines alone have resistance: every bit line is a ladder of its own.

From the far end on, what lies above a cell is a conductance G to a source that gives J when shorted:

    G <- G / (1 + G R) + g,    J <- J / (1 + G R) + g v,

with R the segment between two cells. With one voltage v on all rows that conduct this is the closed form
G <- G + g, G <- G G_w / (G + G_w), I = G v. One step is done for all vectors and bit lines at once; what one row
does depends on the rows above it, so the rows take turns.
"""

from collections.abc import Sequence

import torch

from crossloom.circuits.wires.segments import Segments


def is_ladder(ends: Segments) -> bool:
    """Whether word lines have no resistance and bit lines end at the bottom alone."""
    return not any(ends.before) and ends.right is None and ends.top is None


def solve_ladders(
    conductance: torch.Tensor, behind: Sequence[float], voltages: torch.Tensor, bit_lines: torch.Tensor
) -> torch.Tensor:
    """Voltage of every node of the bit lines, V, [row, column, vector].

    conductance: S, [row, column, vector], sensed behind the last row.  behind: ohm, of the wire behind every
    row.  voltages: V, [row, vector].  bit_lines: V, behind the sensing ends, [column, vector].
    """
    above, short, seen = conductance[0] * 0, conductance[0] * 0, []
    for row, cells in enumerate(conductance):
        above, short = above + cells, short + cells * voltages[row]
        seen.append((above, short))
        damping = 1 + above * behind[row]
        above, short = above / damping, short / damping
    nodes, below = [], bit_lines
    for resistance, (above, short) in zip(reversed(behind), reversed(seen), strict=True):
        below = below + resistance * (short - above * below) / (1 + above * resistance)
        nodes.append(below)
    return torch.stack(nodes[::-1])
