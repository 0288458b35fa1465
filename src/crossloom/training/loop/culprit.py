"""Which layer was the first to give numbers that are not finite."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn


def find_culprit(model: nn.Module, repeat: Callable[[], torch.Tensor]) -> str | None:
    """In words, what was not finite first when `repeat` does a step's forwards and backwards again.

    An output of a module is looked for first, in the order of computation; then the loss that `repeat` returns; then a
    gradient, in the order of backpropagation. None when everything is finite this time.
    """
    outputs: list[str] = []
    gradients: list[str] = []
    with _watch(model, outputs, gradients), _uncompiled():
        is_finite = bool(torch.isfinite(repeat()).all())
    if outputs:
        return f"the output of {outputs[0]}"
    if not is_finite:
        return "the loss, of finite outputs"
    return f"the gradient of {gradients[0]}" if gradients else None


def first_not_finite(named: Iterable[tuple[str, torch.Tensor]]) -> str | None:
    """The name of the first tensor that holds NaN or infinity."""
    return next((name for name, tensor in named if not _is_finite(tensor)), None)


def _uncompiled() -> AbstractContextManager[object]:
    """Hooks are not seen by what was compiled without them; nothing is compiled before torch's compiler is loaded."""
    is_loaded = "torch._dynamo" in sys.modules
    return torch.compiler.set_stance("force_eager") if is_loaded else nullcontext()


@contextmanager
def _watch(model: nn.Module, outputs: list[str], gradients: list[str]) -> Iterator[None]:
    handles = [
        module.register_forward_hook(_output_watch(name or f"the model ({type(module).__name__})", outputs))
        for name, module in model.named_modules()
    ]
    handles += [
        parameter.register_hook(_gradient_watch(name, gradients))
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _output_watch(name: str, found: list[str]) -> Callable[..., None]:
    def watch(module: nn.Module, inputs: Any, output: Any) -> None:
        if not all(_is_finite(tensor) for tensor in _tensors_in(output)):
            found.append(name)

    return watch


def _gradient_watch(name: str, found: list[str]) -> Callable[[torch.Tensor], None]:
    def watch(gradient: torch.Tensor) -> None:
        if not _is_finite(gradient):
            found.append(name)

    return watch


def _tensors_in(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors_in(list(value.values()))
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors_in(item)


def _is_finite(tensor: torch.Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())
