"""Slow layers get replicas, so that the busiest macro works less; replicas are no copies."""

import random
from itertools import product

import pytest

from crossloom.backends import SimulatedBackend
from crossloom.errors import CapacityError, ConfigError
from crossloom.mapping import MappingConfig
from crossloom.placement import (
    PipelineTimes,
    Placement,
    PlacementConfig,
    balance,
    check_placement,
    check_schedule,
    macro_loads,
    schedule_pipeline,
)
from crossloom.placement.packing import Loads, Rectangle, pack
from crossloom.programming import program
from crossloom.runtime import run
from flows import normal, place_graph
from placed_cases import small_system, times_of, token_placement
from small_graphs import attention_like_graph


def test_replicas_lie_on_macros_of_their_own_and_share_the_vectors():
    placement = token_placement(replicas={"first": 3}, num_tokens=7)
    assert check_placement(placement) == ()
    steps = [step for step in placement.schedule if step.layer == "first"]
    assert [step.num_vectors for step in steps] == [3, 2, 2]
    assert [step.replica for step in steps] == [0, 1, 2]
    addresses = [
        placement.site(placement.mapped.tiles_of["first"][0], replica).address for replica in range(3)
    ]
    assert len(set(addresses)) == 3
    assert "first 3" in placement.summary()


def test_a_placement_with_replicas_is_saved_and_loaded(tmp_path):
    placement = token_placement(replicas={"second": 2})
    placement.save(tmp_path / "placement")
    loaded = Placement.load(tmp_path / "placement")
    assert loaded.replicas == placement.replicas
    assert loaded.schedule == placement.schedule
    assert check_placement(loaded) == ()


def test_replicas_change_no_answer_and_copies_are_something_else():
    """Both replicated and copied chips of ideal cells answer what the plain ones do; only copies are more tiles."""
    graph, inputs, system = (
        attention_like_graph(normal(6, 4), normal(3, 6), 5),
        normal(4, 5, 4),
        small_system(8),
    )
    plain = place_graph(graph, inputs, system)
    replicated = place_graph(graph, inputs, system, placement=PlacementConfig(replicas={"first": 2}))
    copied = place_graph(graph, inputs, system, MappingConfig(copies=2))
    answers = [
        run(program(placement, SimulatedBackend(system, 0)), inputs)
        for placement in (plain, replicated, copied)
    ]
    assert all(answer.outputs.equal(answers[0].outputs) for answer in answers)
    assert len(replicated.mapped.tiles) == len(plain.mapped.tiles) == len(copied.mapped.tiles) / 2
    assert answers[1].total.num_mvms == answers[0].total.num_mvms == answers[2].total.num_mvms / 2


def test_twice_as_many_replicas_halve_the_time_between_samples():
    single, double = (
        schedule_pipeline(placement, times_of(placement, digital={}, bit=0.0), 5)
        for placement in (token_placement(), token_placement(replicas={"first": 2, "second": 2}))
    )
    apart = [len({site.address for site in s.placement.sites}) for s in (single, double)]
    assert check_schedule(double) == ()
    assert double.interval == pytest.approx(single.interval / 2, rel=1e-9), apart
    assert double.makespan < single.makespan


@pytest.mark.parametrize(
    ("replicas", "message"),
    [
        ({"frist": 2}, "first"),
        ({"first": 7}, "meets 6 vectors a sample"),
        ({"second": 0}, "replicas"),
    ],
)
def test_impossible_replicas_are_refused(replicas, message):
    with pytest.raises(Exception, match=message) as caught:
        token_placement(replicas=replicas)
    assert isinstance(caught.value, (ConfigError, ValueError))


def test_more_replicas_than_macros_are_refused():
    with pytest.raises(CapacityError, match="must be on different macros but the system has 2"):
        token_placement(small_system(2), replicas={"first": 3})


def _brute_force(placement, times, num_macros: int) -> float:
    """The least time of the slowest macro when every tile has a macro of its own: all numbers of replicas tried."""
    layers = {layer: len(tiles) for layer, tiles in placement.mapped.tiles_of.items()}
    vectors = {step.layer: step.num_vectors for step in placement.schedule}
    best = float("inf")
    for numbers in product(*(range(1, vectors[layer] + 1) for layer in layers)):
        if sum(number * tiles for number, tiles in zip(numbers, layers.values(), strict=True)) > num_macros:
            continue
        slowest = max(
            -(-vectors[layer] // number) * max(times.mvm[layer])
            for number, layer in zip(numbers, layers, strict=True)
        )
        best = min(best, slowest)
    return best


@pytest.mark.parametrize("num_macros", [3, 4, 5, 8, 12])
def test_replicas_of_full_tiles_are_as_good_as_any(num_macros):
    """Tiles that fill their macros cannot share one: all choices can be tried. Two tiles, and one that is slower."""
    system = small_system(num_macros)
    graph = attention_like_graph(normal(16, 16), normal(8, 16), num_tokens=6)
    placement = place_graph(graph, normal(4, 6, 16), small_system(12))
    assert placement.utilization == 1
    times = PipelineTimes({"first": (1e-6, 1e-6), "second": (2.6e-6,)})
    found = balance(placement.mapped, PlacementConfig(), system, times.mvm)
    assert check_placement(found.placement) == ()
    assert found.slowest == pytest.approx(max(macro_loads(found.placement, times.mvm).values()))
    assert found.bound <= found.slowest
    assert found.slowest == pytest.approx(_brute_force(placement, times, num_macros), rel=0.01)


def test_a_budget_of_macros_is_kept():
    placement = token_placement(small_system(8))
    times = times_of(placement).mvm
    slowest = []
    for most in (1, 2, 4, 8):
        found = balance(placement.mapped, PlacementConfig(effort=50), placement.system, times, most)
        assert len(found.placement.macros) <= most
        slowest.append(found.slowest)
    assert slowest == sorted(slowest, reverse=True)
    assert slowest[0] > 3 * slowest[-1]


def test_the_same_call_chooses_the_same_replicas():
    placement = token_placement(small_system(8))
    one, other = (
        balance(placement.mapped, PlacementConfig(), placement.system, times_of(placement).mvm)
        for _ in range(2)
    )
    assert one.placement.replicas == other.placement.replicas
    assert one.placement.sites == other.placement.sites


def test_nothing_is_replicated_that_is_fast_enough():
    placement = token_placement(small_system(8))
    times = times_of(placement).mvm
    found = balance(placement.mapped, PlacementConfig(), placement.system, times, fast_enough=1.0)
    assert found.placement.replicas == {}


@pytest.mark.parametrize("most", [0, 9])
def test_a_budget_that_cannot_be_is_refused(most):
    placement = token_placement(small_system(8))
    with pytest.raises(ConfigError, match="need num_macros from 1 to 8"):
        balance(placement.mapped, PlacementConfig(), placement.system, times_of(placement).mvm, most)


def test_loads_of_a_bin_stay_within_what_it_may():
    """200 random instances (seed 0): sums of loads, checked one by one."""
    draw = random.Random(0)
    for _ in range(200):
        rectangles = [Rectangle(draw.randint(1, 8), draw.randint(1, 8)) for _ in range(draw.randint(1, 12))]
        loads = Loads(tuple(draw.random() for _ in rectangles), 1.2)
        packing = pack(rectangles, 16, 16, 20, loads=loads, effort=20)
        sums: dict[int, float] = {}
        for spot, load in zip(packing.spots, loads.each, strict=True):
            sums[spot.bin] = sums.get(spot.bin, 0.0) + load
        assert max(sums.values()) <= 1.2
        assert len(sums) >= loads.num_bins


def test_loads_that_are_none_or_too_large_are_refused():
    with pytest.raises(ConfigError, match="loads"):
        Loads((-1.0,), 1.0)
    with pytest.raises(CapacityError, match="more than"):
        Loads((2.0,), 1.0)
