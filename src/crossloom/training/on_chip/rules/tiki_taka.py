"""Tiki-Taka v2: a fast array gathers gradients, a digital matrix filters them, a slow array holds the weights."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field

from crossloom.artefacts import saved
from crossloom.training.on_chip.array import LearningArray
from crossloom.training.on_chip.rules.in_place import PulsedUpdate
from crossloom.training.on_chip.rules.rule import Count, Learner, Positive, UpdateRule, granularity_of

_REFERENCE_SHIFTS = 20  # the last ones, whose means are the reference


@saved
class TikiTaka(UpdateRule):
    """Tiki-Taka v2 of Gokmen, Front. Artif. Intell. 4, 699148 (2021), 10.3389/frai.2021.699148.

    A second array A takes every update in place. Every `transfer_every` updates the next `num_lines` of its input lines
    are read, in turn, less what they read at their symmetry points; `transfer_rate` times that is added to a digital
    matrix H, and where |H| has reached the granularity of the array C that multiplies, C gets one pulse by the sign of
    H, and H loses that granularity. Weights are C alone (gamma = 0).

    Cells of A drift towards the point where pulses up and down do as much: they are brought there first, by
    `num_shifts` pulses up and down in turn ("zero-shifting", Kim et al., arXiv 1907.10228), and what they read there
    is the reference. That drift damps the rule: on cells without it, A forgets nothing.

    learning_rate: of A; so large that its cells are pulsed often, since what they are off their symmetry points passes
        for a gradient until pulses have moved them on.
    num_lines: None for all.  granularity: change of a weight by one step, of both arrays; None to measure each.
    num_slots, max_pulses: as for InPlace, of A.
    """

    num_arrays: ClassVar[int] = 2
    kind: Literal["tiki_taka"] = "tiki_taka"
    learning_rate: Positive = 2.0
    transfer_rate: Positive = 0.005
    transfer_every: Count = 1
    num_lines: Count | None = None
    num_shifts: Annotated[int, Field(ge=0)] = 50
    granularity: Positive | None = None
    num_slots: Count | None = None
    max_pulses: Count = 10

    def start(self, arrays: Sequence[LearningArray], generator: torch.Generator) -> "TikiTakaLearner":
        slow, fast = arrays
        granularities = [granularity_of(array, self.granularity) for array in (slow, fast)]
        update = PulsedUpdate(
            fast, self.learning_rate, granularities[1], self.num_slots, self.max_pulses, generator
        )
        return TikiTakaLearner(
            self, slow, fast, granularities[0], update, symmetry_point(fast, self.num_shifts)
        )


class TikiTakaLearner(Learner):
    """hidden: H, in weights, float64, [output, input].  reference: what A reads at its symmetry point, as weights."""

    def __init__(
        self,
        rule: TikiTaka,
        slow: LearningArray,
        fast: LearningArray,
        granularity: float,
        update: PulsedUpdate,
        reference: torch.Tensor,
    ) -> None:
        self._rule, self._slow, self._fast, self._update = rule, slow, fast, update
        self.granularity, self.reference = granularity, reference
        self.hidden = torch.zeros(slow.shape, dtype=torch.float64)
        self._num_updates, self._next = 0, 0

    def update(self, inputs: torch.Tensor, errors: torch.Tensor) -> torch.Tensor:
        self._update(inputs, errors)
        self._num_updates += 1
        steps = torch.zeros_like(self.hidden)
        if self._num_updates % self._rule.transfer_every == 0:
            for start, stop in self._lines():
                self._gather(start, stop)
                steps[:, start:stop] = self._whole_steps(start, stop)
            self._slow.pulse(steps)
        return steps

    def _gather(self, start: int, stop: int) -> None:
        read = self._fast.read_inputs(start, stop) - self.reference[:, start:stop]
        self.hidden[:, start:stop] += self._rule.transfer_rate * read.double()

    def _whole_steps(self, start: int, stop: int) -> torch.Tensor:
        """Take one step off H where it has grown that large."""
        part = self.hidden[:, start:stop]
        steps = part.sign() * (part.abs() >= self.granularity)
        part -= steps * self.granularity
        return steps

    def _lines(self) -> list[tuple[int, int]]:
        """The next input lines, as ranges: two where they go on from the first line."""
        num_inputs = self._fast.shape[1]
        start, count = self._next, min(self._rule.num_lines or num_inputs, num_inputs)
        stop = start + count
        self._next = stop % num_inputs
        ranges = [(start, min(stop, num_inputs)), (0, stop - num_inputs)]
        return [found for found in ranges if found[0] < found[1]]


def symmetry_point(array: LearningArray, num_shifts: int) -> torch.Tensor:
    """Bring weights to where steps up and down do as much, and give what they read there, [output, input].

    There they go to and fro by a step, each time with its own luck: the mean of both ends is taken, over some of the
    last steps. Weights are left at the nearer end.
    """
    ones, above, below = torch.ones(array.shape), [array.read()], [array.read()]
    for number in range(num_shifts):
        for steps, reads in ((ones, above), (-ones, below)):
            array.pulse(steps)
            if number >= num_shifts - _REFERENCE_SHIFTS:
                reads.append(array.read())
    reference = torch.stack(above[-_REFERENCE_SHIFTS:] + below[-_REFERENCE_SHIFTS:]).mean(0)
    array.pulse(((above[-1] - reference).abs() < (below[-1] - reference).abs()).float())
    return reference
