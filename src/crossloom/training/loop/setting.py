"""What a checkpoint must agree on with the training that goes on from it: model, data, choices."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import torch
from torch import nn

from crossloom.artefacts import saved
from crossloom.errors import ArtefactError
from crossloom.spec import Frozen
from crossloom.training.loop.config import TrainingConfig


@saved
@dataclass(frozen=True)
class ModelFingerprint:
    """A model's class, the names, types and shapes of its tensors ("float32 [16, 3, 3, 3]"), and how it prints: what
    has no tensor, as strides, shares of dropout and strengths of noise, shows there, if a module says it."""

    model_class: str
    tensors: Mapping[str, str] = field(repr=False)
    printed: tuple[str, ...] = field(repr=False)

    def check(self, model: nn.Module, place: str, must_print_alike: bool = False) -> None:
        """ArtefactError, naming `place` and the first difference, unless `model` is alike."""
        found = fingerprint(model)
        difference = self._difference(found) or (self._other_line(found) if must_print_alike else "")
        if difference:
            raise ArtefactError(
                f"{place} is of another model: {difference}; give that model, or another folder"
            )

    def _other_line(self, other: "ModelFingerprint") -> str:
        for wanted, got in zip_longest(other.printed, self.printed, fillvalue="nothing"):
            if wanted != got:
                return f"wanted {wanted}, got {got}"
        return ""

    def _difference(self, other: "ModelFingerprint") -> str:
        if self.model_class != other.model_class:
            return f"wanted a {other.model_class}, got a {self.model_class}"
        for name in [*other.tensors, *self.tensors]:
            wanted, got = (found.tensors.get(name, "none") for found in (other, self))
            if wanted != got:
                return f"wanted {name} {wanted}, got {got}"
        return ""


@saved
@dataclass(frozen=True)
class Setting:
    """Everything that shapes a training. rest: data, loss, augmentation, trained parameters, in words."""

    config: TrainingConfig
    model: ModelFingerprint
    rest: Mapping[str, str]

    def check(self, wanted: "Setting", model: nn.Module, place: str) -> None:
        """ArtefactError, naming `place`, unless a training of `wanted` can go on from a checkpoint of this one."""
        self.model.check(model, place, must_print_alike=True)
        for name in wanted.config.differences(self.config):
            new, old = (getattr(config, name) for config in (wanted.config, self.config))
            raise ArtefactError(
                f"{place} is of another config: wanted {name} {new!r}, got {old!r}; give that config "
                "(only epochs may grow), or another folder"
            )
        for name, new in wanted.rest.items():
            old = self.rest.get(name, "none")
            if new != old:
                raise ArtefactError(
                    f"{place} is of another training: wanted {name} {new}, got {old}; give the same, or another folder"
                )


def fingerprint(model: nn.Module) -> ModelFingerprint:
    """Of `model` itself, whatever parallel or compiled wrapper it is in."""
    bare = unwrap(model)
    described = {name: describe(tensor) for name, tensor in tensors_of(bare).items()}
    printed = re.sub(r" at 0x[0-9a-fA-F]+", "", str(bare))  # addresses differ from process to process
    return ModelFingerprint(
        type(bare).__qualname__, described, tuple(line.strip() for line in printed.splitlines())
    )


def unwrap(model: nn.Module) -> nn.Module:
    """The model within DataParallel, DistributedDataParallel or `torch.compile`."""
    while True:
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        elif isinstance(getattr(model, "_orig_mod", None), nn.Module):
            model = model._orig_mod  # type: ignore[assignment]
        else:
            return model


def tensors_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and persistent buffers by name, not copied; what else a state dict may hold is left out."""
    return {name: value for name, value in model.state_dict().items() if isinstance(value, torch.Tensor)}


def describe(tensor: torch.Tensor) -> str:
    """Type and shape: "float32 [2, 3]"."""
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def name_of(value: Any) -> str:
    """A choice in words that are the same in every process: a config in full, anything else by its name."""
    if value is None or isinstance(value, Frozen):
        return repr(value)
    return getattr(value, "__qualname__", type(value).__qualname__)
