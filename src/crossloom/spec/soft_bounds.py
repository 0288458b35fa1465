"""Soft bounds: pulses do less the nearer a cell comes to its bound."""

from typing import Literal

from crossloom.spec.base import Spec
from crossloom.spec.numbers import NonNegative, Positive
from crossloom.spec.spread import Spread


class SoftBoundsDeviceSpec(Spec):
    """Cells whose pulses change g by up (1 - g / bound), or by -down g / bound, each pulse with its own luck.

    up, down: S, the most that one nominal pulse does.  bound: S; None for the cell's g_max.
    pulse_spread: standard deviation of one pulse's effect, as a share of it.
    device_spread, bound_spread: standard deviations, from cell to cell, of up and down and of the bound, as shares.
    read_noise: S, drawn anew at every read.
    """

    kind: Literal["soft_bounds"] = "soft_bounds"
    up: Positive
    down: Positive
    bound: Positive | None = None
    pulse_spread: NonNegative = 0.0
    device_spread: NonNegative = 0.0
    bound_spread: NonNegative = 0.0
    read_noise: Spread | None = None
