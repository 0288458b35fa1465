"""Soft bounds have the moments of their closed forms. Seeds are fixed; tolerances are 5 deviations."""

import pytest
import torch

from crossloom.devices import CellState, SoftBoundsDevice
from crossloom.seeds import derive_generator
from crossloom.spec import CellSpec, PulseSpec, SoftBoundsDeviceSpec
from crossloom.testing import DeviceModelSuite

PULSE = PulseSpec(width=1e-7, step=1e-6, max_width=1e-5)
SHAPE = (200, 200)
NUM_CELLS = SHAPE[0] * SHAPE[1]
BOUND = 5e-5


def make(**fields) -> SoftBoundsDevice:
    spec = SoftBoundsDeviceSpec(**{"up": 1e-6, "down": 2e-6, "bound": BOUND, **fields})
    return SoftBoundsDevice(spec, CellSpec(g_min=1e-6, g_max=4e-5, pulse=PULSE, device=spec))


def generator(name: str) -> torch.Generator:
    return derive_generator(0, "soft bounds", name)


def at(model: SoftBoundsDevice, conductance: float) -> CellState:
    state = model.deliver(SHAPE, generator("cells"), generator("chip"))
    return state.but(conductance=torch.full(SHAPE, conductance, dtype=torch.float64))


def widths(pulses: float) -> torch.Tensor:
    return torch.full(SHAPE, pulses * PULSE.width, dtype=torch.float64)


class TestSoftBounds(DeviceModelSuite):
    def make(self):
        return make()


class TestSoftBoundsWithEverySpread(DeviceModelSuite):
    def make(self):
        return make(pulse_spread=0.3, device_spread=0.2, bound_spread=0.05, read_noise=1e-7, bound=6e-5)


def closed_form(start: float, num_pulses: int) -> float:
    if num_pulses > 0:
        return BOUND - (BOUND - start) * (1 - 1e-6 / BOUND) ** num_pulses
    return start * (1 - 2e-6 / BOUND) ** -num_pulses


@pytest.mark.parametrize("num_pulses", [1, 7, 60, -1, -7, -60])
def test_without_spread_pulses_follow_their_closed_form(num_pulses):
    model = make()
    reached = model.pulse(at(model, 2e-5), widths(num_pulses), generator("pulse")).conductance
    assert reached.mean().item() == pytest.approx(closed_form(2e-5, num_pulses), rel=1e-12)
    assert torch.equal(reached, reached[:1, :1].expand(SHAPE))


@pytest.mark.parametrize("num_pulses", [1, 40, -40])
def test_luck_from_pulse_to_pulse_leaves_the_mean_and_adds_its_closed_form_of_variance(num_pulses):
    """40,000 cells. Second moments of what is left to go obey m -> m ((1 - a)^2 + (a s)^2), a = alpha / bound."""
    model = make(pulse_spread=0.5)
    start = 2e-5
    reached = model.pulse(at(model, start), widths(num_pulses), generator("pulse")).conductance
    a = (1e-6 if num_pulses > 0 else 2e-6) / BOUND
    left, count = (BOUND - start if num_pulses > 0 else start), abs(num_pulses)
    variance = left**2 * (((1 - a) ** 2 + (0.5 * a) ** 2) ** count - (1 - a) ** (2 * count))
    slack = 5 * (variance / NUM_CELLS) ** 0.5
    assert reached.mean().item() == pytest.approx(closed_form(start, num_pulses), abs=slack)
    assert reached.var().item() == pytest.approx(variance, rel=5 * (2.2 / NUM_CELLS) ** 0.5)


def test_devices_differ_by_the_given_shares_and_keep_what_they_are():
    """40,000 cells; log-normal factors, whose kurtosis at these spreads is below 4."""
    model = make(device_spread=0.2, bound_spread=0.1)
    state = model.deliver(SHAPE, generator("cells"), generator("chip"))
    for name, mean, spread in (("up", 1e-6, 0.2), ("down", 2e-6, 0.2), ("bound", BOUND, 0.1)):
        drawn = state.own[name]
        assert drawn.mean().item() == pytest.approx(mean, rel=5 * spread / NUM_CELLS**0.5)
        assert drawn.std().item() == pytest.approx(spread * mean, rel=5 * (3 / 4 / NUM_CELLS) ** 0.5)
        assert (drawn > 0).all()
    after = model.pulse(state, widths(5), generator("pulse"))
    assert all(torch.equal(after.own[name], state.own[name]) for name in state.own)


def test_a_cell_of_a_stronger_pulse_moves_further():
    model = make(device_spread=0.3)
    state = at(model, 2e-5)
    change = model.pulse(state, widths(1), generator("pulse")).conductance - 2e-5
    assert torch.allclose(change, state.own["up"] * (1 - 2e-5 / BOUND), rtol=1e-12, atol=0)


def test_no_luck_takes_a_cell_past_its_bounds():
    model = make(pulse_spread=3.0, up=2e-5, down=2e-5, bound_spread=0.2)
    state = at(model, 2e-5)
    for sign in (1, -1):
        reached = model.pulse(state, widths(sign * 30), generator("pulse")).conductance
        assert (reached >= 0).all()
        assert (reached <= state.own["bound"]).all()


def test_set_ends_within_half_of_what_one_pulse_does():
    model = make()
    state = at(model, 1e-6)
    error = (
        model.set(state, torch.full(SHAPE, 2e-5, dtype=torch.float64), generator("set")).conductance - 2e-5
    )
    reach = (1e-6 * (1 - 0.4) + 2e-6 * 0.4) / 4
    assert error.abs().max().item() <= reach
    assert error.std().item() == pytest.approx(reach / 3**0.5, rel=5 * (0.8 / 4 / NUM_CELLS) ** 0.5)


def test_the_bound_is_g_max_where_the_specification_gives_none():
    state = at(make(bound=None), 1e-6)
    assert (state.own["bound"] == 4e-5).all()


def test_stuck_cells_do_not_move():
    model = make()
    state = at(model, 2e-5)
    state = state.but(fault=torch.ones_like(state.fault))
    assert torch.equal(model.pulse(state, widths(1), generator("pulse")).conductance, state.conductance)
    assert torch.equal(
        model.set(state, 2 * state.conductance, generator("set")).conductance, state.conductance
    )
