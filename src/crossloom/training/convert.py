"""From plain layers to analog ones, and back."""

import copy
from collections.abc import Sequence

import torch
from torch import nn

from crossloom.errors import DataError
from crossloom.spec import SystemSpec
from crossloom.training.analog import AnalogMatrix
from crossloom.training.config import AnalogConfig
from crossloom.training.fast_paths import leave_fast_paths, restore_fast_paths
from crossloom.training.finding import find_analog, find_plain
from crossloom.training.kinds import ANALOG_KINDS, ANALOG_OF, SEVERAL_OF, AnalogLayer
from crossloom.training.making import MatrixMaker

Batch = torch.Tensor | tuple[torch.Tensor, ...]

_HOOKS = (
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_backward_pre_hooks",
    "_backward_hooks",
    "_is_full_backward_hook",
)


def convert_to_analog(
    model: nn.Module,
    system: SystemSpec,
    config: AnalogConfig | None = None,
    data: Batch | Sequence[Batch] | None = None,
) -> nn.Module:
    """A trainable copy of `model` whose matrix operations compute as the macros of `system` do, when mapped so.

    Every `nn.Linear` and `nn.Conv1d/2d/3d` becomes an `AnalogLinear` or `AnalogConv...`: quantised inputs and weights
    with learned steps, tiles, input cycles, and the converter at the end of every cycle; gradients go straight through.
    So do the products of `nn.RNN/LSTM/GRU`, of their cells and of `nn.MultiheadAttention`; gates, states and products
    of two activations stay digital. The forward pass is the macro function that simulated chips run. Effects of
    `config` are drawn anew in every pass in training mode, and are off in evaluation mode. Layers that are used twice
    stay one, hooks stay, subclasses of these layers are left alone, and the original is left as it was.

    data: one batch of inputs that sets the steps (a tensor, or a tuple for several inputs), or a list of batches, of
        which the first does; None leaves that to the first forward pass.

    Raises DataError when data are anything else, ConfigError when there is nothing to convert, a layer in `digital`
    is unknown, weights are computed by a parametrization, or cells or drivers cannot do it.
    """
    config = config or AnalogConfig()
    find_plain(model, config)
    for effect in config.effects:
        effect.check(system.macro)
    analog = copy.deepcopy(model)
    found = find_plain(analog, config)
    made: dict[int, nn.Module] = {}
    for name, plain in found.items():
        if id(plain) not in made:
            made[id(plain)] = _convert(name, plain, system, config)
        analog = _put(analog, name, made[id(plain)])
    leave_fast_paths(analog, ANALOG_KINDS)
    if data is not None:
        begin(analog, data)
    return analog


def convert_to_digital(model: nn.Module) -> nn.Module:
    """The plain network again, with quantised weights: integer times step.

    Every linear layer and convolution that was analog (and the output projection of attention) carries what it has
    learned as `learned`, a `quant.LearnedLayer`; `compile` takes integers, steps and integration times from there.
    Recurrent layers and the input projections of attention carry none: `compile` finds their ranges by data. Weights
    that two layers shared are shared no longer, since each has a step of its own.

    Raises ConfigError when there is nothing to convert, or no batch has set the steps.
    """
    find_analog(model)
    plain = copy.deepcopy(model)
    found = find_analog(plain)
    made = {id(layer): _restore(layer) for layer in found.values()}
    for name, layer in found.items():
        plain = _put(plain, name, made[id(layer)])
    restore_fast_paths(plain)
    return plain


def analog_layers(model: nn.Module) -> dict[str, AnalogLayer]:
    """The analog layers of one matrix, by name, those within attention too."""
    kinds = tuple(ANALOG_OF.values())
    return {name: module for name, module in model.named_modules() if type(module) in kinds}  # type: ignore[misc]


def analog_matrices(model: nn.Module) -> dict[str, AnalogMatrix]:
    """Every matrix on macros, by the name of the module."""
    return {name: module for name, module in model.named_modules() if isinstance(module, AnalogMatrix)}


def begin(model: nn.Module, data: Batch | Sequence[Batch]) -> None:
    """Set the steps of all layers by one batch (the first of a list), in evaluation mode and without gradients.

    Raises DataError when that is no tensor, and no tuple of tensors.
    """
    inputs = _first_batch(data)
    was_training = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            model(*inputs)
    finally:
        for module, training in was_training:
            module.training = training


def _first_batch(data: Batch | Sequence[Batch]) -> tuple[torch.Tensor, ...]:
    first = data[0] if isinstance(data, list) and data else data
    inputs: tuple[torch.Tensor, ...] = first if isinstance(first, tuple) else (first,)  # type: ignore
    kinds = [type(part).__name__ for part in inputs if not isinstance(part, torch.Tensor)]
    if kinds or not inputs:
        raise DataError(
            f"data: need a tensor, a tuple of tensors, or a list of these, got {', '.join(kinds) or 'none at all'}"
        )
    return inputs


def _convert(name: str, plain: nn.Module, system: SystemSpec, config: AnalogConfig) -> nn.Module:
    make = MatrixMaker(name, system, config)
    if type(plain) in SEVERAL_OF:
        analog = SEVERAL_OF[type(plain)](plain, make)  # type: ignore[arg-type]
    else:
        kind = ANALOG_OF[type(plain)]
        analog = kind(plain, make("", kind.shape_of(plain), plain.weight))  # type: ignore[arg-type]
    return _like(analog, plain)


def _restore(layer: nn.Module) -> nn.Module:
    plain = layer.to_plain()  # type: ignore[operator]
    for name, parameter in plain.named_parameters():
        parameter.requires_grad_(layer.get_parameter(name).requires_grad)
    return _like(plain, layer)


def _like(module: nn.Module, other: nn.Module) -> nn.Module:
    """The module in the mode of the other, with its hooks."""
    for hooks in _HOOKS:
        setattr(module, hooks, getattr(other, hooks))
    return module.train(other.training)


def _put(model: nn.Module, name: str, module: nn.Module) -> nn.Module:
    """The model with another module at this place; the module itself where the place is the root."""
    if not name:
        return module
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)
    return model
