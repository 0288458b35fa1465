"""The step: programmed chips are tuned with themselves in the loop."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch

from crossloom.datasets import Dataset
from crossloom.errors import ConfigError, RunError
from crossloom.hardware import copied
from crossloom.programming import LayerCorrection, ProgrammedChips, Strategy, usual_strategy
from crossloom.registry import did_you_mean
from crossloom.training.in_the_loop.choosing import cells_again, check_own_cells, with_integers
from crossloom.training.in_the_loop.config import (
    DigitalOnly,
    InTheLoopConfig,
    LastLayer,
    NamedLayers,
)
from crossloom.training.in_the_loop.layer import LoopLayer
from crossloom.training.in_the_loop.learning import Learner, check_data, measure_accuracy, wanted_answers
from crossloom.training.in_the_loop.ledger import Ledger
from crossloom.training.in_the_loop.network import LoopNetwork, Part, corrections_of
from crossloom.training.in_the_loop.result import InTheLoopPoint, InTheLoopResult
from crossloom.training.in_the_loop.rewriting import (
    after_rewriting,
    plan_rewriting,
    rewrite,
    with_corrections,
)
from crossloom.training.loop.interruption import Interruption

Keep = Callable[[ProgrammedChips], None]


def tune_in_the_loop(
    chips: ProgrammedChips,
    data: Dataset,
    config: InTheLoopConfig | None = None,
    *,
    test: Dataset | None = None,
    strategy: Strategy | None = None,
    keep: Keep | None = None,
) -> InTheLoopResult:
    """Fine-tune a classifier on its own chips: they compute its forward pass, its model the gradient.

    The model is that of the conductances that were read back, not of those that were asked for. After every epoch the
    cells of weights that training wants elsewhere are rewritten, and no others, and are read back.

    Args:
        chips: left as they were where their backend can be copied.
        data: samples and class numbers; the loss is cross-entropy.
        config: which layers, how often, how fast.
        test: what accuracy is told of after every epoch; None for none.
        strategy: writes cells; None for the usual one.
        keep: called with the chips as they are after every epoch, and when Ctrl-C ends the tuning: chips that cannot
            be copied hold another placement then than before. Ctrl-C does not cut a rewriting in two.

    Raises DataError for data that do not fit, ConfigError for layers that are not in cells, RunError for things that
    are no programmed chips, ProgramError when these chips cannot be written so: all before the first pulse.
    TrainingError, with step and layer, when the loss is no number any more.
    """
    config = config or InTheLoopConfig()
    if not isinstance(chips, ProgrammedChips):
        raise RunError(
            f"need ProgrammedChips, got a {type(chips).__name__}; program them first: program(placement, backend)"
        )
    graph = chips.placement.mapped.quantized.graph
    part = _part(chips, config)
    if not isinstance(config.mode, DigitalOnly):
        check_own_cells(chips.placement)
    for samples in (data,) if test is None else (data, test):
        check_data(samples, graph)
    strategy = strategy or usual_strategy(chips.backend)
    strategy.check(chips.backend)
    backend = copied(chips.backend)
    session = _Session(replace(chips, backend=backend), part, data, test, config, strategy)
    return session.tune(keep)


def _part(chips: ProgrammedChips, config: InTheLoopConfig) -> Part:
    """Which layers the mode trains."""
    mapped, mode = chips.placement.mapped, config.mode
    names = [node.name for node in mapped.quantized.graph.matrices if node.name in mapped.schemes]
    if not names:
        raise ConfigError("no layer of this placement lies in cells; there is nothing to tune")
    if isinstance(mode, NamedLayers):
        for name in mode.layers:
            if name not in names:
                raise ConfigError(
                    f"layers: no layer in cells is called {name!r}; {did_you_mean(name, names)}"
                )
        chosen = tuple(name for name in names if name in mode.layers)
    else:
        chosen = tuple(names[-1:] if isinstance(mode, LastLayer) else names)
    if isinstance(mode, DigitalOnly):
        if not config.trains_digital:
            raise ConfigError("mode digital_only trains scales and biases; set trains_digital=True")
        return Part((), chosen, frozenset(names))
    return Part(chosen, chosen if config.trains_digital else (), frozenset(names))


class _Session:
    """One course of tuning. `chips` are as they are now."""

    def __init__(
        self,
        chips: ProgrammedChips,
        part: Part,
        data: Dataset,
        test: Dataset | None,
        config: InTheLoopConfig,
        strategy: Strategy,
    ) -> None:
        self.chips, self._part, self._config, self._strategy = chips, part, config, strategy
        self._data, self._ledger = data, Ledger()
        self._network = LoopNetwork(chips, part)
        self._answers = wanted_answers(chips.placement.mapped.quantized, data, config.objective)
        self._cells: dict[int, torch.Tensor] = {}
        for name, layer in (self._network.layers | self._network.behind).items():
            if name in part.on_chips:
                self._read(layer, layer.integers, torch.ones_like(layer.readback, dtype=torch.bool))
        self._teller = partial(measure_accuracy, self._network, test, config.seed)
        self._accuracy = self._teller()

    def tune(self, keep: Keep | None) -> InTheLoopResult:
        """All epochs, and what came of them."""
        config = self._config
        num_epochs = config.epochs if self._part.cells else 0
        num_digital = config.digital_epochs if config.trains_digital else 0
        num_digital += config.epochs - num_epochs
        curve = [InTheLoopPoint(0, None, self._accuracy(), 0, 0)]
        with Interruption() as interruption:
            try:
                rates = (config.learning_rate, config.digital_rate)
                learner = Learner(
                    self._network,
                    self._data,
                    self._answers,
                    config.batch_size,
                    rates,
                    num_epochs,
                    num_digital,
                    config.seed,
                )
                for epoch in range(1, num_epochs + num_digital + 1):
                    loss = learner.epoch(moves_weights=epoch <= num_epochs)
                    with interruption.held():
                        cells, pulses = self._rewrite() if epoch <= num_epochs else (0, 0)
                        self._keep(keep)
                    if epoch == num_epochs + num_digital and any(point.cells for point in curve):
                        self._accuracy = self._teller()  # cells that stay have aged while others settled
                    curve.append(InTheLoopPoint(epoch, loss, self._accuracy(), cells, pulses))
            except KeyboardInterrupt:
                self._keep(keep)
                raise
        return self._result(tuple(curve))

    def _rewrite(self) -> tuple[int, int]:
        """Write the weights that are due, and read them back: cells and pulses that it took."""
        layers = self._network.layers
        due = {name: layer.due() for name, layer in layers.items()}
        due = {name: mask for name, mask in due.items() if mask.any()}
        if not due:
            return 0, 0
        integers = {name: layers[name].planned() for name in due}
        before = self.chips.placement
        again = cells_again(before, due, self._cells, self._config.hysteresis)
        plan = plan_rewriting(before, with_integers(before, integers), again)
        done = rewrite(plan, self.chips.backend, self._strategy, self._config.settle)
        self._ledger.note(done)
        for name, mask in due.items():
            self._read(layers[name], integers[name], mask)
        self.chips = after_rewriting(self.chips, done, self._cells, self._config.settle)
        return plan.num_cells, sum(done.pulses.values())

    def _now(self) -> ProgrammedChips:
        """The chips with the scales and biases as they are trained by now."""
        found = dict(corrections_of(self.chips))
        if self._part.digital:
            found |= {name: layer.corrected() for name, layer in self._network.layers.items()}
        return with_corrections(self.chips, found)

    def _keep(self, keep: Keep | None) -> None:
        if keep is not None:
            keep(self._now())

    def _result(self, curve: tuple[InTheLoopPoint, ...]) -> InTheLoopResult:
        mapped, ledger = self.chips.placement.mapped, self._ledger
        return InTheLoopResult(
            system=self.chips.placement.system.name,
            config=self._config,
            curve=curve,
            layers={number: tile.layer for number, tile in enumerate(mapped.tiles)},
            writes=ledger.writes,
            pulses=dict(ledger.pulses),
            digital=self._part.digital,
            num_cells=mapped.num_cells,
            num_reads=ledger.num_reads,
            num_mvms=self._network.num_mvms,
            chips=self._now(),
        )

    def _read(self, layer: LoopLayer, integers: torch.Tensor, changed: torch.Tensor) -> None:
        config = self._config
        correction = corrections_of(self.chips).get(layer.node.name, LayerCorrection())
        found = self._ledger.read(
            self.chips.placement, layer.node, self.chips.backend, correction, config.num_reads
        )
        self._cells.update(found.cells)
        layer.take(integers, found.weight, changed, config.hysteresis)
