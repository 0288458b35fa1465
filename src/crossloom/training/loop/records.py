"""How a training goes: sums over an epoch, and what is kept of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isnan

from crossloom.artefacts import saved


@saved
@dataclass(frozen=True)
class Totals:
    """Sums over the samples of an epoch so far. num_labels: those that accuracy counts; 0 where there is none."""

    loss: float = 0.0
    num_samples: int = 0
    num_correct: float = 0.0
    num_labels: int = 0
    seconds: float = 0.0

    def add(self, loss: float, num_samples: int, num_correct: float | None, num_labels: int) -> "Totals":
        """With one batch more; `loss` is the mean over its samples."""
        is_counted = num_correct is not None
        return replace(
            self,
            loss=self.loss + loss * num_samples,
            num_samples=self.num_samples + num_samples,
            num_correct=self.num_correct + (num_correct or 0.0),
            num_labels=self.num_labels + (num_labels if is_counted else 0),
        )

    @property
    def mean_loss(self) -> float:
        return self.loss / max(self.num_samples, 1)

    @property
    def accuracy(self) -> float | None:
        return self.num_correct / self.num_labels if self.num_labels else None


@saved
@dataclass(frozen=True)
class EpochRecord:
    """One epoch. epoch: counted from 1.  loss, accuracy: means while training, noise and all; accuracies are 0 to 1,
    None where labels are no classes.  learning_rate, noise_share: of its last step;
    the share is None without a schedule.  seconds: validation included."""

    epoch: int
    loss: float
    accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    learning_rate: float
    noise_share: float | None
    seconds: float

    @property
    def score(self) -> float:
        """What the best epoch has most of: validation accuracy, or else the least loss of validation or training."""
        if self.validation_accuracy is not None:
            return self.validation_accuracy
        loss = self.loss if self.validation_loss is None else self.validation_loss
        return -inf if isnan(loss) else -loss


def best_of(history: Sequence[EpochRecord]) -> EpochRecord | None:
    """The first epoch with the highest score; None before the first has ended."""
    return max(history, key=lambda record: record.score, default=None)
