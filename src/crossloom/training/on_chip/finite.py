"""Where numbers were lost: which module first gave NaN or infinity."""

from typing import Any

import torch
from torch import nn


def first_not_finite(network: nn.Module, inputs: torch.Tensor) -> str:
    """The module whose output for `inputs` is the first that is not finite, in words for an error."""
    found: list[str] = []

    def watch(name: str) -> Any:
        def look(module: nn.Module, arguments: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor) and not torch.isfinite(output).all():
                found.append(name)

        return look

    hooks = [module.register_forward_hook(watch(name)) for name, module in network.named_modules()]
    with torch.no_grad():
        network(inputs)
    for hook in hooks:
        hook.remove()
    if not found:
        return "in the loss itself"
    return f"in layer {found[0]}" if found[0] else "in what the model does behind its layers"
