"""Kinds of analog-to-digital converters, and what is wrong with each.

Levels and offsets are in codes: one code is one least significant bit. What is drawn is drawn once per chip.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from crossloom.spec.base import Spec, by_kind
from crossloom.spec.numbers import Count, NonNegative, Share

MAX_BITS = 12
"""The widest converter of which every transition is kept: 4,095 numbers each."""


class IdealAdc(Spec):
    """Every transition is half-way between its codes: `round`, with ties to even, then `clamp`."""

    kind: Literal["ideal"] = "ideal"

    @property
    def has_own_transitions(self) -> bool:
        """Whether its transitions lie elsewhere than those of an ideal converter."""
        return False

    def imperfections(self) -> Mapping[str, bool]:
        """Whether each thing that may be wrong with it is switched on, by name: there is none."""
        return {}


class RampAdc(Spec):
    """One ramp for many columns, each with a comparator: the code is the step at which the ramp passes the column.

    columns_per_ramp: columns that one ramp serves; None for all of a macro.
    slope_error: standard deviation, over ramps, of the share by which codes come out too large, as they do where
        the ramp is too flat.
    nonlinearity: how far the ramp is from its straight line, in codes, at evenly spaced steps from the first
        transition to the last, with straight lines between: the same for every ramp. Where it falls, the first
        passing counts.
    comparator_offset: standard deviation over comparators, in codes.
    """

    kind: Literal["ramp"] = "ramp"
    columns_per_ramp: Count | None = None
    slope_error: NonNegative | None = None
    nonlinearity: Annotated[tuple[float, ...], Field(min_length=2)] | None = None
    comparator_offset: NonNegative | None = None

    @property
    def has_own_transitions(self) -> bool:
        """Whether its transitions lie elsewhere than those of an ideal converter, slope and offset aside."""
        return any(self.nonlinearity or ())

    def imperfections(self) -> Mapping[str, bool]:
        """Whether each thing that may be wrong with it is switched on, by name."""
        return {
            "adc.slope_error": bool(self.slope_error),
            "adc.nonlinearity": self.has_own_transitions,
            "adc.comparator_offset": bool(self.comparator_offset),
        }


class SarAdc(Spec):
    """Successive approximation with binary-weighted capacitors: the highest bit is decided first.

    capacitor_mismatch: standard deviation of one unit capacitor, as a share; one of 2^i units has 2^(-i/2) of it.
    comparator_offset: standard deviation over converters, in codes.
    """

    kind: Literal["sar"] = "sar"
    capacitor_mismatch: Share | None = None
    comparator_offset: NonNegative | None = None

    @property
    def has_own_transitions(self) -> bool:
        """Whether its transitions lie elsewhere than those of an ideal converter, offset aside."""
        return bool(self.capacitor_mismatch)

    def imperfections(self) -> Mapping[str, bool]:
        """Whether each thing that may be wrong with it is switched on, by name."""
        return {
            "adc.capacitor_mismatch": self.has_own_transitions,
            "adc.comparator_offset": bool(self.comparator_offset),
        }


Adc = Annotated[IdealAdc | RampAdc | SarAdc, Field(discriminator="kind"), BeforeValidator(by_kind)]
