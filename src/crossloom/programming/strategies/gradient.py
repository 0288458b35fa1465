"""Programming against outputs: inputs are multiplied, and cells follow the gradient of the error of the products."""

from dataclasses import dataclass
from math import isfinite

import torch

from crossloom.artefacts import saved
from crossloom.errors import ConfigError
from crossloom.hardware import Backend, Region
from crossloom.programming.strategies.outputs import OutputProbe
from crossloom.programming.strategies.session import Session
from crossloom.programming.strategies.strategy import (
    USUAL_MAX_PULSES,
    Strategy,
    Written,
    check_choices,
    usual_tolerance,
)
from crossloom.programming.strategies.verifying import pulse_widths
from crossloom.spec import MacroAddress


@saved
@dataclass(frozen=True)
class GradientProgramming(Strategy):
    """Multiply test inputs, compare with the products that the targets would give, pulse down the gradient.

    The error of a product, E = Y - X W, has the gradient X^T E with respect to the matrix; outputs are linear in
    cells, so (X^T X)^-1 X^T E, which is fitted together with an offset per output, is the whole way to its minimum
    (Gauss-Newton). `rate` is the share of it that a step takes, spread over the two cells of a pair. Estimates are
    averaged over the steps since a cell was last pulsed, so noise of reads and rounding of converters average out.

    Cells are never read, so read noise, a biased read path or none at all do no harm; and what outputs suffer from
    (gain errors of converters, wires, a stuck cell in a pair) is made up for where cells can. Conductance that no
    output shows, as what both cells of a pair share, is left as it is: give `start` to bring it near first.

    tolerance: S, of an entry of the matrix (of the difference of a pair); max_pulses: steps at most; None as for
    `WriteVerify`.  num_vectors: test inputs a step; None takes twice the number of unknowns of an output.  seed: of
    the test inputs, +-1 at random (0 or 1 where converters have no sign).  keep_trajectory: what the outputs say
    of the cells at every step.  After Buechel et al., Programming weights to analog in-memory computing cores by
    direct minimization of the matrix-vector multiplication error, IEEE JETCAS 13, 1052 (2023).
    """

    tolerance: float | None = None
    max_pulses: int | None = None
    rate: float = 1.0
    num_vectors: int | None = None
    start: Strategy | None = None
    seed: int = 0
    keep_trajectory: bool = False

    def __post_init__(self) -> None:
        check_choices(self.tolerance, self.max_pulses)
        if not (0 < self.rate <= 1 and isfinite(self.rate)):
            raise ConfigError(f"need 0 < rate <= 1, got {self.rate}")
        if self.num_vectors is not None and self.num_vectors < 2:
            raise ConfigError(f"need num_vectors >= 2, got {self.num_vectors}")

    def tolerance_for(self, backend: Backend) -> float:
        return usual_tolerance(backend, self.tolerance)

    def check(self, backend: Backend) -> None:
        self.tolerance_for(backend)
        if self.start is not None:
            self.start.check(backend)

    def write(
        self, backend: Backend, address: MacroAddress, region: Region, targets: torch.Tensor
    ) -> Written:
        self.check(backend)
        before = None if self.start is None else self.start.write(backend, address, region, targets)
        after = self._descend(backend, address, region, targets)
        return after if before is None else before.then(after)

    def _descend(
        self, backend: Backend, address: MacroAddress, region: Region, targets: torch.Tensor
    ) -> Written:
        session = Session(backend, address, region, targets, self.keep_trajectory)
        probe = OutputProbe(backend, address, region, targets, self.num_vectors, self.seed)
        tolerance = self.tolerance_for(backend)
        limit = self.max_pulses or session.response.max_pulses or USUAL_MAX_PULSES
        mean, count = torch.zeros_like(targets), torch.zeros_like(targets)
        missed = torch.ones_like(targets, dtype=torch.bool)
        for step in range(limit + 1):
            count = count + 1
            mean = mean + (probe.errors(step) - mean) / count
            missed = mean.abs() > tolerance
            session.believe(targets + mean / probe.cells_per_entry)
            if step == limit or not missed.any():
                break
            part = probe.shared_out(mean, session.response.step)
            pulsed = missed & (part != 0)
            session.pulse(pulse_widths(-self.rate * part, session.response) * pulsed)
            mean, count = mean.masked_fill(missed, 0.0), count.masked_fill(missed, 0.0)
        return session.done(missed)
