"""All that a training needs to go on, in one file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from crossloom.artefacts import Artefact, saved
from crossloom.training.loop.records import EpochRecord, Totals, best_of
from crossloom.training.loop.setting import Setting, tensors_of, unwrap

LAST, BEST = "last.safetensors", "best.safetensors"


@saved
@dataclass(frozen=True)
class Checkpoint(Artefact):
    """A training after `step` steps. One file holds it whole: tensors in safetensors, the rest in JSON, checksums.

    totals: of the epoch in progress.  history: of those before.  model: tensors by name.  optimiser: tensors and
    numbers by parameter (numbered as the optimiser does) and name.
    """

    setting: Setting
    step: int
    totals: Totals
    history: tuple[EpochRecord, ...] = field(repr=False)
    model: Mapping[str, torch.Tensor] = field(repr=False)
    optimiser: Mapping[int, Mapping[str, Any]] = field(repr=False)

    @property
    def is_best(self) -> bool:
        """Whether it is of the end of the best epoch so far."""
        has_ended = bool(self.history) and self.totals.num_samples == 0
        return has_ended and best_of(self.history) is self.history[-1]

    def restore(self, model: nn.Module) -> None:
        """Put the saved values into `model`. Raises ArtefactError when they are another model's."""
        self.setting.model.check(model, f"the checkpoint of step {self.step}")
        put_tensors(model, self.model)

    def summary(self) -> str:
        tensors = sum(tensor.numel() for tensor in self.model.values())
        return f"checkpoint of {self.setting.model.model_class} after step {self.step}: {tensors} numbers"


def put_tensors(model: nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Copy values into the tensors of `model`, in place; modules learn of it as of any state dict."""
    unwrap(model).load_state_dict(
        dict(tensors), strict=False
    )  # names were compared; extra state has no tensor


def copies(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Copies of tensors in main memory; anything else as it is."""
    return {
        name: value.detach().to("cpu", copy=True) if isinstance(value, torch.Tensor) else value
        for name, value in tensors.items()
    }


def take_checkpoint(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    setting: Setting,
    step: int,
    totals: Totals,
    history: tuple[EpochRecord, ...],
) -> Checkpoint:
    """A copy of how things stand."""
    state = {number: copies(values) for number, values in optimiser.state_dict()["state"].items()}
    return Checkpoint(setting, step, totals, history, copies(tensors_of(unwrap(model))), state)


def put_optimiser(optimiser: torch.optim.Optimizer, state: Mapping[int, Mapping[str, Any]]) -> None:
    """Give `optimiser` the saved state; averages lie in memory as their parameters do.

    Optimisers take all parameters in one pass only where layouts agree; a resumed training shall go the same way.
    """
    groups = optimiser.state_dict()["param_groups"]
    values_of = {number: dict(values) for number, values in state.items()}
    optimiser.load_state_dict({"state": values_of, "param_groups": groups})
    for parameter, values in optimiser.state.items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape and name != "step":
                values[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value).detach()


def find_checkpoint(folder: Path) -> Checkpoint | None:
    """The one that is furthest on: the best epoch is written before the last, and an interruption may come between."""
    found = [Checkpoint.load(folder / name) for name in (LAST, BEST) if (folder / name).is_file()]
    return max(found, key=lambda checkpoint: checkpoint.step, default=None)
