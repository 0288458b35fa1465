"""Capture of a PyTorch model: the only place that talks to `torch.export`."""

import io
import logging
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import torch
from torch import nn
from torch.export import ExportedProgram

from crossloom.errors import ConfigError, CrossloomError, DataError, GraphError
from crossloom.graph.dynamic import Dynamic, check_dynamic, dynamic_shapes
from crossloom.graph.fast_paths import WRITTEN_OUT
from crossloom.graph.lowering import lower
from crossloom.graph.nodes import Graph
from crossloom.graph.passes import RemoveDead
from crossloom.graph.recurrent import DECOMPOSITIONS, capturing_recurrence

_NOISY_LOGGERS = ("torch._subclasses.fake_tensor", "torch.fx.experimental.symbolic_shapes", "torch.export")
_STANDARD_LIBRARY = Path(traceback.__file__).parent
_OWN_FOLDERS = (Path(torch.__file__).parent, Path(__file__).parent)


def trace(
    model: nn.Module | ExportedProgram,
    example: torch.Tensor | tuple[torch.Tensor, ...],
    dynamic: Dynamic | None = None,
) -> Graph:
    """The graph of `model` in eval mode.

    Axis 0 of every input is the batch and stays dynamic, unless the model fixes it; every other axis keeps the
    example's size, unless it is in `dynamic`. The model is left as it was, and the graph has its own copies of the
    weights. Nested outputs become one tuple (in the order of `torch.utils._pytree`, None left out); what the model
    writes into its inputs is left out as well. An `ExportedProgram` keeps the shapes it was exported with.

    Args:
        example: one tensor per input, `[batch, ...]`; a batch of 1 is repeated to 2.
        dynamic: axes besides the batch that are dynamic, and how long they may be: `{"tokens": {1: 128}}`.

    Raises:
        GraphError: the model cannot be exported, fixes an axis that was to be dynamic, or a weight is not finite.
        ConfigError: `dynamic` names an input or an axis that the model has not.
        UnsupportedOperationError: an operation that no digital unit can run; names it and its layer.
        DataError: the example is no tuple of tensors, or empty.
    """
    inputs = _check_example(example)
    if not isinstance(model, nn.Module | ExportedProgram):
        raise GraphError(f"need an nn.Module or an ExportedProgram, got {type(model).__name__}")
    if dynamic and isinstance(model, ExportedProgram):
        raise ConfigError("an ExportedProgram keeps its axes as they are; export it with dynamic_shapes")
    program = model if isinstance(model, ExportedProgram) else _export(model, inputs, dynamic or {})
    try:
        # A nearly empty table makes the program functional and keeps linear and attention whole.
        with _quiet():
            functional = program.run_decompositions({**WRITTEN_OUT, **DECOMPOSITIONS})
    except Exception as error:
        raise GraphError(f"the exported program cannot be made functional: {_first_line(error)}") from error
    graph = RemoveDead()(lower(functional))
    if len(graph.inputs) != len(inputs):
        raise GraphError(f"the program takes {len(graph.inputs)} inputs, the example has {len(inputs)}")
    if isinstance(model, nn.Module):
        check_dynamic(graph.inputs, model, dynamic or {})
    return graph


def _check_example(example: torch.Tensor | tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    inputs = (example,) if isinstance(example, torch.Tensor) else tuple(example)
    if not inputs or not all(isinstance(tensor, torch.Tensor) for tensor in inputs):
        kinds = ", ".join(type(tensor).__name__ for tensor in inputs) or "nothing"
        raise DataError(f"the example must be tensors, one per input, got {kinds}; use trace(model, (x, y))")
    if any(tensor.numel() == 0 for tensor in inputs):
        shapes = ", ".join(str(list(tensor.shape)) for tensor in inputs)
        raise DataError(f"the example must not be empty, got {shapes}; use at least one sample")
    return inputs


def _export(model: nn.Module, inputs: tuple[torch.Tensor, ...], dynamic: Dynamic) -> ExportedProgram:
    batched = [tensor for tensor in inputs if tensor.ndim]
    if all(len(tensor) == 1 for tensor in batched):
        # torch.export takes an axis of length 1 as a constant.
        inputs = tuple(tensor.repeat_interleave(2, 0) if tensor.ndim else tensor for tensor in inputs)
    inputs = tuple(tensor.detach().clone() for tensor in inputs)
    with _capturing(model):
        try:
            shapes = dynamic_shapes(model, inputs, dynamic)
            return torch.export.export(model, inputs, dynamic_shapes=shapes, strict=False)
        except CrossloomError:
            raise
        except Exception as error:
            raise GraphError(
                f"{type(model).__name__} cannot be captured: {_explain(error, model)}"
            ) from error


@contextmanager
def _capturing(model: nn.Module) -> Iterator[None]:
    """Eval mode, gradients on and no fast path (which would hide attention's weights); undone afterwards."""
    was_training = {module: module.training for module in model.modules()}
    had_fastpath = torch.backends.mha.get_fastpath_enabled()
    model.eval()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.enable_grad(), _quiet(), capturing_recurrence(model):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(had_fastpath)
        for module, training in was_training.items():
            module.training = training


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the exporter's logs, warnings and program listings from the user, who gets one clear error."""
    levels = {name: logging.getLogger(name).level for name in _NOISY_LOGGERS}
    for name in levels:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _explain(error: Exception, model: nn.Module) -> str:
    """The exporter's error in one line: what, in which layer, and where in the user's code."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename)]
    place = f" (at {frames[-1].filename}:{frames[-1].lineno}: {frames[-1].line})" if frames else ""
    layer = _failing_layer(error, model)
    place = f" in layer {layer!r}{place}" if layer else place
    if "DataDependent" in type(error).__name__:
        return f"a branch or a size depends on the data{place}; use torch.where or fixed sizes"
    return f"{_first_line(error).rstrip('.')}{place}"


def _failing_layer(error: Exception, model: nn.Module) -> str:
    names = {id(module): name for name, module in model.named_modules()}
    running = (frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__))
    layers = [names[id(module)] for module in running if id(module) in names]
    return layers[-1] if layers else ""


def _is_users(filename: str) -> bool:
    path = Path(filename)
    is_standard = _STANDARD_LIBRARY in path.parents and "site-packages" not in path.parts
    return (
        path.is_absolute() and not is_standard and not any(folder in path.parents for folder in _OWN_FOLDERS)
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
