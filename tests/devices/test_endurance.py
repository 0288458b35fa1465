"""Writing wears cells out. 120,000 cells, seed 0, 5 standard errors."""

from math import exp, sqrt

import pytest
import torch

from crossloom.devices import FREE, STUCK_HIGH, STUCK_LOW, GaussianDevice
from crossloom.seeds import derive_generator
from crossloom.spec import CellSpec, EnduranceSpec, GaussianDeviceSpec, PulseSpec

SHAPE = (400, 300)
NUM_CELLS = SHAPE[0] * SHAPE[1]
PULSE = PulseSpec(width=1e-7, step=1e-6, max_width=1e-5)


def device(**fields) -> GaussianDevice:
    spec = GaussianDeviceSpec(endurance=EnduranceSpec(**fields), pulse_spread=0.0)
    return GaussianDevice(spec, CellSpec(g_min=1e-6, g_max=4e-5, pulse=PULSE, device=spec))


def generator(name: str) -> torch.Generator:
    return derive_generator(0, name)


def new(model: GaussianDevice):
    return model.deliver(SHAPE, generator("cells"), generator("chip"))


def write(model: GaussianDevice, state, level: float, num_times: int = 1):
    for _ in range(num_times):
        state = model.set(state, torch.full(SHAPE, level, dtype=torch.float64), generator("set"))
    return state


@pytest.mark.parametrize(("shape", "num_times"), [(1.0, 5), (2.0, 5), (2.0, 12)])
def test_cells_fail_with_the_weibull_distribution_of_cycles(shape, num_times):
    state = write(
        device(life=10.0, life_shape=shape), new(device(life=10.0, life_shape=shape)), 2e-5, num_times
    )
    failed = (state.fault != FREE).double().mean().item()
    expected = 1 - exp(-((num_times / 10.0) ** shape))
    assert abs(failed - expected) < 5 * sqrt(expected * (1 - expected) / NUM_CELLS)


def test_failed_cells_are_stuck_at_the_ends_of_the_window():
    model = device(life=1.0, stuck_high=0.25)
    state = write(model, new(model), 2e-5, 3)
    failed = state.fault != FREE
    high = (state.fault[failed] == STUCK_HIGH).double().mean().item()
    assert abs(high - 0.25) < 5 * sqrt(0.25 * 0.75 / failed.sum().item())
    assert (state.conductance[state.fault == STUCK_LOW] == 1e-6).all()
    assert (state.conductance[state.fault == STUCK_HIGH] == 4e-5).all()
    again = write(model, state, 3e-5)
    assert torch.equal(again.conductance[failed], state.conductance[failed])


def test_only_pulses_of_some_width_count_as_cycles():
    model = device(life=1e9)
    widths = torch.full(SHAPE, 1e-7, dtype=torch.float64)
    widths[::2] = 0
    state = new(model)
    for _ in range(3):
        state = model.pulse(state, widths, generator("pulse"))
    assert (state.own["cycles"][::2] == 0).all()
    assert (state.own["cycles"][1::2] == 3).all()


def test_cells_that_are_not_written_do_not_fail():
    model = device(life=2.0)
    widths = torch.zeros(SHAPE, dtype=torch.float64)
    widths[1::2] = 1e-7
    state = new(model)
    for _ in range(5):
        state = model.pulse(state, widths, generator("pulse"))
    assert (state.fault[::2] == FREE).all()
    assert (state.fault[1::2] != FREE).double().mean() > 0.8


def test_a_failure_in_a_block_of_cells_is_a_failure_of_the_crossbar():
    model = device(life=1e-3)
    state = new(model)
    block = state.block(10, 20, 5, 4)
    block = model.set(block, torch.full((5, 4), 2e-5, dtype=torch.float64), generator("set"))
    after = state.with_block(10, 20, block)
    assert (after.fault != FREE).sum() == 20
    assert (after.block(10, 20, 5, 4).fault != FREE).all()


def test_the_window_closes_with_the_number_of_cycles():
    """After as many cycles as `window_life` half of the window is left, around its middle."""
    model = device(window_life=8.0, window_exponent=2.0)
    state = write(model, new(model), 2e-5, 8)
    middle, half = (4e-5 + 1e-6) / 2, (4e-5 - 1e-6) / 2
    for asked, got in ((4e-5, middle + half / 2), (1e-6, middle - half / 2), (2e-5, 2e-5)):
        assert write(model, state, asked).conductance.unique().tolist() == pytest.approx([got])


def test_fresh_cells_have_their_whole_window():
    model = device(window_life=8.0)
    for level in (1e-6, 4e-5):
        assert write(model, new(model), level).conductance.unique().tolist() == pytest.approx([level])


def test_pulses_cannot_leave_the_window_that_is_left():
    model = device(window_life=1.0)
    state = write(model, new(model), 2e-5, 3)
    widths = torch.full(SHAPE, 1e-5, dtype=torch.float64)
    high = model.pulse(state, widths, generator("pulse")).conductance
    assert high.unique().tolist() == pytest.approx([(4e-5 + 1e-6) / 2 + (4e-5 - 1e-6) / 2 / 4])
