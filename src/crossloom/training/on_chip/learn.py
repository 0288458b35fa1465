"""The step: a network learns in its cells, batch by batch, and all that it takes is counted."""

import torch
from torch import nn
from torch.nn import functional

from crossloom.datasets import Dataset
from crossloom.errors import DataError, TrainingError
from crossloom.hardware import Backend, Timed, copied
from crossloom.programming import Strategy, usual_strategy
from crossloom.progress import track
from crossloom.seeds import derive_generator
from crossloom.training.on_chip.array import LearningArray
from crossloom.training.on_chip.config import OnChipConfig
from crossloom.training.on_chip.finite import first_not_finite
from crossloom.training.on_chip.network import OnChipNetwork
from crossloom.training.on_chip.result import LearningPoint, OnChipResult

_TEST_BATCH = 256


def learn_on_chip(
    model: nn.Module,
    backend: Backend,
    data: Dataset,
    config: OnChipConfig | None = None,
    *,
    test: Dataset | None = None,
    strategy: Strategy | None = None,
) -> OnChipResult:
    """Train a classifier in the cells of chips, by pulses; the loss is cross-entropy.

    Layers of `model` lie in cells as differential pairs; in every batch the chip multiplies, weights are read back,
    errors go back through what was read, and the rule of `config` turns inputs and errors into pulses.

    Args:
        model: gives scores [sample, class]; it is left as it was.
        backend: chips whose cells can be pulsed; left as it was where it can be copied.
        data: what to learn; labels are class numbers.
        test: what accuracy is measured on; None for `data`.
        strategy: writes the first weights; None for the usual one.

    Raises DataError for data that do not fit the model, ConfigError for layers that cannot learn, ProgramError for
    cells of which it is not known what pulses do, CapacityError when the chips are too small: all before the first
    pulse. TrainingError, with batch and layer, when the loss is no number any more.
    """
    config = config or OnChipConfig()
    strategy = strategy or usual_strategy(backend)
    test = test or data
    for part in (data, test):
        _check_data(part)
        _check_fits(model, part)
    backend = copied(backend)
    network = OnChipNetwork(model, backend, config)
    strategy.check(backend)
    return _Session(network, backend, data, test, config).learn(strategy)


class _Session:
    """One course of learning."""

    def __init__(
        self, network: OnChipNetwork, backend: Backend, data: Dataset, test: Dataset, config: OnChipConfig
    ) -> None:
        self._network, self._backend, self._config = network, backend, config
        self._data, self._test = data, test
        self._order = derive_generator(config.seed, "batches")
        biases = [layer.bias for layer in network.layers.values() if layer.bias is not None]
        self._biases = biases if config.bias_learning_rate is not None else []
        self._losses: list[float] = []

    def learn(self, strategy: Strategy) -> OnChipResult:
        self._network.write(strategy)
        curve = [self._point(0, self._first_loss())]
        for epoch in track(range(1, self._config.num_epochs + 1), "learning", self._config.num_epochs):
            order = torch.randperm(len(self._data), generator=self._order)
            losses = [self._step(batch) for batch in order.split(self._config.batch_size)]
            curve.append(self._point(epoch, sum(losses) / len(losses)))
        if isinstance(self._backend, Timed):
            self._backend.wait(self._config.settle)
        return self._result(tuple(curve))

    def _step(self, batch: torch.Tensor) -> float:
        """Learn from the samples of these numbers; the loss before."""
        loss = self._loss(batch)
        if not torch.isfinite(loss):
            place = first_not_finite(self._network.body, self._data.inputs[batch])
            raise TrainingError(
                f"the loss is {loss.item()} at batch {len(self._losses) + 1}, first {place}; the cells keep what they "
                f"have learnt: start again with lower rates of {self._config.rule.kind}"
            )
        loss.backward()
        self._losses.append(loss.item())
        for layer in self._network.layers.values():
            layer.learn()
        self._move_biases()
        if len(self._losses) % self._config.read_every == 0:
            self._read_back()
        return self._losses[-1]

    def _loss(self, batch: torch.Tensor) -> torch.Tensor:
        assert self._data.labels is not None
        self._network.set_learning(True)
        scores = self._network(self._data.inputs[batch])
        self._network.set_learning(False)
        return functional.cross_entropy(scores, self._data.labels[batch])

    def _first_loss(self) -> float:
        """Of one batch, which also shows the layers what ranges they need. DataError when labels do not fit."""
        with torch.no_grad():
            first = torch.arange(min(self._config.batch_size, len(self._data)))
            return self._loss(first).item()

    def _move_biases(self) -> None:
        with torch.no_grad():
            for bias in self._biases:
                if bias.grad is not None:
                    bias -= (self._config.bias_learning_rate or 0.0) * bias.grad
                    bias.grad = None

    def _read_back(self) -> None:
        for layer in self._network.layers.values():
            layer.read_back()

    def _point(self, epoch: int, loss: float) -> LearningPoint:
        return LearningPoint(epoch, loss, self._accuracy(), sum(int(a.pulses.sum()) for a in self._arrays()))

    def _accuracy(self) -> float:
        """On the test data, with the weights that the cells have now."""
        self._read_back()
        inputs, labels = self._test.inputs, self._test.labels
        assert labels is not None
        with torch.no_grad():
            answers = [self._network(part).argmax(1) for part in inputs.split(_TEST_BATCH)]
        return (torch.cat(answers) == labels).double().mean().item()

    def _arrays(self) -> list[LearningArray]:
        return [array for arrays in self._network.arrays.values() for array in arrays]

    def _result(self, curve: tuple[LearningPoint, ...]) -> OnChipResult:
        network, arrays = self._network, self._arrays()
        settled = self._accuracy()
        return OnChipResult(
            system=self._backend.spec.name,
            config=self._config,
            curve=curve,
            settled=settled,
            losses=torch.tensor(self._losses),
            pulses={
                name: torch.stack([array.pulses for array in found]) for name, found in network.arrays.items()
            },
            weights={name: layer.weight.detach().clone() for name, layer in network.layers.items()},
            start_pulses=sum(array.start_pulses for array in arrays),
            num_reads=sum(array.num_reads for array in arrays),
            num_mvms=sum(layer.num_mvms for layer in network.layers.values()),
            network=network,
        )


def _check_data(data: Dataset) -> None:
    """DataError unless these are samples with class numbers."""
    if not isinstance(data, Dataset):
        raise DataError(f"need a Dataset(inputs, labels, name), got a {type(data).__name__}")
    if data.labels is None or data.labels.dtype != torch.int64:
        raise DataError(f"{data.name}: learning needs labels, one int64 class number for each sample")
    if not data.inputs.is_floating_point():
        raise DataError(f"{data.name}: cells multiply real numbers, got inputs of {data.inputs.dtype}")


def _check_fits(model: nn.Module, data: Dataset) -> None:
    """DataError unless `model` gives one score per class for these samples."""
    assert data.labels is not None
    was_training, device = model.training, next((part.device for part in model.parameters()), None)
    try:
        with torch.no_grad():
            scores = model.eval()(data.inputs[:2].to(device))
    except RuntimeError as error:
        raise DataError(f"{data.name}: does not fit the model: {error}") from None
    finally:
        model.train(was_training)
    lowest, highest = int(data.labels.min()), int(data.labels.max())
    if scores.dim() != 2 or lowest < 0 or highest >= scores.shape[1]:
        raise DataError(
            f"{data.name}: need scores [sample, class] for classes {lowest}...{highest}, the model gives "
            f"{list(scores.shape)}"
        )
