"""A training in progress: how far it has come, and how that is kept."""

from dataclasses import replace
from time import perf_counter
from typing import Any

from crossloom.errors import TrainingError
from crossloom.training.loop.checkpoint import (
    BEST,
    LAST,
    Checkpoint,
    find_checkpoint,
    put_optimiser,
    put_tensors,
    take_checkpoint,
)
from crossloom.training.loop.culprit import first_not_finite
from crossloom.training.loop.evaluation import evaluate
from crossloom.training.loop.interruption import Interruption
from crossloom.training.loop.randomness import seed_everything
from crossloom.training.loop.records import EpochRecord, Totals
from crossloom.training.loop.stepper import StepFigures, Stepper
from crossloom.training.loop.task import Task


class Session:
    """The state of one training. `step` steps are done; `history` has the epochs that are over."""

    def __init__(self, task: Task, interruption: Interruption) -> None:
        self.task, self.config, self._interruption = task, task.config, interruption
        self._stepper = Stepper(task)
        self.step, self.totals = 0, Totals()
        self.history: tuple[EpochRecord, ...] = ()
        self._is_whole = True  # False in the midst of a step
        self._saved_at = perf_counter()
        self._last_good = self._checkpoint()

    @property
    def num_steps(self) -> int:
        """Of the whole training."""
        return self.config.epochs * self.task.steps_per_epoch

    @property
    def is_epoch_over(self) -> bool:
        return self.step == (len(self.history) + 1) * self.task.steps_per_epoch

    def resume(self) -> int | None:
        """Go on from the checkpoint in the folder; gives its step, None where there is none."""
        folder = self.task.folder
        found = None if folder is None else find_checkpoint(folder)
        if found is None:
            return None
        found.setting.check(self.task.setting, self.task.model, f"the checkpoint in {folder}")
        self._last_good = found
        self.go_back()
        return self.step

    def advance(self) -> None:
        """One step of the optimiser. Raises TrainingError, with the model as it was last good, when it cannot be."""
        with self._interruption.held():
            began, self._is_whole = perf_counter(), False
            try:
                figures = self._stepper.take(self.step)
            except TrainingError as error:
                raise self._failed(str(error)) from None
            self.step += 1
            totals = self.totals.add(
                figures.loss, figures.num_samples, figures.num_correct, figures.num_labels
            )
            self.totals = replace(totals, seconds=totals.seconds + perf_counter() - began)
            self._is_whole = True
        self._after_step(figures)

    def finish_epoch(self) -> None:
        """Validate, and write down how the epoch went."""
        began, config, validation = perf_counter(), self.config, self.task.validation
        last, judged = self.step - 1, None
        self._stepper.set_rates(last)  # a resumed training may begin here
        if validation is not None:
            seed_everything(self.task.device, config.seed, "validation", len(self.history))
            size = config.micro_batch or config.batch_size
            judged = evaluate(
                self.task.model, validation, size, self.task.objective.loss, config.torch_format
            )
        record = EpochRecord(
            epoch=len(self.history) + 1,
            loss=self.totals.mean_loss,
            accuracy=self.totals.accuracy,
            validation_loss=None if judged is None else judged.mean_loss,
            validation_accuracy=None if judged is None else judged.accuracy,
            learning_rate=self._stepper.learning_rate(last),
            noise_share=self._stepper.noise_share(last),
            seconds=self.totals.seconds + perf_counter() - began,
        )
        with self._interruption.held():
            self.history, self.totals = (*self.history, record), Totals()
            self.save()
        self.tell("epoch", **vars(record))

    def save(self) -> None:
        """Keep how things stand: in memory, and in the folder if there is one, the best epoch before the last.

        Raises TrainingError when a parameter is NaN or infinite.
        """
        name = first_not_finite(self.task.model.named_parameters())
        if name is not None:
            raise self._failed(f"the parameter {name} is NaN or infinite after step {self.step}")
        checkpoint, folder = self._checkpoint(), self.task.folder
        if folder is not None:
            if checkpoint.is_best:
                checkpoint.save(folder / BEST)
            checkpoint.save(folder / LAST)
        self._last_good, self._saved_at = checkpoint, perf_counter()

    def break_off(self) -> None:
        """Save, or go back to the last good checkpoint when a step was cut in two."""
        with self._interruption.held():
            if self._is_whole:
                self.save()
            else:
                self.go_back()

    def go_back(self) -> None:
        """To the last good checkpoint."""
        good = self._last_good
        put_tensors(self.task.model, good.model)
        put_optimiser(self._stepper.optimiser, good.optimiser)
        self.step, self.totals, self.history = good.step, good.totals, good.history

    def tell(self, kind: str, **figures: Any) -> None:
        """Give figures to the log, if there is one."""
        if self.task.log is not None:
            self.task.log({"kind": kind, "step": self.step, **figures})

    def headline(self) -> str:
        """Where things stand, in a few words."""
        accuracy = "" if self.totals.accuracy is None else f", {100 * self.totals.accuracy:.1f} %"
        epoch = min(len(self.history) + 1, self.config.epochs)
        return f"epoch {epoch}/{self.config.epochs}, step {self.step}, loss {self.totals.mean_loss:.3f}{accuracy}"

    def _after_step(self, figures: StepFigures) -> None:
        every, patience = self.config.log_every, self.config.checkpoint_every
        if every is not None and self.step % every == 0:
            last = self.step - 1
            rate, share = self._stepper.learning_rate(last), self._stepper.noise_share(last)
            correct = figures.num_correct
            self.tell(
                "step",
                loss=figures.loss,
                accuracy=None if correct is None else correct / figures.num_labels,
                gradient_norm=figures.gradient_norm,
                learning_rate=rate,
                noise_share=share,
            )
        is_due = patience is not None and perf_counter() - self._saved_at > patience
        if is_due and not self.is_epoch_over:
            with self._interruption.held():
                self.save()

    def _failed(self, message: str) -> TrainingError:
        """Go back to the last good checkpoint, and say so."""
        good, folder = self._last_good, self.task.folder
        self.go_back()
        kept = "" if folder is None else f" (checkpoint in {folder})"
        place = f"after step {good.step}{kept}" if good.step else "before the first step"
        return TrainingError(f"{message}; the model is as it was {place}; try a lower rate, or clip_gradient")

    def _checkpoint(self) -> Checkpoint:
        state = (self.step, self.totals, self.history)
        return take_checkpoint(self.task.model, self._stepper.optimiser, self.task.setting, *state)
