"""The exact effective conductance of a crossbar of ohmic cells with resistive wires."""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from crossloom.circuits.wires.elimination import Elimination, eliminate
from crossloom.circuits.wires.segments import Segments, segments
from crossloom.errors import ConfigError
from crossloom.spec import Wires


class _Transfer(torch.autograd.Function):
    """The transfer matrix of [batch, row, column] cells, with the gradient of one more sweep."""

    @staticmethod
    def forward(ctx: Any, conductance: torch.Tensor, ends: Segments) -> torch.Tensor:
        eliminated = eliminate(conductance.double(), ends, keep=ctx.needs_input_grad[0])
        ctx.eliminated = eliminated if ctx.needs_input_grad[0] else None
        return eliminated.transfer.to(conductance.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> tuple[torch.Tensor, None]:
        eliminated: Elimination = ctx.eliminated
        return eliminated.pull_back(slope.double()).to(slope.dtype), None


def effective_conductance(conductance: torch.Tensor, wires: Wires) -> torch.Tensor:
    """The matrix by which a crossbar of ohmic cells multiplies: currents = voltages @ result.

    Args:
        conductance: S, [..., row, column]; any number of crossbars at once.
        wires: one driver at the left of every word line, one sensing end at the bottom of every bit line, and
            perhaps second ones at the other ends.

    Returns: S, the shape and type of `conductance`, computed in float64. Exact to about 1e-12 of its largest
    entry. It can be differentiated with respect to every conductance, once.

    Raises ConfigError for conductances that are negative or not finite, or for no cells at all.
    """
    check_conductance(conductance)
    shape = conductance.shape
    return transfer(conductance.reshape(-1, *shape[-2:]), segments(wires, shape[-2], shape[-1])).reshape(
        shape
    )


def transfer(conductance: torch.Tensor, ends: Segments) -> torch.Tensor:
    """`effective_conductance` of [batch, row, column] cells that have been checked."""
    if not ends.is_connected:
        return conductance * 0.0
    if ends.is_zero:
        return conductance.clone()
    result = _Transfer.apply(conductance, ends)
    assert isinstance(result, torch.Tensor)
    return result


def check_conductance(conductance: torch.Tensor) -> None:
    """ConfigError unless these are conductances of at least one cell."""
    if not isinstance(conductance, torch.Tensor):
        raise ConfigError(
            f"conductance: need a tensor, got {type(conductance).__name__}; Crossbar(...) takes NumPy arrays"
        )
    if conductance.dim() < 2 or 0 in conductance.shape:
        raise ConfigError(
            f"conductance: need [..., row, column] with at least one cell, got {list(conductance.shape)}"
        )
    if not conductance.is_floating_point():
        raise ConfigError(f"conductance: need floating-point numbers in siemens, got {conductance.dtype}")
    known = conductance.detach()
    wrong = ~(torch.isfinite(known) & (known >= 0))
    if wrong.any():
        where = wrong.nonzero()[0].tolist()
        value = known[tuple(where)].item()
        raise ConfigError(f"conductance: need finite values >= 0 siemens, got {value:g} at {where}")
