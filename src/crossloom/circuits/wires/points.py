"""Points of a crossbar between where it is and where it rests, and how far to go from one to the next; see `walks`."""

from dataclasses import dataclass

import torch

from crossloom.circuits.curves import Curve

_FLAT = 0.1  # a step ends where the co-content falls this much slower than where it began
_NOISE = 1e-15
_MOST_TRIALS = 60


@dataclass(frozen=True)
class Cells:
    """Cells of all vectors. conductance: S, [row, column, 1].  active: 1 or 0, [row, 1, vector]; None for all 1."""

    curve: Curve
    conductance: torch.Tensor
    active: torch.Tensor | None

    def current(self, voltage: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Current (A) and slope (S) at voltages (V), all [row, column, vector]."""
        current, slope = self.curve.current(self.conductance, voltage)
        return (current, slope) if self.active is None else (current * self.active, slope * self.active)

    def but(self, conductance: torch.Tensor) -> "Cells":
        """Cells of another conductance."""
        return Cells(self.curve, conductance, self.active)

    def only(self, vectors: torch.Tensor | slice) -> "Cells":
        """Some of the vectors."""
        active = None if self.active is None else self.active[..., vectors]
        return Cells(self.curve, self.conductance, active)


@dataclass(frozen=True)
class Point:
    """voltage: V.  current: A, that the wires bring.  true: A, that the cells carry at this voltage.  slope: S.

    All [row, column, vector].
    """

    voltage: torch.Tensor
    current: torch.Tensor
    true: torch.Tensor
    slope: torch.Tensor

    @classmethod
    def at(cls, cells: Cells, voltage: torch.Tensor, current: torch.Tensor) -> "Point":
        return cls(voltage, current, *cells.current(voltage))

    @property
    def mismatch(self) -> torch.Tensor:
        return self.true - self.current

    @property
    def residual(self) -> torch.Tensor:
        """Of every vector: the largest sum of |mismatch| along a bit line over the largest sum of |true| along one."""
        largest = self.true.abs().sum(0).amax(0)
        return self.mismatch.abs().sum(0).amax(0) / torch.where(largest > 0, largest, 1.0)

    def only(self, vectors: torch.Tensor | slice) -> "Point":
        """Some of the vectors."""
        return Point(*(part[..., vectors] for part in (self.voltage, self.current, self.true, self.slope)))

    def move(self, cells: Cells, step: tuple[torch.Tensor, torch.Tensor]) -> "Point":
        """The lowest point along a step downhill, about."""
        length = _length(cells, self, step)
        return Point.at(cells, self.voltage + length * step[0], self.current + length * step[1])


def _length(cells: Cells, point: Point, step: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """How far to go, [vector]: a search for the zero of the slope, which rises all the way, by false position."""
    first = (point.mismatch * step[0]).sum((0, 1))
    enough = _FLAT * first.abs() + _NOISE * (point.true * step[0]).abs().sum((0, 1))
    length = torch.ones_like(first)
    low, at_low = torch.zeros_like(first), first
    high, at_high = torch.full_like(first, torch.inf), torch.full_like(first, torch.inf)
    left = torch.arange(len(first), device=first.device)
    for _ in range(_MOST_TRIALS):
        here = _slope_at(cells.only(left), point.only(left), [part[..., left] for part in step], length[left])
        is_up = here > 0
        low[left], at_low[left] = (
            torch.where(is_up, low[left], length[left]),
            torch.where(is_up, at_low[left], here),
        )
        high[left], at_high[left] = (
            torch.where(is_up, length[left], high[left]),
            torch.where(is_up, here, at_high[left]),
        )
        left = left[~(here.abs() <= enough[left])]
        if not len(left):
            break
        length[left] = _between(low[left], at_low[left], high[left], at_high[left], first[left])
    return length


def _between(
    low: torch.Tensor, at_low: torch.Tensor, high: torch.Tensor, at_high: torch.Tensor, first: torch.Tensor
) -> torch.Tensor:
    """The next length to try; where nothing too long is known yet, up to four times as far."""
    line = low + (high - low) * at_low / (at_low - at_high)
    inside = torch.minimum(torch.maximum(line, low + 0.05 * (high - low)), high - 0.05 * (high - low))
    ahead = low * torch.clamp(first / (first - at_low), 1.1, 4.0)
    return torch.where(high.isinf(), ahead.nan_to_num(nan=4.0), inside)


def _slope_at(cells: Cells, point: Point, step: list[torch.Tensor], length: torch.Tensor) -> torch.Tensor:
    current, _ = cells.current(point.voltage + length * step[0])
    return ((current - point.current - length * step[1]) * step[0]).sum((0, 1))
