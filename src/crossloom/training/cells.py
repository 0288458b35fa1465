"""Integers of weights as cells, and cells as the matrix that converters see; gradients go straight through."""

import torch

from crossloom.circuits import effective_array
from crossloom.mapping import OffsetColumn
from crossloom.training.plan import LayerPlan


def cells_of(plan: LayerPlan, integers: torch.Tensor) -> torch.Tensor:
    """Conductances (S, float64, [row, column]) that the cells of `integers` [output, input] shall have.

    A digit's gradient is that of the weight, shared among the digits in proportion to what they count; of a pair, the
    cell that is not at its lowest level takes it, and half each where both are.
    """
    scheme = plan.scheme
    exact = scheme.encode(integers.detach().T.round().to(torch.int32)).double()
    surrogate = _linear_levels(plan, integers.T.double())
    levels = exact + (surrogate - surrogate.detach())
    return scheme.g_min + levels * scheme.level_step


def matrix_of_cells(plan: LayerPlan, conductance: torch.Tensor) -> torch.Tensor:
    """What converters multiply by, [converted output, input], in levels."""
    matrix = effective_array(conductance, None, plan.wiring, plan.scheme.level_step).matrix
    return matrix.T.float() / plan.scheme.row_copies  # the gain counts copies already


def decode(plan: LayerPlan, sums: torch.Tensor) -> torch.Tensor:
    """Products [vector, output, *positions] of those of converted outputs."""
    return plan.scheme.decode(sums).to(sums.dtype)


def planes_of(plan: LayerPlan, weight: torch.Tensor) -> torch.Tensor:
    """What converters multiply by, [converted output, input], so that `weight` [output, input] comes out decoded.

    Of all such matrices that with the smallest numbers, and nothing in a reference column.
    """
    counts = weight.new_tensor(plan.scheme.coefficients)
    planes = (counts / counts.square().sum()).view(-1, 1, 1) * weight
    reference = weight.new_zeros(plan.scheme.num_reference_outputs, weight.shape[1])
    return torch.cat([planes.flatten(0, 1), reference])


def _linear_levels(plan: LayerPlan, weight: torch.Tensor) -> torch.Tensor:
    """Levels whose derivatives by `weight` [input, output] are those that training uses; their values mean nothing."""
    scheme = plan.scheme
    counts = weight.new_tensor(scheme.cut(torch.zeros(0, dtype=torch.int32)).coefficients)
    shares = (counts.sign() / counts.abs().sum()).view(-1, 1, 1)
    planes = shares * weight
    reference = weight.new_zeros(len(weight), 1)
    if isinstance(scheme.encoding, OffsetColumn):
        return scheme.lay(planes.unsqueeze(0), reference)
    above = (1 + weight.detach().sign()) / 2
    return scheme.lay(torch.stack([planes * above, planes * (above - 1)]), reference)
