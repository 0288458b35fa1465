"""Many vectors go through a macro a few at a time: what stays in the cache takes half the time."""

from collections.abc import Callable, Iterable, Sequence

import torch

from crossloom.circuits.product import memory_order
from crossloom.hardware import CodeCounts, Codes, Reading

Noise = Callable[[tuple[int, ...]], torch.Tensor]
_LARGEST = 2**20  # numbers in all cycles of a block: beyond, they leave the cache


def blocks(codes: Codes, num_cycles: int, num_outputs: int) -> Sequence[Codes]:
    """The same vectors in order, in the fewest blocks of one size that fit; none is smaller than one vector."""
    vectors, channels, *positions = codes.values.shape
    size = vectors * num_cycles * max(channels, num_outputs) * torch.Size(positions).numel()
    return [codes.with_values(part) for part in codes.values.chunk(-(-size // _LARGEST) or 1)]


def drawn_at_once(noise: Noise, num_vectors: int) -> Noise:
    """The same numbers for vectors that come block by block: they are drawn for all `num_vectors` at the first."""
    parts: list[torch.Tensor] = []

    def next_part(shape: tuple[int, ...]) -> torch.Tensor:
        rest = parts.pop() if parts else noise((num_vectors, *shape[1:]))
        parts.append(rest[shape[0] :])
        return rest[: shape[0]]

    return next_part


def joined(readings: Iterable[Reading], codes: Codes) -> Reading:
    """The readings of all blocks of `codes` as one, whose sums lie in memory as the codes do."""
    order, num_vectors = memory_order(codes.values), len(codes.values)
    whole, counts, start = None, None, 0
    for part in readings:
        if len(part.sums) == num_vectors:
            return Reading(part.sums.contiguous(memory_format=order), part.codes)
        if whole is None:
            whole = part.sums.new_empty((num_vectors, *part.sums.shape[1:])).contiguous(memory_format=order)
        whole[start : start + len(part.sums)] = part.sums
        start += len(part.sums)
        counts = part.codes if counts is None or part.codes is None else _together(counts, part.codes)
    assert whole is not None
    return Reading(whole, counts)


def _together(one: CodeCounts, other: CodeCounts) -> CodeCounts:
    return CodeCounts(one.lowest, one.counts + other.counts)
