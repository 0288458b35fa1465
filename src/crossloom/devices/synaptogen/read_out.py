"""Currents and noise of cells that are read, one by one or as a whole array without wires."""

import torch

from crossloom.devices.synaptogen.mixture_iv import MixtureIV

_BOLTZMANN = 1.380649e-23  # J/K, exact (SI 2019)
_CHARGE = 1.602176634e-19  # C, exact (SI 2019)


def noise_variance(
    chord: torch.Tensor, voltage: torch.Tensor, bandwidth: float, temperature: float
) -> torch.Tensor:
    """Thermal and shot noise, A^2: (4 k T |I/U| + 2 e |I|) bandwidth, where `chord` is I/U in S."""
    return (4 * _BOLTZMANN * temperature + 2 * _CHARGE * voltage.abs()) * chord.abs() * bandwidth


def column_currents(iv: MixtureIV, conductance: torch.Tensor, voltages: torch.Tensor) -> torch.Tensor:
    """Currents (A) [..., column] of an array [row, column] of static conductances (S), inputs [..., row] in V.

    One matrix product: sum_i P_low(U_i) (1 - r_ij) + P_high(U_i) r_ij, without wires.
    """
    return _folded(iv, conductance, voltages, voltages)


def column_noise(
    iv: MixtureIV, conductance: torch.Tensor, voltages: torch.Tensor, bandwidth: float, temperature: float
) -> torch.Tensor:
    """Variance (A^2) [..., column] of one read of `column_currents`, as one more matrix product.

    Exact while the current of every cell flows the way its voltage does: |I/U| is linear in r then.
    """
    ones = torch.ones_like(voltages)
    return _folded(iv, conductance, voltages, noise_variance(ones, voltages, bandwidth, temperature))


def _folded(
    iv: MixtureIV, conductance: torch.Tensor, voltages: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """sum_i weight_i (I/U)_ij; what does not depend on the cells is a sum over rows."""
    conducting, insulating = iv.chords(voltages)
    base = (weight * conducting).sum(-1, keepdim=True)
    return base + (weight * (insulating - conducting)) @ iv.share(conductance)
