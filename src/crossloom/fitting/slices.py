"""Times: measurements taken at about the same time after writing."""

import torch

from crossloom.errors import DataError

_GAP, _WIDEST = 1.3, 2.0


def slice_times(elapsed: torch.Tensor) -> tuple[list[float], torch.Tensor]:
    """The middle of each slice of times (s, growing; 0 first if it is there), and [row] the slice of each.

    Times that follow one another within a factor of 1.3 are one slice. DataError when a slice is wider than a factor
    of 2: then times are spread evenly, and a law over time has to be fitted instead of a table.
    """
    numbers = number_times(elapsed)
    middles = []
    for number in range(int(numbers.max()) + 1):
        times = elapsed[numbers == number]
        low, high = times.min().item(), times.max().item()
        if high > low * _WIDEST:
            raise DataError(
                f"elapsed: times from {low:.3g} s to {high:.3g} s follow one another without a gap; a table needs "
                "times that repeat: use over_time='logarithmic' (or 'drift')"
            )
        middles.append(times.median().item())
    return middles, numbers


def number_times(elapsed: torch.Tensor) -> torch.Tensor:
    """[row], slices of times that follow one another within a factor of 1.3, numbered from 0, however wide."""
    ordered, order = elapsed.sort()
    is_new = torch.ones_like(ordered, dtype=torch.bool)
    is_new[1:] = ordered[1:] > ordered[:-1] * _GAP
    numbers = torch.empty_like(order)
    numbers[order] = is_new.cumsum(0) - 1
    return numbers
