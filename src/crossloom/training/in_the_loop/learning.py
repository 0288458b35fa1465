"""Epochs over samples that were measured before the trained layers."""

from collections.abc import Callable

import torch
from torch.nn import functional

from crossloom.datasets import Dataset
from crossloom.errors import DataError, TrainingError
from crossloom.graph import Graph, Interpreter
from crossloom.hardware import Draw
from crossloom.progress import track
from crossloom.quant import QuantizedGraph, integer_matrix
from crossloom.seeds import derive_generator
from crossloom.training.in_the_loop.config import Objective
from crossloom.training.in_the_loop.network import LoopNetwork
from crossloom.training.in_the_loop.steps import DigitalSteps, WeightSteps, falling

_TEST_BATCH = 64
_TEST_RUN = 2**31  # runs of noise for test data are none of those for training


class Learner:
    """Steps on one network, with a cosine over `num_epochs` of weights and, after them, `num_digital` of the rest."""

    def __init__(
        self,
        network: LoopNetwork,
        data: Dataset,
        answers: torch.Tensor | None,
        batch_size: int,
        rates: tuple[float, float],
        num_epochs: int,
        num_digital: int,
        seed: int,
        stage: int = 0,
    ) -> None:
        assert data.labels is not None
        self._answers = answers
        self.network, self._labels, self._size, self._seed = network, data.labels, batch_size, seed
        self._measured = network.measure(data.inputs, seed)
        layers = list(network.layers.values())
        self._weights, self._digital = WeightSteps(layers, rates[0]), DigitalSteps(layers, rates[1])
        per_epoch = -(-len(data) // batch_size)
        self._weight_total, self._total = (
            num_epochs * per_epoch,
            (num_epochs + num_digital) * per_epoch,
        )
        self._order = derive_generator(seed, "order", stage)
        self.step = 0

    def epoch(self, moves_weights: bool) -> float:
        """One pass over the data; its mean loss. TrainingError, with step and layer, for a loss that is no number."""
        losses = []
        batches = torch.randperm(len(self._labels), generator=self._order).split(self._size)
        for batch in track(batches, "tuning in the loop", len(batches)):
            losses.append(self._advance(batch, moves_weights) * len(batch))
        return sum(losses) / len(self._labels)

    def _advance(self, batch: torch.Tensor, moves_weights: bool) -> float:
        measured = tuple(part[batch] for part in self._measured)
        draw = Draw(self._seed + 1 + self.step)
        self.network.zero_grad()
        loss = self._loss(self.network(measured, draw), batch)
        if not torch.isfinite(loss):
            layer = self.network.first_not_finite(measured, draw) or "the loss itself"
            raise TrainingError(
                f"step {self.step}: the loss is {loss.item()}, first at {layer}; no cell was written since the last "
                "rewriting; lower learning_rate and digital_rate, or check what the chips answer"
            )
        loss.backward()
        if moves_weights:
            self._weights.step(falling(self.step, self._weight_total))
        self._digital.step(falling(self.step, self._total))
        self.step += 1
        return loss.item()

    def _loss(self, scores: torch.Tensor, batch: torch.Tensor) -> torch.Tensor:
        if self._answers is None:
            return functional.cross_entropy(scores, self._labels[batch])
        return functional.mse_loss(scores, self._answers[batch]) / self._answers.var().clamp(min=1e-12)


@torch.no_grad()
def wanted_answers(quantized: QuantizedGraph, data: Dataset, objective: Objective) -> torch.Tensor | None:
    """The scores [sample, class] that the network gives by exact integers; None where labels are the objective."""
    if objective == "labels":
        return None
    exact = Interpreter(quantized.graph, integer_matrix(quantized))
    return torch.cat([exact((piece,))[0] for piece in data.inputs.split(_TEST_BATCH)])


def measure_accuracy(network: LoopNetwork, test: Dataset | None, seed: int) -> Callable[[], float | None]:
    """What tells the accuracy on test data, as the chips are then; what stays is measured now, once."""
    if test is None:
        return lambda: None
    labels, measured = test.labels, network.measure(test.inputs, seed + _TEST_RUN)
    assert labels is not None

    @torch.no_grad()
    def tell() -> float:
        right = 0
        for start in range(0, len(labels), _TEST_BATCH):
            piece = tuple(part[start : start + _TEST_BATCH] for part in measured)
            scores = network(piece, Draw(seed + _TEST_RUN, start))
            right += int((scores.argmax(1) == labels[start : start + _TEST_BATCH]).sum())
        return right / len(labels)

    return tell


def check_data(data: Dataset, graph: Graph) -> None:
    """DataError unless these are samples with class numbers for which the network gives scores."""
    if not isinstance(data, Dataset):
        raise DataError(f"need a Dataset(inputs, labels, name), got a {type(data).__name__}")
    if data.labels is None or data.labels.dtype != torch.int64:
        raise DataError(f"{data.name}: tuning needs labels, one int64 class number for each sample")
    wanted = graph.inputs
    if len(wanted) != 1 or not wanted[0].shape or wanted[0].shape[0] is not None:
        raise DataError("tuning needs a network with one input, of any number of samples; trace it so")
    if tuple(data.inputs.shape[1:]) != wanted[0].shape[1:]:
        raise DataError(
            f"{data.name}: samples are {list(data.inputs.shape[1:])}, the network takes {list(wanted[0].shape[1:])}"
        )
    with torch.no_grad():
        scores = Interpreter(graph)((data.inputs[:2],))[0]
    lowest, highest = int(data.labels.min()), int(data.labels.max())
    if scores.dim() != 2 or lowest < 0 or highest >= scores.shape[1]:
        raise DataError(
            f"{data.name}: need scores [sample, class] for classes {lowest}...{highest}, the network gives "
            f"{list(scores.shape)}"
        )
