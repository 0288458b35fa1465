"""What a training gives, besides a trained model."""

from dataclasses import dataclass

from crossloom.artefacts import Artefact, saved
from crossloom.training.loop.records import EpochRecord, best_of


@saved
@dataclass(frozen=True)
class TrainingResult(Artefact):
    """How a training went. history: one record per epoch, those before an interruption included.
    num_steps: optimiser steps since the very beginning.  resumed_at: the step of the checkpoint that this call went on
    from, None when it began anew."""

    history: tuple[EpochRecord, ...]
    num_steps: int
    resumed_at: int | None = None

    @property
    def best(self) -> EpochRecord:
        """The epoch of highest validation accuracy, or else of least loss of validation or training."""
        best = best_of(self.history)
        assert best is not None  # a training has at least one epoch
        return best

    def summary(self) -> str:
        last, best = self.history[-1], self.best
        seconds = sum(record.seconds for record in self.history)
        resumed = "" if self.resumed_at is None else f"; resumed at step {self.resumed_at}"
        lines = [f"trained {len(self.history)} epochs, {self.num_steps} steps, {seconds:.1f} s{resumed}"]
        lines += [f"last, epoch {last.epoch}: {_told(last)}", f"best, epoch {best.epoch}: {_told(best)}"]
        return "\n".join(lines)


def _told(record: EpochRecord) -> str:
    figures = {
        "loss": f"{record.loss:.4f}",
        "accuracy": _percent(record.accuracy),
        "validation loss": None if record.validation_loss is None else f"{record.validation_loss:.4f}",
        "validation accuracy": _percent(record.validation_accuracy),
    }
    return ", ".join(f"{name} {figure}" for name, figure in figures.items() if figure is not None)


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.2f} %"
