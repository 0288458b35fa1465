"""One step of the optimiser: it depends on the number of the step, the model and the optimiser's averages only."""

from dataclasses import dataclass
from math import isfinite

import torch

from crossloom.errors import TrainingError
from crossloom.seeds import derive_generator
from crossloom.training.loop.clipping import clip_weights
from crossloom.training.loop.culprit import find_culprit, first_not_finite
from crossloom.training.loop.gradients import Batch, add_gradients
from crossloom.training.loop.noise_schedule import set_noise_share
from crossloom.training.loop.optimisers import weights_of
from crossloom.training.loop.randomness import seed_everything
from crossloom.training.loop.samples import lay_out, order_of
from crossloom.training.loop.setting import unwrap
from crossloom.training.loop.task import Task


@dataclass(frozen=True)
class StepFigures:
    """How one step went. loss: mean over samples and draws.  num_correct: None where labels are no classes."""

    loss: float
    gradient_norm: float
    num_correct: float | None
    num_samples: int
    num_labels: int


class Stepper:
    """Takes steps."""

    def __init__(self, task: Task) -> None:
        self.task, self.config = task, task.config
        self.optimiser = self.config.optimiser.make(task.model)
        self._weights = weights_of(task.model)
        self._trained = [parameter for parameter in task.model.parameters() if parameter.requires_grad]
        self._order: tuple[int, torch.Tensor] | None = None

    def take(self, step: int) -> StepFigures:
        """The step after `step` others. Raises TrainingError, before any weight changes, when its loss or gradient is
        NaN or infinite."""
        self.set_rates(step)
        batch = self._batch(step)
        figures = self._gradients(batch, step)
        if not isfinite(figures.loss) or not isfinite(figures.gradient_norm):
            raise TrainingError(self._explain(figures, batch, step))
        if self.config.clip_gradient is not None:
            norm = torch.tensor(figures.gradient_norm)
            torch.nn.utils.clip_grads_with_norm_(self._trained, self.config.clip_gradient, norm)
        self.optimiser.step()
        if self.config.clip_weights is not None:
            clip_weights(self._weights, self.config.clip_weights)
        return figures

    def learning_rate(self, step: int) -> float:
        """Of the step after `step` others: the schedule's at the step's middle, so that neither the first step of a
        warm-up nor the last of a cosine is idle."""
        epoch = (step + 0.5) / self.task.steps_per_epoch
        return self.config.optimiser.learning_rate * self.config.schedule.factor(epoch, self.config.epochs)

    def noise_share(self, step: int) -> float | None:
        """Of the step after `step` others; None without a schedule."""
        schedule = self.config.noise
        return None if schedule is None else schedule.share(step / self.task.steps_per_epoch)

    def set_rates(self, step: int) -> None:
        """Give optimiser and model their learning rate and noise."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate(step)
        share = self.noise_share(step)
        if share is not None:
            set_noise_share(self.task.model, share)

    def _batch(self, step: int) -> Batch:
        task, seed, size = self.task, self.config.seed, self.config.batch_size
        seed_everything(task.device, seed, "batch", step)  # for augmentations and teachers that draw from it
        epoch, number = divmod(step, task.steps_per_epoch)
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, order_of(len(task.data), seed, epoch))
        indices = self._order[1][number * size : (number + 1) * size]
        inputs, labels = task.data.take(indices, task.device, self.config.torch_format)
        if task.augment is not None:
            inputs = task.augment(inputs, derive_generator(seed, "augment", epoch, number))
            inputs = lay_out(inputs, self.config.torch_format)
        if task.teacher is None:
            return Batch(inputs, labels)
        with torch.no_grad():
            return Batch(inputs, labels, task.teacher(inputs))

    def _gradients(self, batch: Batch, step: int) -> StepFigures:
        """Forwards and backwards, and one wait for all figures."""
        self.optimiser.zero_grad()
        seed_everything(self.task.device, self.config.seed, "noise", step)
        parts = (self.task.model, self.task.objective, batch, self.config.num_draws, self.config.micro_batch)
        loss, correct = add_gradients(*parts)
        gradients = [parameter.grad for parameter in self._trained if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients).to(loss.device)
        tensors = [loss, norm] if correct is None else [loss, norm, correct]
        figures = torch.stack([tensor.float() for tensor in tensors]).tolist()
        num_correct = None if correct is None else figures[2]
        return StepFigures(figures[0], figures[1], num_correct, len(batch), batch.labels.numel())

    def _explain(self, figures: StepFigures, batch: Batch, step: int) -> str:
        """What was not finite first: the same step again, watched."""
        if first_not_finite([("", batch.inputs)]) is not None:
            culprit = "the inputs of the batch"
        else:
            culprit = find_culprit(
                unwrap(self.task.model), lambda: torch.tensor(self._gradients(batch, step).loss)
            )
        is_loss = not isfinite(figures.loss)
        what = f"the loss is {figures.loss}" if is_loss else "the gradient is NaN or infinite"
        first = f"first in {culprit}" if culprit else "though not when the same step was taken again"
        return f"{what} at step {step + 1}, {first}"
