"""The staircase of converters, from sums to codes: how many transitions lie below."""

from dataclasses import dataclass
from math import ceil, isfinite

import torch

_SLACK = 0.01  # codes: far more than what rounding does to sums of up to 12 bits
_MOST_NEAR = 6


@dataclass(frozen=True)
class Staircase:
    """Converters ready for sums of one type; made by `make_staircase`.

    transitions: [output, transition] or [1, transition], ascending; then `num_near` that are never passed.
    reach: by how much, in codes, any is behind its ideal place at most.  num_near: how many may lie on either side of
    a value when all before them lie below it; None where they are too far off for that to be few.
    """

    transitions: torch.Tensor
    lowest: int
    num_transitions: int
    reach: float
    num_near: int | None

    def codes(self, sums: torch.Tensor) -> torch.Tensor:
        """The lowest code plus the number of transitions below each sum, [vector, output, *positions]."""
        below = self._search(sums) if self.num_near is None else self._look_near(sums, self.num_near)
        return below.add_(self.lowest)

    def is_inside(self, sums: torch.Tensor) -> torch.Tensor:
        """Whether sums are within the range, which ends a code beyond the first and the last transition."""
        shape = (-1, *[1] * (sums.dim() - 2))
        first, last = (
            self.transitions[:, 0].view(shape),
            self.transitions[:, self.num_transitions - 1].view(shape),
        )
        return (sums >= first - 1) & (sums <= last + 1)

    def _look_near(self, sums: torch.Tensor, num_near: int) -> torch.Tensor:
        """Transitions are near their places: those surely below are known, and only the next few are compared."""
        below = (sums - (self.lowest + 0.5 + self.reach)).ceil_().clamp_(0, self.num_transitions)
        index = below.long()
        if len(self.transitions) > 1:
            width = self.transitions.shape[1]
            first = torch.arange(0, self.transitions.numel(), width, device=sums.device)
            index += first.view(-1, *[1] * (sums.dim() - 2))
        for _ in range(num_near):
            below += self.transitions.take(index) < sums
            index += 1
        return below

    def _search(self, sums: torch.Tensor) -> torch.Tensor:
        by_output = sums.movedim(1, 0)
        flat = by_output.flatten(1) if len(self.transitions) > 1 else by_output.reshape(1, -1)
        found = torch.searchsorted(self.transitions, flat.contiguous(), out_int32=True)
        return found.view(by_output.shape).movedim(0, 1).to(sums.dtype)


def make_staircase(
    transitions: torch.Tensor | None, code_range: tuple[int, int] | None, dtype: torch.dtype
) -> Staircase | None:
    """The staircase of transitions [output or 1, transition] in codes, ascending, for sums of type `dtype`.

    None where there are no transitions or codes: converters are ideal.
    """
    if transitions is None or code_range is None:
        return None
    num_transitions = transitions.shape[1]
    ideal = (
        torch.arange(num_transitions, dtype=transitions.dtype, device=transitions.device)
        + code_range[0]
        + 0.5
    )
    low, high = (bound.item() for bound in (transitions - ideal).aminmax())
    spread = high - low + 2 * _SLACK
    is_near = isfinite(spread) and spread <= _MOST_NEAR
    num_near = ceil(spread) if is_near else None
    padded = torch.nn.functional.pad(
        _ties_to_even(transitions.to(dtype)), (0, num_near or 0), value=torch.inf
    )
    return Staircase(padded, code_range[0], num_transitions, high + _SLACK, num_near)


def _ties_to_even(transitions: torch.Tensor) -> torch.Tensor:
    """Transitions into even codes a hair lower, so that meeting one is passing it: what `round` does with ties.

    The lowest code is even, so every second transition leads to an even one.
    """
    is_even = torch.arange(transitions.shape[1], device=transitions.device) % 2 == 1
    lower = transitions.nextafter(transitions.new_tensor(-torch.inf))
    return torch.where(is_even, lower, transitions).cummax(1).values.contiguous()
