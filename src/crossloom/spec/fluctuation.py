"""Fluctuations: noise of a cell that is neither drawn once nor the same at every read."""

from crossloom.spec.base import Spec
from crossloom.spec.numbers import Positive, Share


class FlickerNoiseSpec(Spec):
    """1/f read noise that grows with the age t of a cell: sigma = g q sqrt(ln((t + t_r) / (2 t_r))).

    coefficient, exponent, limit: q = min(coefficient / x^exponent, limit), x = target / scale.
    read_time: t_r, s.  scale: S.
    """

    coefficient: Positive
    exponent: float
    limit: Positive
    read_time: Positive
    scale: Positive


class TelegraphNoiseSpec(Spec):
    """Random telegraph noise: one trap per affected cell, empty or filled.

    amplitude: share of its conductance that a cell loses while its trap is filled.
    capture_time, emission_time: mean seconds for which the trap stays empty, and filled.
    affected: share of cells that have a trap.
    """

    amplitude: Share
    capture_time: Positive
    emission_time: Positive
    affected: Share = 1.0

    @property
    def occupancy(self) -> float:
        """The share of time for which a trap is filled."""
        return self.emission_time / (self.capture_time + self.emission_time)

    @property
    def rate(self) -> float:
        """1/s; a trap forgets its state as exp(-rate t)."""
        return 1 / self.capture_time + 1 / self.emission_time


class ThermalNoiseSpec(Spec):
    """Johnson noise of a read: sigma_I = sqrt(4 k T g bandwidth), and sigma = sigma_I / voltage.

    bandwidth: Hz.  voltage: that of the read, V.  The temperature is the operating one, else 300 K.
    """

    bandwidth: Positive
    voltage: Positive
