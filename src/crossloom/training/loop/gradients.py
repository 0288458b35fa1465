"""Forwards and backwards for one batch: several draws of noise, in parts that fit into memory."""

from dataclasses import dataclass

import torch
from torch import nn

from crossloom.training.loop.objective import Objective, count_correct


@dataclass(frozen=True)
class Batch:
    """inputs [sample, ...], labels [sample, ...], and the teacher's logits, None without a teacher."""

    inputs: torch.Tensor
    labels: torch.Tensor
    teaching: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def split(self, size: int | None) -> list["Batch"]:
        """Parts of at most `size` samples; the whole for None."""
        if size is None or size >= len(self):
            return [self]
        parts = zip(self.inputs.split(size), self.labels.split(size), strict=True)
        teaching = [None] * len(self) if self.teaching is None else self.teaching.split(size)
        return [Batch(*part, taught) for part, taught in zip(parts, teaching, strict=False)]


def add_gradients(
    model: nn.Module, objective: Objective, batch: Batch, num_draws: int, size: int | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Add the gradient of the mean loss over samples and draws to the parameters'.

    Gives that loss, [], and how many answers were correct on average over the draws, []; None where labels are no
    classes.
    """
    losses, correct = [], []
    for part in batch.split(size) * num_draws:
        outputs = model(part.inputs)
        loss = objective(outputs, part.labels, part.teaching).reshape(()) * (
            len(part) / len(batch) / num_draws
        )
        loss.backward()
        losses.append(loss.detach())
        correct.append(count_correct(outputs.detach(), part.labels))
    known = [count for count in correct if count is not None]
    return torch.stack(losses).sum(), torch.stack(known).sum() / num_draws if known else None
