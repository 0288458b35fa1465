"""Currents of crossbars that are not linear, with gradients from the circuit that is linear where they rest.

At rest, an extra current e through the cells changes their voltages by -Z e, with Z symmetric since the network is
reciprocal, and so changes sum c I, the outputs weighted by c, by (c - Z D c) e, D being the cells' slopes. What
conductances and voltages change comes down to such extra currents, so that one sweep gives all gradients.
"""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from crossloom.circuits.curves import Curve
from crossloom.circuits.wires.bias import Bias
from crossloom.circuits.wires.network import Network
from crossloom.circuits.wires.newton import CELLS_ALONE, TOLERANCE, chunks, solve
from crossloom.circuits.wires.problem import Problem
from crossloom.circuits.wires.segments import Segments

Gradients = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def differentiable_currents(
    curve: Curve, conductance: torch.Tensor, ends: Segments, bias: Bias, tolerance: float = TOLERANCE
) -> torch.Tensor:
    """`solve(...).currents`, [vector, column], with gradients for conductances and all voltages, once.

    A backward pass costs one elimination a vector; its own error is about the residual that `solve` left.
    """
    bit_lines = bias.bit_lines
    if bit_lines is None:
        bit_lines = bias.word_lines.new_zeros(bias.num_vectors, conductance.shape[1])
    result = _Currents.apply(conductance, bias.word_lines, bit_lines, bias, curve, ends, tolerance)
    assert isinstance(result, torch.Tensor)
    return result


class _Currents(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        conductance: torch.Tensor,
        word_lines: torch.Tensor,
        bit_lines: torch.Tensor,
        bias: Bias,
        curve: Curve,
        ends: Segments,
        tolerance: float,
    ) -> torch.Tensor:
        solution = solve(curve, conductance, ends, bias, tolerance=tolerance)
        ctx.problem = Problem.checked(curve, conductance.detach(), ends, bias.detach())
        ctx.save_for_backward(conductance, word_lines, bit_lines, solution.voltage)
        return solution.currents.to(conductance.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        *inputs, voltage = ctx.saved_tensors
        problem: Problem = ctx.problem
        parts = [
            _pull_back(problem.only(part), voltage[part].movedim(0, -1), slope[part].double())
            for part in chunks(len(slope), problem.conductance.numel(), CELLS_ALONE)
        ]
        total = sum(part[0] for part in parts)
        assert isinstance(total, torch.Tensor)
        lines = (torch.cat([part[which] for part in parts]) for which in (1, 2))
        gradients = [each.to(like.dtype) for each, like in zip((total, *lines), inputs, strict=True)]
        return (*gradients, None, None, None, None)


def _pull_back(problem: Problem, voltage: torch.Tensor, slope: torch.Tensor) -> Gradients:
    """From the gradient for outputs, [vector, column], to those for conductances, word lines and bit lines."""
    cells = problem.cells
    with torch.enable_grad():
        conductance = cells.conductance.detach().requires_grad_()
        current, steepness = cells.but(conductance).current(voltage)
    steepness = steepness.detach().expand_as(voltage)
    weights = slope.T.unsqueeze(0)
    if problem.bias.floating_columns is not None:
        weights = weights.masked_fill(problem.bias.floating_columns.T.unsqueeze(0), 0.0)
    extra = weights.expand_as(voltage)
    if not problem.ends.is_connected:
        extra = torch.zeros_like(extra)
    elif problem.has_wires:
        extra = extra + Network(steepness, problem.ends, problem.bias).step(steepness * weights)[0]
    (through,) = torch.autograd.grad(current, conductance, extra)
    along = steepness * extra
    return through.squeeze(-1), along.sum(1).T, -along.sum(0).T
