"""A quick estimate of what wires do, for sweeps over many crossbars."""

import torch

from crossloom.circuits.wires.effective import check_conductance
from crossloom.circuits.wires.segments import segments
from crossloom.errors import ConfigError
from crossloom.spec import Wires


def approximate_conductance(conductance: torch.Tensor, wires: Wires) -> torch.Tensor:
    """An estimate of `effective_conductance` in a few sums over rows and columns; same arguments and shapes.

    Every cell is divided by 1 + what its row loses on the way to it + what its column loses on the way out, as
    if every cell carried its ideal current:

        g / ((1 + sum_k g_ik R_row(min(j, k))) (1 + sum_m g_mj R_column(max(i, m))))

    That is right to first order in the resistances; docs/crossbars.md shows how far off it is. It knows
    one driver and one sensing end.

    Raises ConfigError as `effective_conductance` does, and for wires with second ends or open ones.
    """
    check_conductance(conductance)
    ends = segments(wires, conductance.shape[-2], conductance.shape[-1])
    if ends.right is not None or ends.top is not None or ends.turned or not ends.is_connected:
        raise ConfigError(
            "approximate_conductance knows one driver and one sensing end of finite resistance; use "
            "effective_conductance for others"
        )
    exact = conductance.double()
    to_cell = exact.new_tensor(ends.before).cumsum(0)
    to_ground = exact.new_tensor(ends.behind).flip(0).cumsum(0).flip(0).unsqueeze(1)
    rows = _loss(exact, to_cell, -1)
    columns = _loss(exact.flip(-2), to_ground.flip(0), -2).flip(-2)
    return (exact / ((1 + rows) * (1 + columns))).to(conductance.dtype)


def _loss(conductance: torch.Tensor, path: torch.Tensor, axis: int) -> torch.Tensor:
    """sum_k g_k path(min(j, k)) along an axis on which `path` grows."""
    passed = (conductance * path).cumsum(axis)
    total = conductance.sum(axis, keepdim=True)
    return passed + path * (total - conductance.cumsum(axis))
