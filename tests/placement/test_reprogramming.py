"""Systems too small for all tiles are written in rounds, when that is asked for and at a price that is told."""

import pytest

from crossloom.backends import SimulatedBackend
from crossloom.cost import estimate, schedule
from crossloom.errors import CapacityError, ConfigError, ProgramError
from crossloom.mapping import MappingConfig
from crossloom.placement import Placement, PlacementConfig, check_placement, rewriting
from crossloom.programming import attach
from flows import CELL, normal, place_graph
from placed_cases import chain_placement, small_system
from small_graphs import chain_graph, linear_graph


def test_a_system_too_small_names_the_way_out():
    with pytest.raises(CapacityError, match=r"PlacementConfig\(reprogram=True\)"):
        chain_placement(small_system(2))


def test_rounds_follow_the_layers_and_every_tile_is_in_one():
    whole = chain_placement(small_system(12))
    placement = chain_placement(small_system(2), reprogram=True)
    assert check_placement(placement) == ()
    assert placement.num_rounds > 1
    assert placement.rounds == tuple(sorted(placement.rounds))
    assert set(placement.rounds) == set(range(placement.num_rounds))
    assert placement.mapped.tiles == whole.mapped.tiles
    assert 0 < placement.utilization <= 1
    assert whole.rounds == ()
    assert whole.num_rounds == 1


def test_a_round_takes_as_many_tiles_as_fit():
    """Twelve tiles that fill a macro each, on five macros: 5 + 5 + 2."""
    placement = place_graph(
        linear_graph(normal(48, 32)),
        normal(4, 32),
        small_system(5),
        placement=PlacementConfig(effort=0, reprogram=True),
    )
    assert [placement.rounds.count(number) for number in range(placement.num_rounds)] == [5, 5, 2]


def test_what_fits_at_once_is_not_written_in_rounds():
    asked, plain = chain_placement(small_system(12), reprogram=True), chain_placement(small_system(12))
    assert asked.sites == plain.sites
    assert asked.rounds == ()
    assert rewriting(chain_placement(small_system(12))) is None


def test_the_price_is_told_with_pulses_energy_and_endurance():
    pulse = {"width": 1e-7, "step": 5e-7, "max_width": 1e-5, "voltage": 2.0}
    device = {"kind": "gaussian", "endurance": {"life": 1e6}}
    system = small_system(2, **{f"{CELL}.pulse": pulse, f"{CELL}.device": device})
    placement = chain_placement(system, reprogram=True)
    told = rewriting(placement)
    assert told is not None
    cells = sum(tile.num_cells for tile in placement.mapped.tiles)
    cell = system.macro.cell
    assert told.num_cells == cells
    assert told.time == pytest.approx(cells * 1e-7)
    assert told.energy == pytest.approx(2.0**2 * (cell.g_min + cell.g_max) / 2 * cells * 1e-7)
    assert told.most_writes <= told.num_rounds == placement.num_rounds
    assert told.life == pytest.approx(1e6 / told.most_writes)
    summary = placement.summary()
    assert f"{cells:,} cells" in summary
    assert f"{placement.num_rounds} rounds" in summary
    assert f"endure {told.life:,.0f} batches" in summary
    report = estimate(placement)
    assert report.programming is not None
    assert report.programming.num_pulses == cells
    assert any("rounds" in note for note in report.notes)


def test_unknown_prices_are_said_to_be_unknown():
    summary = chain_placement(small_system(2), reprogram=True).summary()
    assert "time and energy are not known" in summary
    assert "how often cells can be written is not known" in summary


def test_rounds_are_not_found_in_cells_and_samples_do_not_overlap():
    placement = chain_placement(small_system(2), reprogram=True)
    with pytest.raises(ProgramError, match="rounds"):
        attach(placement, SimulatedBackend(placement.system, 0))
    with pytest.raises(ConfigError, match="samples cannot follow one another"):
        schedule(placement, num_samples=2)


def test_shared_tiles_and_replicas_are_refused_in_rounds():
    weight = normal(16, 16)
    graph = chain_graph(weight, weight)
    nodes = tuple(
        type(node)(**{**vars(node), "weight": "w1"}) if getattr(node, "weight", None) else node
        for node in graph.nodes
    )
    tied = type(graph)(nodes, graph.outputs, True, {"w1": weight})
    config = PlacementConfig(effort=0, reprogram=True)
    mapping = MappingConfig()
    placed = place_graph(tied, normal(4, 16), small_system(8), mapping)
    if placed.mapped.tied:
        with pytest.raises(ConfigError, match="share_tied=False"):
            place_graph(tied, normal(4, 16), small_system(1), mapping, placement=config)
    with pytest.raises(ConfigError, match="replicas"):
        chain_placement(small_system(2), reprogram=True, replicas={"layer1": 1})


def test_rounds_are_saved_and_loaded(tmp_path):
    placement = chain_placement(small_system(2), reprogram=True)
    placement.save(tmp_path / "placement")
    assert Placement.load(tmp_path / "placement").rounds == placement.rounds
