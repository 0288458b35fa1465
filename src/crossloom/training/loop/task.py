"""What is asked of a training, checked before any work."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from crossloom.errors import ArtefactError, ConfigError, DataError
from crossloom.training.loop.augmentation import Augmentation
from crossloom.training.loop.config import TrainingConfig
from crossloom.training.loop.culprit import first_not_finite
from crossloom.training.loop.evaluation import device_of
from crossloom.training.loop.objective import CrossEntropy, Loss, Objective
from crossloom.training.loop.samples import Data, Samples, check_alike, check_samples
from crossloom.training.loop.setting import Setting, fingerprint, name_of, unwrap

Log = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Task:
    """A model, its data, and all that `train` was given."""

    model: nn.Module
    teacher: nn.Module | None
    data: Samples
    validation: Samples | None
    config: TrainingConfig
    objective: Objective
    augment: Augmentation | None
    folder: Path | None
    log: Log | None
    setting: Setting
    device: torch.device

    @property
    def steps_per_epoch(self) -> int:
        num_samples, size = len(self.data), self.config.batch_size
        return num_samples // size if self.config.drop_last else -(-num_samples // size)


def check_task(
    model: nn.Module,
    data: Data,
    config: TrainingConfig,
    loss: Loss | None,
    validation: Data | None,
    augment: Augmentation | None,
    teacher: nn.Module | None,
    folder: str | Path | None,
    log: Log | None,
) -> Task:
    """The task, or ConfigError, DataError or ArtefactError that says what is wrong with it."""
    _check_model(model)
    if (teacher is None) != (config.distillation is None):
        raise ConfigError(
            "need distillation in the config and a teacher together, got one of them; give both"
        )
    if loss is not None and config.label_smoothing:
        raise ConfigError(
            "label_smoothing is of the usual loss only, got a loss as well; leave one of them out"
        )
    samples = check_samples(data, "training data", loss is None)
    judges = None if validation is None else check_samples(validation, "validation", loss is None)
    if judges is not None:
        check_alike(samples, judges)
    if config.drop_last and len(samples) < config.batch_size:
        raise DataError(
            f"need at least a batch of {config.batch_size} samples with drop_last, got {len(samples)}"
        )
    return Task(
        model=model,
        teacher=teacher,
        data=samples,
        validation=judges,
        config=config,
        objective=Objective(loss or _cross_entropy(samples, judges, config), config.distillation),
        augment=augment,
        folder=_check_folder(folder),
        log=log,
        setting=_setting(model, samples, config, loss, augment),
        device=device_of(model),
    )


def _check_model(model: nn.Module) -> None:
    if not isinstance(model, nn.Module):
        raise ConfigError(f"need an nn.Module to train, got a {type(model).__name__}")
    if any(isinstance(parameter, nn.UninitializedParameter) for parameter in model.parameters()):
        raise ConfigError("the model has parameters without a shape yet; run it on one batch first")
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ConfigError(
            f"need at least one parameter with requires_grad, got {type(model).__name__} without; nothing to train"
        )
    name = first_not_finite(model.named_parameters())
    if name is not None:
        raise ConfigError(f"need finite parameters to begin with, got NaN or infinity in {name}; load others")


def _check_folder(folder: str | Path | None) -> Path | None:
    path = None if folder is None else Path(folder)
    if path is not None and path.exists() and not path.is_dir():
        raise ArtefactError(f"need a folder for checkpoints, got the file {path}; give another name")
    return path


def _cross_entropy(data: Samples, validation: Samples | None, config: TrainingConfig) -> CrossEntropy:
    highest = max(int(samples.labels.max()) for samples in (data, validation) if samples is not None)
    return CrossEntropy(highest + 1, config.label_smoothing)


def _setting(
    model: nn.Module, data: Samples, config: TrainingConfig, loss: Loss | None, augment: Augmentation | None
) -> Setting:
    named = unwrap(model).named_parameters()
    trained = "\n".join(name for name, parameter in named if parameter.requires_grad)
    rest = {
        "data": f"{len(data)} samples ({data.digest()})",
        "loss": name_of(loss),
        "augment": name_of(augment),
        "parameters to train": f"{trained.count(chr(10)) + 1} ({hashlib.sha256(trained.encode()).hexdigest()[:8]})",
    }
    return Setting(config, fingerprint(model), rest)
