"""Crossbars of cells that are not ohmic: downhill, along steps that a linear network gives.

Where currents never fall as voltages rise, the node voltages are where the co-content of the circuit,

    sum over wires of G V^2 / 2 + sum over cells of the integral of f(v) dv,

is least, and that is convex. A point is a pair of voltages v and currents i of all cells that the wires allow
(Kirchhoff's laws hold with i), and its mismatch is f(v) - i. With stand-ins of slope J for the cells, the network's
answer (dv, di) to the mismatch as an extra current is a step downhill, and points along it are allowed too. Along
it the co-content changes by sum (f(v + a dv) - i - a di) dv, which takes no knowledge of the wires.
"""

from dataclasses import dataclass

import torch

from crossloom.circuits.wires.bias import Bias
from crossloom.circuits.wires.network import Network
from crossloom.circuits.wires.points import Cells, Point
from crossloom.circuits.wires.segments import Segments


@dataclass
class Arrivals:
    """Where vectors arrive: each is put here once its residual is small enough.

    voltage, current: of the cells, V and A, [row, column, vector].  residual: [vector].  num_steps: [vector].
    """

    tolerance: float
    voltage: torch.Tensor
    current: torch.Tensor
    residual: torch.Tensor
    num_steps: torch.Tensor

    @classmethod
    def of(cls, like: torch.Tensor, tolerance: float) -> "Arrivals":
        """Room for tensors [row, column, vector] like this one."""
        vectors = like.shape[-1]
        steps = torch.zeros(vectors, dtype=torch.int64, device=like.device)
        return cls(
            tolerance,
            torch.empty_like(like),
            torch.empty_like(like),
            like.new_full((vectors,), torch.inf),
            steps,
        )

    @classmethod
    def exact(cls, voltage: torch.Tensor, current: torch.Tensor) -> "Arrivals":
        """Of vectors that needed no search."""
        vectors = voltage.shape[-1]
        steps = torch.zeros(vectors, dtype=torch.int64, device=voltage.device)
        return cls(0.0, voltage, current, voltage.new_zeros(vectors), steps)

    def sort(self, vectors: torch.Tensor, point: Point) -> torch.Tensor | None:
        """Put those of `vectors` that have arrived; returns the places of the others, None where that is all."""
        residual = point.residual
        self.residual[vectors] = residual
        is_done = residual <= self.tolerance
        if not bool(is_done.any()):
            return None
        done = vectors[is_done]
        self.voltage[..., done] = point.voltage[..., is_done]
        self.current[..., done] = point.true[..., is_done]
        return (~is_done).nonzero().squeeze(1)


@dataclass(frozen=True)
class Walk:
    """Vectors on their way. vectors: their numbers.  step: the last one, with what conjugation needs of it."""

    vectors: torch.Tensor
    point: Point
    last: "Step | None" = None

    def only(self, places: torch.Tensor) -> "Walk":
        """Some of the vectors, by their places."""
        last = None if self.last is None else self.last.only(places)
        return Walk(self.vectors[places], self.point.only(places), last)


@dataclass(frozen=True)
class Step:
    """A step that was taken, voltage and current, the mismatch it came from, and how steep it was there, [vector]."""

    voltage: torch.Tensor
    current: torch.Tensor
    mismatch: torch.Tensor
    steepness: torch.Tensor

    def only(self, places: torch.Tensor) -> "Step":
        return Step(
            *(part[..., places] for part in (self.voltage, self.current, self.mismatch, self.steepness))
        )

    @classmethod
    def after(
        cls, last: "Step | None", mismatch: torch.Tensor, voltage: torch.Tensor, current: torch.Tensor
    ) -> "Step":
        """The network's answer to `mismatch`, made conjugate to the last step (Polak and Ribière)."""
        steepness = -_along(mismatch, voltage)
        if last is None:
            return cls(voltage, current, mismatch, steepness)
        share = (steepness + _along(last.mismatch, voltage)) / last.steepness
        share = torch.where(last.steepness > 0, share, 0.0).clamp(min=0)
        joined = voltage + share * last.voltage
        is_uphill = _along(mismatch, joined) >= 0
        share = torch.where(is_uphill, 0.0, share)
        return cls(voltage + share * last.voltage, current + share * last.current, mismatch, steepness)


def walk_together(cells: Cells, network: Network, walk: Walk, arrivals: Arrivals, most: int) -> Walk:
    """Conjugate gradients with one network for all vectors; returns those that have not arrived after `most` steps."""
    for count in range(most + 1):
        left = arrivals.sort(walk.vectors, walk.point)
        if left is not None:
            walk = walk.only(left)
            cells = cells.only(left)
            network = network.only(left)
        if not len(walk.vectors) or count == most:
            break
        mismatch = walk.point.mismatch
        step = Step.after(walk.last, mismatch, *network.step(mismatch))
        walk = Walk(walk.vectors, walk.point.move(cells, (step.voltage, step.current)), step)
        arrivals.num_steps[walk.vectors] += 1
    return walk


def walk_alone(cells: Cells, ends: Segments, bias: Bias, walk: Walk, arrivals: Arrivals, most: int) -> Walk:
    """Newton's method, a network for every vector and step; returns those that have not arrived."""
    for count in range(most + 1):
        left = arrivals.sort(walk.vectors, walk.point)
        if left is not None:
            walk, cells, bias = walk.only(left), cells.only(left), bias.only(left)
        if not len(walk.vectors) or count == most:
            break
        step = Network(walk.point.slope, ends, bias).step(walk.point.mismatch)
        walk = Walk(walk.vectors, walk.point.move(cells, step))
        arrivals.num_steps[walk.vectors] += 1
    return walk


def _along(mismatch: torch.Tensor, voltage: torch.Tensor) -> torch.Tensor:
    return (mismatch * voltage).sum((0, 1))
