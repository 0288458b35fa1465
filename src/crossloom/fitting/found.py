"""What one part of a fit finds, and how estimates become parameters with intervals."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crossloom.fitting.config import FitConfig
from crossloom.fitting.distributions import t_quantile
from crossloom.fitting.fit import FittedEffect, FittedParameter
from crossloom.fitting.likelihood import Estimate
from crossloom.spec import PulseSpec, SpreadSpec


@dataclass(frozen=True)
class Found:
    """Fields of the device's specification, the answer to pulses, and the effects and notes that go with them."""

    device: Mapping[str, Any] = field(default_factory=dict)
    pulse: PulseSpec | None = None
    effects: tuple[FittedEffect, ...] = ()
    notes: tuple[str, ...] = ()

    def __add__(self, other: "Found") -> "Found":
        return Found(
            {**self.device, **other.device},
            self.pulse or other.pulse,
            self.effects + other.effects,
            self.notes + other.notes,
        )


def name_coefficients(path: str, spread: SpreadSpec) -> list[str]:
    return [f"{path}.coefficients[{power}]" for power in range(len(spread.coefficients))]


def make_parameters(
    names: Iterable[str], units: Iterable[str], estimate: Estimate, config: FitConfig
) -> tuple[FittedParameter, ...]:
    """Parameters with standard errors and intervals by Student's t."""
    width = t_quantile((1 + config.confidence) / 2, estimate.degrees_of_freedom)
    numbers = zip(names, units, estimate.values.tolist(), estimate.errors.tolist(), strict=True)
    return tuple(
        FittedParameter(
            name, value, unit, error, value - width * error, value + width * error, config.confidence
        )
        for name, unit, value, error in numbers
    )
