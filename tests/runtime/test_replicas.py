"""Chips with replicas: every replica is written, answers its share of the vectors, and is calibrated on its own."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

import crossloom as xl
from crossloom.datasets import Dataset
from crossloom.programming import region_of
from placed_cases import convolutions_on_chips


@pytest.fixture(scope="module")
def placement() -> xl.Placement:
    small = convolutions_on_chips(10)
    first, second = list(small.mapped.schemes)[:2]
    return xl.place(small.mapped, xl.PlacementConfig(replicas={first: 3, second: 2}), small.system)


@pytest.fixture(scope="module")
def chips(placement) -> xl.ProgrammedChips:
    return xl.program(placement, xl.simulate(placement.system, seed=3))


@pytest.fixture
def inputs() -> torch.Tensor:
    return torch.randn(4, 3, 10, 10, generator=torch.Generator().manual_seed(1))


def alone(chips: xl.ProgrammedChips, layer: str, replica: int) -> xl.ProgrammedChips:
    """The same chips, of which one replica of a layer answers all of its vectors."""
    placement = chips.placement
    sites = list(placement.sites)
    for tile in placement.mapped.tiles_of[layer]:
        sites[tile] = placement.site(tile, replica)
    return xl.attach(replace(placement, sites=tuple(sites), replicas={}), chips.backend)


def test_every_replica_is_written(placement, chips):
    report = chips.report
    assert sorted(tile.tile for tile in report.totals) == sorted(placement.numbers)
    assert report.num_cells == placement.num_cells
    for number in placement.numbers:
        targets = placement.mapped.targets(placement.mapped.tile(number))
        held = chips.backend.read(placement.site_of(number).address, region_of(placement, number))
        assert (held - targets).square().mean().sqrt() < 2e-6


def test_every_replica_answers_its_share(placement, chips, inputs):
    """The slow twin: every replica answers all vectors, and one takes of each answer what was its share."""
    layer = next(iter(placement.replicas))
    quiet = replace(chips, backend=chips.backend.quiet())
    answered = xl.run(quiet, inputs, stop_at=layer, probe_samples=0).outputs.flatten(2)
    each = [
        xl.run(alone(quiet, layer, number), inputs, stop_at=layer, probe_samples=0).outputs.flatten(2)
        for number in range(3)
    ]
    assert not torch.equal(each[0], each[1])
    edges = [0, 34, 67, 100]
    for number, (start, stop) in enumerate(pairwise(edges)):
        assert torch.equal(answered[..., start:stop], each[number][..., start:stop])


def test_counts_are_those_of_a_single_replica(placement, chips, inputs):
    single = xl.place(placement.mapped, xl.PlacementConfig(), placement.system)
    plain = xl.run(xl.program(single, xl.simulate(single.system, seed=3)), inputs, probe_samples=0)
    found = xl.run(chips, inputs, probe_samples=0)
    for name, counts in plain.counts.items():
        assert found.counts[name].num_mvms == counts.num_mvms
        assert found.counts[name].num_conversions == counts.num_conversions
    assert xl.account(chips, found).energy > 0


def test_every_replica_is_calibrated_on_its_own(placement, chips, inputs):
    data = torch.randn(64, 3, 10, 10, generator=torch.Generator().manual_seed(2))
    calibration = xl.calibrate(chips, data)
    layer = next(iter(placement.replicas))
    tiles = calibration.corrections.layers[layer].tiles
    assert sorted(tiles) == sorted(placement.numbers_of(layer))
    offsets = [tiles[number].offset for number in placement.numbers_of(layer)[:2]]
    assert not torch.equal(*offsets)
    errors = [
        xl.measure_errors(each, data).of_layers[layer]
        for each in (chips, chips.with_calibration(calibration))
    ]
    assert errors[1] < errors[0]
    assert xl.run(chips.with_calibration(calibration), inputs, probe_samples=0).outputs.isfinite().all()


def test_tuning_sets_the_registers_of_all_replicas(placement, chips):
    data = torch.randn(32, 3, 10, 10, generator=torch.Generator().manual_seed(2))
    result = xl.tune(chips, data, xl.LayerByLayer(knobs=("integration_time", "offset"), num_samples=16))
    layer = next(iter(placement.replicas))
    assert set(result.chips.corrections.layers[layer].tiles) <= set(placement.numbers)
    assert result.chips.placement.replicas == placement.replicas


def test_saved_chips_and_chips_in_little_memory_answer_alike(placement, chips, inputs, tmp_path):
    wanted = xl.run(chips, inputs, probe_samples=0).outputs
    chips.save(tmp_path / "chips.xloom")
    loaded = xl.ProgrammedChips.load(tmp_path / "chips.xloom")
    streamed = xl.program(placement, xl.simulate(placement.system, seed=3), memory="400 MiB")
    for each in (loaded, streamed):
        assert torch.equal(xl.run(each, inputs, probe_samples=0).outputs, wanted)


class Last(torch.nn.Module):
    """A recurrent layer, of which the last step answers."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = torch.nn.GRU(4, 6, batch_first=True)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        """Words [sample, step, value]."""
        return self.cells(words)[0][:, -1]


def test_recurrent_layers_answer_with_replicas():
    torch.manual_seed(0)
    data, system = torch.randn(8, 5, 4), xl.load_system("tsinghua_c200").noiseless()
    single = xl.compile(Last().eval(), system, data=data)
    twice = xl.PlacementConfig(replicas=dict.fromkeys(single.mapped.schemes, 2))
    answers = [
        xl.run(xl.program(each, xl.simulate(system)), data, probe_samples=0).outputs
        for each in (single, xl.place(single.mapped, twice, system))
    ]
    assert torch.equal(*answers)


def test_training_with_such_chips_in_the_loop_is_refused(chips):
    data = Dataset(torch.randn(8, 3, 10, 10), torch.zeros(8, dtype=torch.long), "none")
    with pytest.raises(xl.ConfigError, match="replicas"):
        xl.tune_in_the_loop(chips, data)
