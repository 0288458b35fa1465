"""Chips are programmed layer by layer, and the rest of the network learns to live with what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from crossloom.datasets import Dataset
from crossloom.errors import ConfigError
from crossloom.graph import Matrix
from crossloom.hardware import Backend, copied
from crossloom.placement import Placement
from crossloom.programming import (
    LayerCorrection,
    ProgrammedChips,
    ProgrammingReport,
    Strategy,
    TileReport,
    Written,
    attach,
    usual_strategy,
)
from crossloom.training.in_the_loop.choosing import check_own_cells, with_integers
from crossloom.training.in_the_loop.config import LayerByLayerConfig
from crossloom.training.in_the_loop.layer import LoopLayer
from crossloom.training.in_the_loop.learning import Learner, check_data, measure_accuracy, wanted_answers
from crossloom.training.in_the_loop.ledger import Ledger
from crossloom.training.in_the_loop.network import LoopNetwork, Part
from crossloom.training.in_the_loop.result import InTheLoopPoint, InTheLoopResult
from crossloom.training.in_the_loop.rewriting import plan_rewriting, rewrite, with_corrections
from crossloom.training.in_the_loop.tune import Keep
from crossloom.training.loop.interruption import Interruption


def program_in_the_loop(
    placement: Placement,
    backend: Backend,
    data: Dataset,
    config: LayerByLayerConfig | None = None,
    *,
    test: Dataset | None = None,
    strategy: Strategy | None = None,
    keep: Keep | None = None,
) -> InTheLoopResult:
    """Program a placement layer by layer; after each, the layers to come are trained against its measured outputs.

    Layers that are not yet in cells compute with exact integers meanwhile, without converters. A layer's scales and
    biases are trained once more after it was written. Every cell is written once.

    Args: as of `tune_in_the_loop`; `placement` and `backend` as of `program`. A backend that can be copied is left as
        it was.

    Raises what `program` and `tune_in_the_loop` raise, before the first pulse; TrainingError for a loss that is no
    number.
    """
    config = config or LayerByLayerConfig()
    chips = attach(placement, backend)
    nodes = [
        node for node in placement.mapped.quantized.graph.matrices if node.name in placement.mapped.schemes
    ]
    if not nodes:
        raise ConfigError("no layer of this placement lies in cells; there is nothing to program")
    check_own_cells(placement)
    for samples in (data,) if test is None else (data, test):
        check_data(samples, placement.mapped.quantized.graph)
    strategy = strategy or usual_strategy(backend)
    strategy.check(backend)
    backend = copied(backend)
    session = _Session(replace(chips, backend=backend), nodes, data, test, config, strategy)
    return session.program(keep)


class _Session:
    """One course of programming."""

    def __init__(
        self,
        chips: ProgrammedChips,
        nodes: Sequence[Matrix],
        data: Dataset,
        test: Dataset | None,
        config: LayerByLayerConfig,
        strategy: Strategy,
    ) -> None:
        self.chips, self._nodes, self._config, self._strategy = chips, nodes, config, strategy
        self._data, self._test, self._ledger, self._num_mvms = data, test, Ledger(), 0
        layers = chips.placement.mapped.quantized.layers
        self._layers = {
            node.name: LoopLayer(node, layers[node.name], LayerCorrection(), True, config.trains_digital)
            for node in nodes
        }
        self._answers = wanted_answers(chips.placement.mapped.quantized, data, config.objective)
        self._written: dict[int, Written] = {}
        self._cells: dict[int, torch.Tensor] = {}

    def program(self, keep: Keep | None) -> InTheLoopResult:
        """Write, read, train, layer by layer."""
        config, names = self._config, [node.name for node in self._nodes]
        curve: list[InTheLoopPoint] = []
        with Interruption() as interruption:
            for stage, start in enumerate(range(0, len(names), config.layers_at_once)):
                now = names[start : start + config.layers_at_once]
                with interruption.held():
                    cells, pulses = self._write(now)
                    if keep is not None:
                        keep(self._finished(names[: start + len(now)]))
                loss, accuracy = self._train(stage, names, start, start + len(now))
                curve.append(InTheLoopPoint(stage + 1, loss, accuracy, cells, pulses))
        return self._result(tuple(curve), names)

    def _write(self, names: Sequence[str]) -> tuple[int, int]:
        """Write these layers as they are trained by now, and read them back."""
        before = self.chips.placement
        integers = {name: self._layers[name].planned() for name in names}
        everything = {
            number: torch.ones_like(before.mapped.targets(before.mapped.tiles[number]), dtype=torch.bool)
            for name in names
            for number in before.mapped.tiles_of[name]
        }
        plan = plan_rewriting(before, with_integers(before, integers), everything)
        done = rewrite(plan, self.chips.backend, self._strategy, self._config.settle)
        self._ledger.note(done)
        self._written |= done.written
        self.chips = replace(self.chips, placement=plan.placement)
        for name in names:
            layer = self._layers[name]
            found = self._ledger.read(
                plan.placement, layer.node, self.chips.backend, LayerCorrection(), self._config.num_reads
            )
            self._cells |= found.cells
            layer.take(integers[name], found.weight, torch.ones_like(layer.readback, dtype=torch.bool), 1.0)
            layer.wish = None
        return plan.num_cells, sum(done.pulses.values())

    def _train(
        self, stage: int, names: Sequence[str], start: int, stop: int
    ) -> tuple[float | None, float | None]:
        """Train what is not written yet, and scales and biases of what was written last: loss and accuracy."""
        config = self._config
        digital = tuple(names[start:]) if config.trains_digital else ()
        part = Part(tuple(names[stop:]), digital, frozenset(names[:stop]))
        if not part.trained:
            part = Part((), tuple(names[-1:]), frozenset(names))
        chips = replace(self.chips, report=None)
        done = {name: self._layers[name].corrected() for name in names[:start]}
        network = LoopNetwork(with_corrections(chips, done), part, self._layers)
        rates = (config.learning_rate, config.digital_rate)
        learner = Learner(
            network,
            self._data,
            self._answers,
            config.batch_size,
            rates,
            config.epochs,
            0,
            config.seed,
            stage,
        )
        loss = None
        for _ in range(config.epochs if part.cells or digital else 0):
            loss = learner.epoch(moves_weights=bool(part.cells))
        accuracy = measure_accuracy(network, self._test, config.seed)()
        self._num_mvms += network.num_mvms
        return loss, accuracy

    def _finished(self, names: Sequence[str]) -> ProgrammedChips:
        """The chips with what is known of the layers that are written."""
        corrections: Mapping[str, LayerCorrection] = {}
        if self._config.trains_digital:
            corrections = {name: self._layers[name].corrected() for name in names}
        placement, tolerance = self.chips.placement, self._strategy.tolerance_for(self.chips.backend)
        tiles = tuple(self._report(number) for number in sorted(self._written))
        report = ProgrammingReport(type(self._strategy).__name__, tolerance, self._config.settle, tiles)
        return with_corrections(replace(self.chips, placement=placement, report=report), corrections)

    def _report(self, number: int) -> TileReport:
        mapped, done = self.chips.placement.mapped, self._written[number]
        error = (self._cells[number] - mapped.targets(mapped.tiles[number])).float()
        return TileReport(
            mapped.tiles[number].layer,
            number,
            done.pulses,
            done.failed,
            error,
            done.write_time,
            done.energy,
            done.num_reads,
        )

    def _result(self, curve: tuple[InTheLoopPoint, ...], names: Sequence[str]) -> InTheLoopResult:
        mapped, ledger = self.chips.placement.mapped, self._ledger
        return InTheLoopResult(
            system=self.chips.placement.system.name,
            config=self._config,
            curve=curve,
            layers={number: tile.layer for number, tile in enumerate(mapped.tiles)},
            writes=ledger.writes,
            pulses=dict(ledger.pulses),
            digital=tuple(names) if self._config.trains_digital else (),
            num_cells=mapped.num_cells,
            num_reads=ledger.num_reads,
            num_mvms=self._num_mvms,
            chips=self._finished(names),
        )
