"""Optimisers as values, and which parameters weight decay leaves alone."""

from typing import Annotated, Any, Literal, Self

import torch
from pydantic import BeforeValidator, Field, model_validator
from torch import nn

from crossloom.spec import Config, by_kind

Rate = Annotated[float, Field(gt=0)]
Decay = Annotated[float, Field(ge=0)]
Average = Annotated[float, Field(ge=0, lt=1)]
_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


class Sgd(Config):
    """Stochastic gradient descent. The usual figures are those of He et al. 2015 (section 4.2) for CIFAR-10."""

    kind: Literal["sgd"] = "sgd"
    learning_rate: Rate = 0.1
    momentum: Average = 0.9
    nesterov: bool = False
    weight_decay: Decay = 1e-4

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self

    def make(self, model: nn.Module) -> torch.optim.Optimizer:
        """For all trainable parameters of `model`."""
        groups = parameter_groups(model, self.weight_decay)
        return torch.optim.SGD(groups, self.learning_rate, self.momentum, nesterov=self.nesterov)


class Adam(Config):
    """Adam (Kingma and Ba 2015) with decoupled weight decay (Loshchilov and Hutter 2019)."""

    kind: Literal["adam"] = "adam"
    learning_rate: Rate = 1e-3
    betas: tuple[Average, Average] = (0.9, 0.999)
    epsilon: Rate = 1e-8
    weight_decay: Decay = 0.0

    def make(self, model: nn.Module) -> torch.optim.Optimizer:
        """For all trainable parameters of `model`."""
        groups = parameter_groups(model, self.weight_decay)
        return torch.optim.AdamW(groups, self.learning_rate, self.betas, self.epsilon)


Optimiser = Annotated[Sgd | Adam, Field(discriminator="kind"), BeforeValidator(by_kind)]


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Trainable parameters in at most two groups: weights, which decay, and all the rest, which do not."""
    weights = weights_of(model)
    chosen = {id(weight) for weight in weights}
    rest = [item for item in model.parameters() if item.requires_grad and id(item) not in chosen]
    groups = [{"params": weights, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def weights_of(model: nn.Module) -> list[nn.Parameter]:
    """Trainable parameters of two dimensions or more that are neither learned steps (names that end in `_step`), nor
    biases, nor of a norm."""
    found: dict[int, nn.Parameter] = {}
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            is_other = name.endswith(("_step", "bias")) or isinstance(module, _NORMS)
            if parameter.requires_grad and parameter.dim() >= 2 and not is_other:
                found[id(parameter)] = parameter
    return list(found.values())
