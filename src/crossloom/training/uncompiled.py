"""What `torch.compile` shall leave as it is."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

_Given = ParamSpec("_Given")
_Answer = TypeVar("_Answer")


def uncompiled(function: Callable[_Given, _Answer]) -> Callable[_Given, _Answer]:
    """The same function, around which compiled code breaks its graph.

    Products through converters are a few large kernels with gradients of their own: there is nothing to fuse, and
    tracing them takes minutes. Unlike `torch.compiler.disable`, this does not load the compiler before it is there.
    """
    disabled: list[Callable[_Given, _Answer]] = []

    @wraps(function)
    def run(*args: _Given.args, **kwargs: _Given.kwargs) -> _Answer:
        if "torch._dynamo" not in sys.modules:
            return function(*args, **kwargs)
        if not disabled:
            disabled.append(torch.compiler.disable(function))  # type: ignore[arg-type]
        return disabled[0](*args, **kwargs)

    return run
