"""What is chosen when a network is trained."""

from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator

from crossloom.artefacts import saved
from crossloom.spec import Config
from crossloom.training.loop.clipping import WeightClipping
from crossloom.training.loop.learning_rates import Cosine, Schedule
from crossloom.training.loop.noise_schedule import NoiseSchedule
from crossloom.training.loop.objective import Distillation
from crossloom.training.loop.optimisers import Optimiser, Sgd

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
MemoryFormat = Literal["contiguous", "channels_last"]
_ONLY_HABITS = {"epochs", "checkpoint_every", "log_every"}


@saved
class TrainingConfig(Config):
    """How a network is trained. None leaves a thing out.

    batch_size: samples per step.  drop_last: leave an epoch's last samples out when they fill no batch.
    micro_batch: samples that go through the network at once; gradients add up to the batch's. Batch norms see no more.
    schedule: what becomes of the optimiser's learning rate over the epochs.
    noise: how much of the noise is on, over the epochs; None leaves modules as they are.
    num_draws: times that each batch goes forwards and backwards, with new noise, before a step; gradients are averaged.
    clip_gradient: the largest norm of all gradients together.  clip_weights: bounds of weights after every step.
    distillation: learn from a teacher too.  label_smoothing: of the usual loss (Szegedy et al. 2016, section 7).
    checkpoint_every: s, after which a checkpoint is written within an epoch too; None for only at the end of each.
    log_every: steps between calls of the log within an epoch.
    memory_format: how images and weights lie in memory.
    seed: of order, augmentation and noise.
    """

    epochs: Count
    batch_size: Count = 128
    drop_last: bool = False
    micro_batch: Count | None = None
    optimiser: Optimiser = Sgd()
    schedule: Schedule = Cosine()
    noise: NoiseSchedule | None = None
    num_draws: Count = 1
    clip_gradient: Positive | None = None
    clip_weights: WeightClipping | None = None
    distillation: Distillation | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    checkpoint_every: Positive | None = 300.0
    log_every: Count | None = None
    memory_format: MemoryFormat = "contiguous"
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _warm_up_ends(self) -> Self:
        if self.schedule.warm_up >= self.epochs:
            raise ValueError(f"need a warm-up shorter than {self.epochs} epochs, got {self.schedule.warm_up}")
        return self

    @property
    def torch_format(self) -> torch.memory_format:
        """`memory_format` as torch calls it."""
        return torch.channels_last if self.memory_format == "channels_last" else torch.contiguous_format

    def differences(self, earlier: "TrainingConfig") -> tuple[str, ...]:
        """The fields in which a training with this config could not go on from one with `earlier`.

        More epochs are no hindrance, fewer are; how often something is written is of no account.
        """
        names = [name for name in type(self).model_fields if name not in _ONLY_HABITS]
        changed = [name for name in names if getattr(self, name) != getattr(earlier, name)]
        return tuple(changed + (["epochs"] if self.epochs < earlier.epochs else []))
