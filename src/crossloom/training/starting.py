"""Steps to begin with, from the first batch: those of least square error."""

import torch
from torch import distributed

from crossloom.circuits import TrainedProduct, add_up, expand, multiply
from crossloom.errors import ConfigError, DataError
from crossloom.quant import find_steps

_MAX_VALUES = 2**16
_MAX_SAMPLES = 16
_NUM_CANDIDATES = 48
_WIDEST = 1.5  # decades of gain from "nothing clips" on


def first_input_step(values: torch.Tensor, input_range: tuple[int, int]) -> torch.Tensor:
    """The step of least square error for a sample of `values`, []."""
    flat = values.detach().flatten()
    return find_steps(flat[:: -(-flat.numel() // _MAX_VALUES)].unsqueeze(0), input_range, "mse", 100.0)[0]


def first_gain(
    product: TrainedProduct, values: torch.Tensor, matrix: torch.Tensor, input_step: torch.Tensor, groups: int
) -> torch.Tensor:
    """Codes per unit of the sums of `values` with `matrix`, so that converted sums have the least square error, [].

    The first 16 samples must do.
    """
    assert product.code_range is not None
    lowest, highest = product.code_range
    codes = product.codes(product.quantize(values[:_MAX_SAMPLES].detach(), input_step.detach()))
    cycles = expand(codes, product.inputs, product.dac)
    sums = multiply(cycles.codes, matrix.detach(), None, groups)
    exact = add_up(sums, cycles, None)
    widest = highest / sums.abs().max().clamp(min=1.0)
    gains = widest * torch.logspace(0, _WIDEST, _NUM_CANDIDATES, device=sums.device)
    errors = [
        (add_up((sums * gain).round_().clamp_(lowest, highest), cycles, product.code_range) / gain - exact)
        .square()
        .sum()
        for gain in gains
    ]
    return gains[int(torch.stack(errors).argmin())]


def is_one_of_several() -> bool:
    """Whether this process trains together with others."""
    return distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1


def check_may_begin(name: str, is_training: bool, is_replica: bool) -> None:
    """ConfigError where a batch would set the steps of one of several copies of a layer, each by another batch."""
    if is_replica or (is_training and is_one_of_several()):
        raise ConfigError(
            f"{name}: several copies train, and no batch has set its steps; call begin(model, inputs), or give "
            "convert_to_analog data, before wrapping the model"
        )


def check_first_batch(name: str, values: torch.Tensor, weight: torch.Tensor) -> None:
    """DataError unless there are values, and they and the weights are finite."""
    if not values.numel():
        raise DataError(
            f"{name}: an empty batch cannot set its steps, got {list(values.shape)}; give some samples"
        )
    for what, tensor in (("inputs", values), ("weights", weight)):
        if not tensor.isfinite().all():
            raise DataError(
                f"{name}: {what} hold NaN or infinity, which would spoil its steps for ever; mend them"
            )
