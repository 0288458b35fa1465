"""What cells keep over time: relaxation and drift compose, and every effect shows alone and with every other."""

from itertools import combinations

import pytest
import torch

from crossloom.devices import FREE, CellState, GaussianDevice, read
from crossloom.seeds import derive_generator
from crossloom.spec import CellSpec, GaussianDeviceSpec, PulseSpec
from crossloom.units import eV

SHAPE = (40, 30)
TABLE = {"kind": "tabulated", "times": [1.0, 100.0], "spreads": [1e-7, 3e-7], "shifts": [0.0, -1e-6]}
DRIFT = {
    "mean": {"slope": 0.0, "intercept": 0.05, "low": 0.05, "high": 0.05},
    "spread": {"slope": 0.0, "intercept": 0.01, "low": 0.01, "high": 0.01},
    "reference_time": 20.0,
    "scale": 4e-5,
}
EFFECTS = {
    "programming_error": {"coefficients": (1e-6, 2e-2)},
    "read_noise": 2e-7,
    "variation": 0.1,
    "stuck_low": 0.1,
    "relaxation": TABLE,
    "drift": DRIFT,
    "flicker_noise": {
        "coefficient": 0.0088, "exponent": 0.65, "limit": 0.2, "read_time": 250e-9, "scale": 4e-5
    },
    "thermal_noise": {"bandwidth": 1e8, "voltage": 0.2},
    "telegraph_noise": {"amplitude": 0.1, "capture_time": 2.0, "emission_time": 2.0},
    "read_disturb": {"voltage": 0.2},
    "endurance": {"life": 2.0},
    "temperature": {"operating": 330.0, "activation_energy": 0.6 * eV, "coefficient": 1e-3},
}  # fmt: skip


def generator(name: str) -> torch.Generator:
    return derive_generator(0, name)


def device(**fields) -> GaussianDevice:
    spec = GaussianDeviceSpec(**fields)
    pulse = PulseSpec(width=1e-7, step=5e-7, max_width=1e-5)
    return GaussianDevice(spec, CellSpec(g_min=1e-6, g_max=4e-5, pulse=pulse, device=spec))


def cells(model: GaussianDevice, level: float = 3e-5) -> CellState:
    state = model.deliver(SHAPE, generator("cells"), generator("chip"))
    return model.set(state, torch.full(SHAPE, level, dtype=torch.float64), generator("set"))


def lived(**fields) -> torch.Tensor:
    """What is read of cells that were written, waited for, disturbed and waited for again."""
    model = device(**fields)
    state = model.relax(cells(model), 1e3, generator("relax"))
    state = model.disturb(state, 0.4, 10.0)
    return read(model, model.relax(state, 1e3, generator("later")), generator("read"))


@pytest.mark.parametrize("name", EFFECTS)
def test_every_effect_changes_what_is_read(name):
    assert not torch.equal(lived(**{name: EFFECTS[name]}), lived())


@pytest.mark.parametrize(("one", "other"), list(combinations(EFFECTS, 2)))
def test_every_effect_changes_what_is_read_with_every_other(one, other):
    both = lived(**{one: EFFECTS[one], other: EFFECTS[other]})
    for alone in (one, other):
        assert not torch.allclose(both, lived(**{alone: EFFECTS[alone]}), rtol=1e-9, atol=0)


@pytest.mark.parametrize("effect", ["relaxation", "drift"])
@pytest.mark.parametrize("parts", [(0.5, 9.5), (3.0, 7.0), (1e3, 1e5)])
def test_relaxation_and_drift_are_the_same_for_each_cell_whether_time_passes_at_once_or_in_parts(
    effect, parts
):
    model = device(**{effect: EFFECTS[effect]})
    state = cells(model)
    twice = model.relax(model.relax(state, parts[0], generator("a")), parts[1], generator("b"))
    once = model.relax(state, sum(parts), generator("c"))
    torch.testing.assert_close(twice.conductance, once.conductance, rtol=1e-12, atol=0)


def test_a_table_is_interpolated_in_the_logarithm_of_time():
    """Shift and spread, 100 ms to 10,000 s; 1,200 cells, seed 0: the same cells keep their own places."""
    model = device(relaxation=TABLE)
    state = cells(model)
    places = (model.relax(state, 100.0, generator("a")).conductance - 3e-5 + 1e-6) / 3e-7
    for time, shift, spread in ((0.1, 0.0, 1e-8), (1.0, 0.0, 1e-7), (10.0, -5e-7, 2e-7), (1e4, -1e-6, 3e-7)):
        moved = model.relax(state, time, generator("b")).conductance - 3e-5
        torch.testing.assert_close(moved, shift + spread * places, rtol=1e-6, atol=1e-15)


def test_a_cell_that_is_written_again_relaxes_anew():
    model = device(relaxation=TABLE, pulse_spread=0.0)
    state = model.relax(cells(model), 100.0, generator("a"))
    widths = torch.full(SHAPE, 1e-7, dtype=torch.float64)
    widths[::2] = 0
    after = model.pulse(state, widths, generator("pulse"))
    torch.testing.assert_close(after.conductance[1::2], state.conductance[1::2] + 5e-7)
    assert torch.equal(after.conductance[::2], state.conductance[::2])
    later = model.relax(after, 1e3, generator("b")).conductance - after.conductance
    assert (later[::2] == 0).all()
    assert later[1::2].mean().item() == pytest.approx(-1e-6, rel=0.1)


def test_pulses_start_from_where_a_cell_has_drifted_to():
    model = device(drift=DRIFT, pulse_spread=0.0)
    state = model.relax(cells(model), 1e5, generator("a"))
    assert state.conductance.mean() < 2.5e-5
    after = model.pulse(state, torch.full(SHAPE, 2e-7, dtype=torch.float64), generator("pulse"))
    torch.testing.assert_close(after.conductance, state.conductance + 1e-6)
    again = model.relax(after, 10.0, generator("b"))
    assert torch.equal(again.conductance, after.conductance)


def test_conductances_stop_at_zero_and_come_back_with_what_was_written():
    """The stop at zero is how cells are seen, not what they keep: relaxation takes off from what was written."""
    model = device(relaxation={"kind": "tabulated", "times": [1.0, 2.0], "spreads": [1e-6, 0.0]})
    state = cells(model, 2e-7)
    low = model.relax(state, 1.0, generator("a"))
    assert (low.conductance == 0).double().mean() > 0.3
    torch.testing.assert_close(model.relax(low, 5.0, generator("b")).conductance, state.conductance)


def test_cells_whose_conductance_says_everything_keep_nothing_else():
    simple = device(
        programming_error=1e-6, read_noise={"coefficients": (1e-7, 1e-2)}, variation=0.1, stuck_low=0.1
    )
    assert not cells(simple).own
    assert set(cells(device(drift=DRIFT)).own) == {"aim", "written", "aged", "cycles", "drift_exponent"}


def test_an_error_that_depends_on_the_conductance_settles_from_where_it_began():
    """In fifty steps as at once: 160,000 cells, seed 0, 5 standard errors of a deviation."""
    model = device(programming_error={"coefficients": (0.0, 0.5)}, pulse_spread=0.0)
    shape = (400, 400)
    state = model.deliver(shape, generator("cells"), generator("chip"))
    widths = torch.full(shape, 2e-6, dtype=torch.float64)
    start = model.pulse(state, widths, generator("pulse"))
    level = start.conductance[0, 0].item()
    draws, state = generator("relax"), start
    for _ in range(50):
        state = model.relax(state, 0.02, draws)
    spread = (state.own["written"] - level).std().item()
    assert spread == pytest.approx(0.5 * level, rel=5 / (2 * 160_000) ** 0.5 + 1e-4)


def test_stuck_cells_take_part_in_nothing():
    fields = {name: value for name, value in EFFECTS.items() if name not in ("stuck_low", "endurance")}
    model = device(**fields, stuck_low=0.2, stuck_high=0.2)
    state = model.relax(cells(model), 1e4, generator("a"))
    state = model.disturb(state, 0.4, 10.0)
    assert set(state.conductance[state.fault != FREE].tolist()) == {1e-6, 4e-5}
