"""Batch norms whose statistics are those of what the network meets."""

from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from crossloom.errors import ConfigError, DataError
from crossloom.training.loop.evaluation import device_of, keep_modes


@torch.no_grad()
def reestimate_norms(model: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Running mean and variance of every batch norm anew: averages over `batches` [sample, ...], each weighing alike.

    Noise is as the caller set it, so that with noise on the statistics are those of noisy activations. Batch norms
    normalise by the batch meanwhile; all other modules keep their mode. What averaging of weights does too
    (Izmailov et al. 2018).

    Raises ConfigError when there is no batch norm with statistics; DataError when there is no batch, and whatever the
    model raises, with the statistics as they were.
    """
    norms = [
        module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats
    ]
    if not norms:
        raise ConfigError(f"need a batch norm with running statistics, got none in {type(model).__name__}")
    before = [(norm, norm.momentum, [buffer.clone() for buffer in norm.buffers()]) for norm in norms]
    is_done = False
    with keep_modes(model):
        try:
            _begin(norms)
            is_done = _run(model, batches)
        finally:
            for norm, momentum, buffers in before:
                norm.momentum = momentum
                if not is_done:
                    for buffer, old in zip(norm.buffers(), buffers, strict=True):
                        buffer.copy_(old)
    if not is_done:
        raise DataError(
            "need at least one batch to re-estimate norms from, got none; give tensors [sample, ...]"
        )


def _begin(norms: list[_BatchNorm]) -> None:
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's word for an average over all batches
        norm.train()


def _run(model: nn.Module, batches: Iterable[torch.Tensor]) -> bool:
    """Whether there was a batch."""
    device, has_run = device_of(model), False
    for batch in batches:
        model(batch.to(device))
        has_run = True
    return has_run
