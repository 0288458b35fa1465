"""The converter: sums become codes."""

import torch

from crossloom.circuits.product import memory_order
from crossloom.circuits.staircase import Staircase
from crossloom.hardware import CodeCounts


def convert(
    sums: torch.Tensor, code_range: tuple[int, int] | None, staircase: Staircase | None = None
) -> torch.Tensor:
    """`clamp(round(sums))`, straight through for gradients within the range; exact when there is no range.

    `sums` [vector, output, *positions] are in units of codes. Without gradients and staircase it is overwritten.
    staircase: where the transitions between codes are; None for those of ideal converters.
    """
    if code_range is None:
        return sums
    if staircase is not None:
        return _convert_by_levels(sums, staircase)
    if not sums.requires_grad:
        return sums.round_().clamp_(*code_range)
    return (sums + (sums.round() - sums).detach()).clamp(*code_range)


def count_codes(codes: torch.Tensor, code_range: tuple[int, int] | None) -> CodeCounts | None:
    """How often each code came; None when the converter is ideal, or has more than 16 bits."""
    if code_range is None or code_range[1] - code_range[0] >= 2**16:
        return None
    lowest, highest = code_range
    in_memory = codes.detach()
    if memory_order(in_memory) == torch.channels_last:
        in_memory = in_memory.movedim(1, -1)
    shifted = (in_memory - lowest).to(torch.uint8 if highest - lowest < 2**8 else torch.int32).flatten()
    return CodeCounts(lowest, torch.bincount(shifted, minlength=highest - lowest + 1).cpu())


def _convert_by_levels(sums: torch.Tensor, staircase: Staircase) -> torch.Tensor:
    values = sums.detach()
    codes = staircase.codes(values)
    return codes + (sums - values) * staircase.is_inside(values) if sums.requires_grad else codes
