"""What is made small: a loss over labels, and perhaps over what a teacher answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch.nn import functional

from crossloom.errors import ConfigError, DataError
from crossloom.spec import Config

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Distillation(Config):
    """Learn from a teacher's logits too (Hinton, Vinyals and Dean 2015, section 2).

    The loss is (1 - weight) · loss over labels + weight · T² · KL(softmax(teacher / T) ‖ softmax(network / T)), with T
    the temperature; T² keeps the size of the gradient when T changes.
    """

    weight: Annotated[float, Field(gt=0, le=1)] = 0.5
    temperature: Annotated[float, Field(gt=0)] = 4.0

    def divergence(self, outputs: torch.Tensor, teaching: torch.Tensor) -> torch.Tensor:
        """T² · KL of logits [sample, class, ...], averaged over samples and places, []."""
        if outputs.shape != teaching.shape:
            raise ConfigError(
                f"need a teacher that answers {list(outputs.shape)} as the model does, got {list(teaching.shape)}"
            )
        student = functional.log_softmax(outputs / self.temperature, 1)
        teacher = functional.log_softmax(teaching / self.temperature, 1)
        terms = functional.kl_div(student, teacher, reduction="none", log_target=True)
        return terms.sum(1).mean() * self.temperature**2


@dataclass(frozen=True)
class CrossEntropy:
    """Of logits [sample, class, ...] and class numbers. Raises DataError when there are fewer classes than labels."""

    num_classes: int
    label_smoothing: float = 0.0

    def __call__(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if outputs.dim() != labels.dim() + 1 or outputs.shape[1] < self.num_classes:
            raise DataError(
                f"labels {list(labels.shape)} go up to {self.num_classes - 1}, but the model answers "
                f"{list(outputs.shape)}; need one output for each class, or give a loss"
            )
        return functional.cross_entropy(outputs, labels, label_smoothing=self.label_smoothing)


@dataclass(frozen=True)
class Objective:
    """The whole loss of a batch."""

    loss: Loss
    distillation: Distillation | None = None

    def __call__(
        self, outputs: torch.Tensor, labels: torch.Tensor, teaching: torch.Tensor | None = None
    ) -> torch.Tensor:
        """One number, []. `teaching`: the teacher's logits. Raises ConfigError when the loss gives anything else."""
        loss = self.loss(outputs, labels)
        if loss.numel() != 1:
            raise ConfigError(f"need a loss that gives one number, got {list(loss.shape)}; take its mean")
        if self.distillation is None or teaching is None:
            return loss
        weight = self.distillation.weight
        return (1 - weight) * loss + weight * self.distillation.divergence(outputs, teaching)


@torch.no_grad()
def count_correct(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor | None:
    """How many of `labels` the largest output names, []; None where labels are no class numbers."""
    are_classes = not labels.is_floating_point() and outputs.dim() == labels.dim() + 1
    return (outputs.argmax(1) == labels).sum() if are_classes else None
