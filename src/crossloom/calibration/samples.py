"""Calibration data: samples to fit with, and others to judge the fits."""

import torch

from crossloom.calibration.config import CalibrationConfig
from crossloom.calibration.observing import fixed_batch
from crossloom.errors import DataError
from crossloom.mapping import MappedGraph
from crossloom.runtime import Batch

Samples = tuple[torch.Tensor, ...]


def split_samples(data: Batch, mapped: MappedGraph, config: CalibrationConfig) -> tuple[Samples, Samples]:
    """The samples to fit with, and those held out; a model that fixes its batch gets one batch of each.

    Raises DataError when data are no tensors [sample, ...] of one length, or fewer than two samples (batches).
    """
    batch = _as_samples(data)
    size = fixed_batch(mapped) or 1
    number = min(len(batch[0]), config.num_samples) if size == 1 else 2 * size
    if number < 2 or len(batch[0]) < number:
        raise DataError(
            f"calibration needs at least {2 * size} samples, some to fit with and some to judge the fit, got "
            f"{len(batch[0])}"
        )
    num_held = size if size > 1 else min(max(round(number * config.held_out), 1), number - 1)
    start = number - num_held
    return tuple(part[:start] for part in batch), tuple(part[start:number] for part in batch)


def _as_samples(data: Batch) -> Samples:
    batch = (data,) if isinstance(data, torch.Tensor) else data
    if not isinstance(batch, tuple | list) or not batch:
        raise DataError(
            f"calibration data must be a tensor, or a tuple of tensors, got a {type(data).__name__}"
        )
    for part in batch:
        if not isinstance(part, torch.Tensor) or part.dim() == 0:
            raise DataError("calibration data must be tensors with an axis of samples in front")
    if len({len(part) for part in batch}) > 1:
        raise DataError(f"inputs need the same number of samples, got {[len(part) for part in batch]}")
    return tuple(batch)
