"""Replicas of a layer share the vectors of every sample: each gets an even run of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from math import prod

import torch
from torch.nn import functional

from crossloom.hardware import Codes, DenseCodes, Draw, WindowedCodes
from crossloom.placement import deal
from crossloom.windows import Window


@dataclass(frozen=True)
class Share:
    """What one replica multiplies.

    codes: those that it is given, and `first` to `stop` of their vectors per sample are its own; a window's rows are
    given whole.
    """

    replica: int
    codes: Codes
    first: int
    stop: int

    def own(self, sums: torch.Tensor) -> torch.Tensor:
        """The replica's own vectors among sums [vector, output, *positions]: [sample, output, position]."""
        return by_sample(sums, self.codes.num_samples)[..., self.first : self.stop]


def deal_codes(codes: Codes, num_replicas: int, draw: Draw) -> list[Share]:
    """The shares of all replicas that get any. Every step of a recurrence has one vector: the replicas take turns."""
    number = vectors_of(codes)
    shares = []
    for place, (start, stop) in enumerate(bounds(number, num_replicas)):
        if start < stop:
            part, first = _cut(codes, start, stop)
            shares.append(Share((place + draw.step) % num_replicas, part, first, first + stop - start))
    return shares


def gather(parts: Sequence[torch.Tensor], like: Codes) -> torch.Tensor:
    """Sums [vector, output, *positions] of all `like`, of the shares' own [sample, output, position]."""
    whole = torch.cat(list(parts), -1)
    positions = _positions(like)
    if positions is None:
        return whole.movedim(-1, 1).reshape(-1, whole.shape[1])
    return whole.reshape(*whole.shape[:2], *positions)


def bounds(number: int, num_replicas: int) -> list[tuple[int, int]]:
    """The first vector and the end of each replica's share, as the schedule deals them."""
    return list(pairwise(accumulate(deal(number, num_replicas), initial=0)))


def vectors_of(codes: Codes) -> int:
    """Vectors of one sample."""
    return codes.num_vectors // max(codes.num_samples, 1)


def by_sample(sums: torch.Tensor, num_samples: int) -> torch.Tensor:
    """Sums [vector, output, *positions] as [sample, output, position]."""
    if sums.dim() > 2:
        return sums.flatten(2)
    return sums.unflatten(0, (num_samples, -1)).movedim(1, -1) if num_samples else sums.unsqueeze(-1)


def _positions(codes: Codes) -> tuple[int, ...] | None:
    """The shape in which one sample's vectors lie; None where they stand one after the other."""
    if isinstance(codes, WindowedCodes):
        return codes.window.output_shape(tuple(codes.values.shape[2:]))
    return tuple(codes.values.shape[2:]) or None


def _cut(codes: Codes, start: int, stop: int) -> tuple[Codes, int]:
    """Codes that hold the vectors `start` to `stop` of every sample, and the number of the first among theirs."""
    if isinstance(codes, WindowedCodes):
        return _cut_rows(codes, start, stop)
    assert isinstance(codes, DenseCodes)
    if codes.values.dim() > 2:
        return codes.with_values(codes.values.flatten(2)[..., start:stop]), 0
    values = codes.values.unflatten(0, (codes.num_samples, -1))[:, start:stop]
    return codes.with_values(values.flatten(0, 1)), 0


def _cut_rows(codes: WindowedCodes, start: int, stop: int) -> tuple[WindowedCodes, int]:
    """The part of an image under the rows of window positions that hold these vectors."""
    window = codes.window
    in_row = prod(window.output_shape(tuple(codes.values.shape[2:]))[1:])
    first, last = start // in_row, -(-stop // in_row) - 1
    pads = [0, 0] * (window.num_axes - 1) + [window.padding[0]] * 2
    reach = window.dilation[0] * (window.kernel[0] - 1) + 1
    rows = slice(first * window.stride[0], last * window.stride[0] + reach)
    values = functional.pad(codes.values, pads)[:, :, rows]
    inside: Window = replace(window, padding=(0, *window.padding[1:]))
    return WindowedCodes(values, codes.num_samples, inside), start - first * in_row
