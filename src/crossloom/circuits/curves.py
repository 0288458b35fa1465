"""How much current a cell carries at a voltage: curves of cells, and what lies in series with them.

A curve says `current(conductance, voltage) -> (current, slope)`: S and V in, A and S out, all broadcast. Currents
are 0 at 0 V and never fall as the voltage rises.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

from crossloom.circuits.shapes import Polynomial, Shape, Sinh, Table
from crossloom.spec import AccessSpec, IvSpec, PolynomialIvSpec, SinhIvSpec

Term = tuple[torch.Tensor, Callable[[torch.Tensor], torch.Tensor]]
_MOST_STEPS = 200


@runtime_checkable
class Curve(Protocol):
    """Current and slope of cells."""

    def current(self, conductance: torch.Tensor, voltage: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Current (A) of cells of this conductance (S) at a voltage (V), and its slope over the voltage (S)."""
        ...


@runtime_checkable
class Separable(Protocol):
    """A curve that is a sum of products, i = sum_k a_k(g) phi_k(v): without wires an MVM is matrix products."""

    def separable_terms(self, conductance: torch.Tensor) -> list[Term]:
        """Pairs of a matrix a_k, of the shape of `conductance`, and a function phi_k of voltages."""
        ...


@dataclass(frozen=True)
class Ohmic:
    """Cells that are resistors, in series with `resistance` ohm."""

    resistance: float = 0.0

    def static(self, conductance: torch.Tensor) -> torch.Tensor:
        """Conductance (S) of the cells with what is in series."""
        return conductance / (1 + conductance * self.resistance) if self.resistance else conductance

    def current(self, conductance: torch.Tensor, voltage: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        slope = self.static(conductance)
        current = slope * voltage
        return current, slope.expand_as(current)

    def separable_terms(self, conductance: torch.Tensor) -> list[Term]:
        return [(self.static(conductance), lambda voltage: voltage)]


@dataclass(frozen=True)
class Proportional:
    """i = g f(v): every cell has the same shape f (V over V)."""

    shape: Shape

    def current(self, conductance: torch.Tensor, voltage: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        value, slope = self.shape(voltage)
        return conductance * value, conductance * slope

    def separable_terms(self, conductance: torch.Tensor) -> list[Term]:
        return [(conductance, lambda voltage: self.shape(voltage)[0])]


@dataclass(frozen=True)
class InSeries:
    """A curve of cells with `resistance` ohm in series with each: i = f(v - resistance * i)."""

    curve: Curve
    resistance: float

    def current(self, conductance: torch.Tensor, voltage: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.no_grad():
            inner = self._inner_voltage(conductance, voltage)
        current, slope = self.curve.current(conductance, inner)
        damped = 1 + self.resistance * slope.detach()
        if (
            current.requires_grad or voltage.requires_grad
        ):  # a Newton step that goes nowhere, but has the slope
            inner = inner - (inner + self.resistance * current - voltage) / damped
            current, slope = self.curve.current(conductance, inner)
        return current, slope / (1 + self.resistance * slope)

    def _inner_voltage(self, conductance: torch.Tensor, voltage: torch.Tensor) -> torch.Tensor:
        """What is left for the cell: Newton's method, which never leaves the bracket between 0 and `voltage`."""
        conductance, voltage = torch.broadcast_tensors(conductance, voltage)
        low, high = voltage.clamp(max=0), voltage.clamp(min=0)
        inner = voltage
        for _ in range(_MOST_STEPS):
            current, slope = self.curve.current(conductance, inner)
            excess = inner + self.resistance * current - voltage
            low, high = torch.where(excess <= 0, inner, low), torch.where(excess >= 0, inner, high)
            following = inner - excess / (1 + self.resistance * slope)
            is_inside = (following >= low) & (following <= high)
            following = torch.where(is_inside, following, (low + high) / 2)
            if bool(((following - inner).abs() <= 4e-16 * voltage.abs()).all()):
                return following
            inner = following
        return inner


def make_curve(iv: IvSpec | None, access: AccessSpec | None = None) -> Curve:
    """The curve of cells of this specification; None is ohmic, and nothing in series."""
    resistance = 0.0 if access is None else access.resistance
    if iv is None:
        return Ohmic(resistance)
    return in_series(Proportional(_shape_of(iv)), resistance)


def in_series(curve: Curve, resistance: float) -> Curve:
    """The same cells with `resistance` (ohm) in series with each."""
    if not resistance:
        return curve
    if isinstance(curve, Ohmic):
        return Ohmic(curve.resistance + resistance)
    return InSeries(curve, resistance)


def separable_terms(curve: Curve, conductance: torch.Tensor) -> list[Term] | None:
    """Pairs (a_k, phi_k) with i = sum_k a_k phi_k(v); None where the curve is no such sum."""
    return curve.separable_terms(conductance) if isinstance(curve, Separable) else None


def _shape_of(iv: IvSpec) -> Shape:
    if isinstance(iv, PolynomialIvSpec):
        return Polynomial(iv.coefficients, iv.is_mirrored, iv.limit)
    if isinstance(iv, SinhIvSpec):
        return Sinh(iv.voltage)
    return Table(iv.voltages, iv.factors)
