"""How well a network answers."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from crossloom.training.loop.objective import Loss, count_correct
from crossloom.training.loop.records import Totals
from crossloom.training.loop.samples import Samples, check_samples, lay_out


@contextmanager
def keep_modes(*models: nn.Module | None) -> Iterator[None]:
    """Give every module its mode (training or evaluation) back at the end."""
    modes = [(module, module.training) for model in models if model is not None for module in model.modules()]
    try:
        yield
    finally:
        for module, is_training in modes:
            module.training = is_training


def evaluate_accuracy(
    model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, batch_size: int = 256
) -> float:
    """The share of `labels` [sample, ...] that the model's largest output, along axis 1, names: 0 to 1.

    In evaluation mode; every module has its own mode back afterwards. Raises DataError when there is nothing to
    evaluate, or labels are of another number, or no class numbers.
    """
    samples = check_samples((inputs, labels), "evaluation", are_classes=True)
    return evaluate(model, samples, batch_size, lambda outputs, _: outputs.new_zeros(())).accuracy or 0.0


@torch.no_grad()
def evaluate(
    model: nn.Module,
    samples: Samples,
    batch_size: int,
    loss: Loss,
    memory_format: torch.memory_format = torch.contiguous_format,
) -> Totals:
    """Loss and correct answers over all samples, in evaluation mode."""
    device, totals = device_of(model), Totals()
    with keep_modes(model):
        model.eval()
        for inputs, labels in zip(
            samples.inputs.split(batch_size), samples.labels.split(batch_size), strict=True
        ):
            labels = labels.to(device)
            outputs = model(lay_out(inputs.to(device), memory_format))
            correct = count_correct(outputs, labels)
            num_correct = None if correct is None else correct.item()
            totals = totals.add(loss(outputs, labels).item(), len(inputs), num_correct, labels.numel())
    return totals


def device_of(model: nn.Module) -> torch.device:
    """Where the first parameter is, or else the first buffer; the processor for a model without either."""
    tensors = (tensor for found in (model.parameters(), model.buffers()) for tensor in found)
    return next((tensor.device for tensor in tensors), torch.device("cpu"))
