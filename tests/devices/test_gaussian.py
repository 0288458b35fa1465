"""The Gaussian device has the moments that its specification gives. Seeds are fixed; tolerances are 5 sigma."""

import pytest
import torch

from crossloom.devices import FREE, STUCK_HIGH, STUCK_LOW, CellState, GaussianDevice, as_new, read
from crossloom.seeds import derive_generator
from crossloom.spec import CellSpec, GaussianDeviceSpec, PulseSpec

SHAPE = (400, 300)
NUM_CELLS = SHAPE[0] * SHAPE[1]
DEVIATION_SLACK = 5 / (2 * NUM_CELLS) ** 0.5
TARGET = 2e-5


def device(**fields) -> GaussianDevice:
    spec = GaussianDeviceSpec(**fields)
    pulse = PulseSpec(width=1e-7, step=5e-7, max_width=1e-5)
    return GaussianDevice(spec, CellSpec(g_min=1e-6, g_max=4e-5, pulse=pulse, device=spec))


def generator(name: str) -> torch.Generator:
    return derive_generator(0, name)


def new(model: GaussianDevice, cells: str = "cells", chip: str = "chip") -> CellState:
    return model.deliver(SHAPE, generator(cells), generator(chip))


def set_to(model: GaussianDevice, target: float, state: CellState | None = None) -> CellState:
    targets = torch.full(SHAPE, target, dtype=torch.float64)
    return model.set(state or new(model), targets, generator("set"))


def just_pulsed(model: GaussianDevice, level: float = TARGET) -> CellState:
    state = as_new(SHAPE, model.cell, torch.device("cpu"))
    return CellState(torch.full_like(state.conductance, level), state.age, state.fault)


def test_the_programming_error_has_the_given_mean_and_deviation():
    error = set_to(device(programming_error=1e-6), TARGET).conductance - TARGET
    assert abs(error.mean().item()) < 5 * 1e-6 / NUM_CELLS**0.5
    assert error.std().item() == pytest.approx(1e-6, rel=DEVIATION_SLACK)


def test_the_programming_error_is_gaussian():
    error = (set_to(device(programming_error=1e-6), TARGET).conductance - TARGET) / 1e-6
    assert abs(error.pow(3).mean().item()) < 5 * (15 / NUM_CELLS) ** 0.5
    assert error.pow(4).mean().item() == pytest.approx(3, abs=5 * (96 / NUM_CELLS) ** 0.5)


@pytest.mark.parametrize("target", [5e-6, 2e-5, 4e-5])
def test_the_programming_error_follows_its_polynomial_of_the_conductance(target):
    spread = {"coefficients": (1e-7, 2e-6, -1e-6), "scale": 4e-5}
    x = target / 4e-5
    error = set_to(device(programming_error=spread), target).conductance - target
    assert error.std().item() == pytest.approx(1e-7 + 2e-6 * x - 1e-6 * x**2, rel=DEVIATION_SLACK)


def test_a_spread_below_zero_counts_as_none():
    spread = {"coefficients": (-1e-6, 0.1)}
    state = set_to(device(programming_error=spread), 5e-6)
    assert torch.equal(state.conductance, torch.full(SHAPE, 5e-6, dtype=torch.float64))


def test_read_noise_has_the_given_deviation_and_is_drawn_anew_at_every_read():
    model = device(read_noise=5e-7)
    state, draws = set_to(model, TARGET), generator("read")
    first, second = (read(model, state, draws) - TARGET for _ in range(2))
    assert first.std().item() == pytest.approx(5e-7, rel=DEVIATION_SLACK)
    correlation = (first * second).mean().item() / (5e-7) ** 2
    assert abs(correlation) < 5 / NUM_CELLS**0.5


def test_a_read_noise_of_zero_is_no_noise():
    assert device(read_noise=0.0).read_noise(torch.ones(2, 2)) is None
    assert device().read_noise(torch.ones(2, 2)) is None


def test_variation_moves_all_cells_of_a_chip_by_the_same_share():
    model = device(variation=0.1)
    state = set_to(model, TARGET)
    shares = state.conductance / TARGET
    assert shares.std().item() < 1e-12
    assert shares[0, 0].item() == pytest.approx(1 + state.chip_factor)
    assert state.chip_factor != 0


def test_two_macros_of_one_chip_share_its_variation_and_other_chips_have_their_own():
    model = device(variation=0.1)
    same = [new(model, cells, "chip 0").chip_factor for cells in ("macro 0", "macro 1")]
    assert same[0] == same[1]
    assert new(model, "macro 0", "chip 1").chip_factor != same[0]


def test_variation_has_the_given_deviation_over_chips():
    model = device(variation=0.1)
    factors = torch.tensor(
        [
            model.deliver((1, 1), derive_generator(0), derive_generator(0, chip)).chip_factor
            for chip in range(2000)
        ]
    )
    assert factors.std().item() == pytest.approx(0.1, rel=5 / 4000**0.5)
    assert abs(factors.mean().item()) < 5 * 0.1 / 2000**0.5


def test_a_chip_whose_cells_lose_more_than_everything_ends_at_zero():
    model, state = device(), just_pulsed(device())
    state = CellState(state.conductance, state.age, state.fault, chip_factor=-1.5)
    assert (model.relax(state, 10.0, generator("relax")).conductance == 0).all()
    assert torch.equal(model.relax(state, 0.0, generator("relax")).conductance, state.conductance)


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.0), (0.0, 0.05), (0.2, 0.3), (1.0, 0.0), (0.0, 1.0)])
def test_the_shares_of_stuck_cells_are_as_given(low, high):
    fault = new(device(stuck_low=low, stuck_high=high)).fault
    for share, kind in ((low, STUCK_LOW), (high, STUCK_HIGH), (1 - low - high, FREE)):
        found = (fault == kind).double().mean().item()
        slack = 5 * (share * (1 - share) / NUM_CELLS) ** 0.5
        assert abs(found - share) <= slack + 1e-12


def test_stuck_cells_lie_at_the_ends_of_the_window():
    state = set_to(device(stuck_low=0.1, stuck_high=0.1, programming_error=1e-6), TARGET)
    assert (state.conductance[state.fault == STUCK_LOW] == 1e-6).all()
    assert (state.conductance[state.fault == STUCK_HIGH] == 4e-5).all()


@pytest.mark.parametrize(("first", "second"), [(0.01, 0.2), (0.1, 0.1), (0.3, 5.0)])
def test_relaxing_twice_is_relaxing_once_for_both_times(first, second):
    model = device(programming_error=1e-6)
    state, draws = just_pulsed(model), generator("relax")
    twice = model.relax(model.relax(state, first, draws), second, draws).conductance - TARGET
    once = model.relax(state, first + second, draws).conductance - TARGET
    assert twice.std().item() == pytest.approx(once.std().item(), rel=2 * DEVIATION_SLACK)
    assert abs(twice.mean().item()) < 5e-6 / NUM_CELLS**0.5


@pytest.mark.parametrize(("first", "second"), [(0.01, 0.2), (0.1, 0.1)])
def test_variation_settles_by_the_same_whether_time_passes_at_once_or_in_parts(first, second):
    model, state = device(), just_pulsed(device())
    state = CellState(state.conductance, state.age, state.fault, chip_factor=0.3)
    draws = generator("relax")
    twice = model.relax(model.relax(state, first, draws), second, draws)
    once = model.relax(state, first + second, draws)
    torch.testing.assert_close(twice.conductance, once.conductance, rtol=1e-6, atol=0)


def test_after_long_enough_pulsed_cells_carry_the_whole_programming_error():
    model = device(programming_error=1e-6)
    error = model.relax(just_pulsed(model), 10.0, generator("relax")).conductance - TARGET
    assert error.std().item() == pytest.approx(1e-6, rel=DEVIATION_SLACK)


def test_after_one_settling_time_cells_carry_its_share_of_the_variance():
    model = device(programming_error=1e-6, settling_time=0.5)
    error = model.relax(just_pulsed(model), 0.5, generator("relax")).conductance - TARGET
    expected = 1e-6 * (1 - torch.exp(torch.tensor(-1.0)).item()) ** 0.5
    assert error.std().item() == pytest.approx(expected, rel=DEVIATION_SLACK)


def test_a_cell_that_was_set_has_settled_already():
    model = device(programming_error=1e-6, variation=0.1)
    state = set_to(model, TARGET)
    assert torch.equal(model.relax(state, 100.0, generator("relax")).conductance, state.conductance)


def test_pulses_change_conductance_as_much_as_their_width_says():
    model, state = device(pulse_spread=0.2), just_pulsed(device())
    widths = torch.full(SHAPE, 4e-7, dtype=torch.float64)
    change = model.pulse(state, widths, generator("pulse")).conductance - state.conductance
    assert change.mean().item() == pytest.approx(2e-6, rel=5 * 0.2 / NUM_CELLS**0.5)
    assert change.std().item() == pytest.approx(0.2 * 2e-6, rel=DEVIATION_SLACK)
