"""Currents of a cell whose every state is a mixture of two measured ends."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from crossloom.spec import SynaptogenFit


@dataclass(frozen=True)
class MixtureIV:
    """I(U) = (1 - r) conducting(U) + r insulating(U), where r is linear in the static conductance.

    conducting, insulating: polynomials in V from the highest power down, A, without a constant.
    voltage: V, at which static conductance is what a cell's state gives. All methods broadcast.
    """

    conducting: tuple[float, ...]
    insulating: tuple[float, ...]
    voltage: float

    @classmethod
    def of(cls, fit: SynaptogenFit) -> "MixtureIV":
        """The currents of a fit."""
        return cls(fit.conducting, fit.insulating, fit.read_voltage)

    @property
    def ends(self) -> tuple[float, float]:
        """Static conductance of the conducting and of the insulating end, S; the second one may lie below 0."""
        chords = (_over_voltage(self.conducting), _over_voltage(self.insulating))
        return _value(chords[0], self.voltage), _value(chords[1], self.voltage)

    def share(self, conductance: torch.Tensor) -> torch.Tensor:
        """r: how much of the insulating end is in cells of this static conductance (S)."""
        conducting, insulating = self.ends
        return (conducting - conductance) / (conducting - insulating)

    def current(self, conductance: torch.Tensor, voltage: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Current (A) of cells of this static conductance (S) at a voltage (V), and its slope (S)."""
        share = self.share(conductance)
        slopes = _derivative(self.conducting), _derivative(self.insulating)
        current = _mix(share, _value(self.conducting, voltage), _value(self.insulating, voltage))
        return current, _mix(share, _value(slopes[0], voltage), _value(slopes[1], voltage))

    def separable_terms(
        self, conductance: torch.Tensor
    ) -> list[tuple[torch.Tensor, Callable[[torch.Tensor], torch.Tensor]]]:
        """Pairs of a matrix a_k (like `conductance`) and a function phi_k with currents sum_k a_k phi_k(voltage)."""
        share = self.share(conductance)
        return [
            (1 - share, lambda voltage: _value(self.conducting, voltage)),
            (share, lambda voltage: _value(self.insulating, voltage)),
        ]

    def chords(self, voltage: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """I / U of both ends, S: finite at 0 V too."""
        conducting, insulating = _over_voltage(self.conducting), _over_voltage(self.insulating)
        return _value(conducting, voltage), _value(insulating, voltage)

    def conductance_through(self, current: torch.Tensor, voltage: torch.Tensor) -> torch.Tensor:
        """Static conductance (S) of the cells through which this current (A) flows at this voltage (V, not 0)."""
        conducting, insulating = (_value(end, voltage) for end in (self.conducting, self.insulating))
        share = (current - conducting) / (insulating - conducting)
        return _mix(share, *self.ends)


def _value(polynomial: tuple[float, ...], x):
    """By Horner's rule, of a float or a tensor of any shape."""
    total = 0.0 * x
    for coefficient in polynomial:
        total = total * x + coefficient
    return total


def _derivative(polynomial: tuple[float, ...]) -> tuple[float, ...]:
    degree = len(polynomial) - 1
    return tuple(coefficient * (degree - i) for i, coefficient in enumerate(polynomial[:-1]))


def _over_voltage(polynomial: tuple[float, ...]) -> tuple[float, ...]:
    return polynomial[:-1]


def _mix(share: torch.Tensor, conducting, insulating) -> torch.Tensor:
    return (1 - share) * conducting + share * insulating
