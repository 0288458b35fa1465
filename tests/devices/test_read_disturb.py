"""Read disturb follows the closed form of Jiang et al.; table restated from column_ladder_and_read_disturb.json."""

import json
import os
from pathlib import Path

import pytest
import torch

from crossloom.devices import Disturbed, GaussianDevice
from crossloom.seeds import derive_generator
from crossloom.spec import CellSpec, GaussianDeviceSpec, ReadDisturbSpec

# voltage (V), write cycles, seconds of stress, transition time (s), p, share that is left
TABLE = [
    (0.2, 0, 1.0, 102.05375937113409, 0.015925488939474406, 1.0),
    (0.2, 0, 1000.0, 102.05375937113409, 0.015925488939474406, 0.9643065513966388),
    (0.2, 1, 1000.0, 84.5074193064884, 0.015925488939474406, 0.9614136317424489),
    (0.2, 1000, 1000.0, 3.826780239104684, 0.015925488939474406, 0.9151777269985403),
    (0.2, 100000, 1e-9, 6.568279082820584e-10, 0.015925488939474406, 0.9933283427779475),
    (0.3, 0, 1.0, 0.04037990930142887, 0.02437163727316845, 0.924761982245188),
    (0.3, 1000, 1000.0, 0.004724521190535109, 0.02437163727316845, 0.741660893617363),
    (0.4, 0, 1e-6, 0.0002413885942860935, 0.037297234994312006, 1.0),
    (0.4, 0, 0.001, 0.0002413885942860935, 0.037297234994312006, 0.9483683273185286),
    (0.4, 100000, 1000.0, 4.019090059506087e-09, 0.037297234994312006, 0.37580752699800196),
]
WINDOW = {"g_min": 1e-6, "g_max": 5e-5}
SHAPE = (4, 3)


def device(voltage: float = 0.2, **fields) -> GaussianDevice:
    spec = GaussianDeviceSpec(read_disturb=ReadDisturbSpec(voltage=voltage, **fields))
    return GaussianDevice(spec, CellSpec(**WINDOW, device=spec))


def generator(name: str) -> torch.Generator:
    return derive_generator(0, name)


def cells(model: GaussianDevice, level: float = 4e-5, num_cycles: int | None = None):
    state = model.deliver(SHAPE, generator("cells"), generator("chip"))
    state = model.set(state, torch.full(SHAPE, level, dtype=torch.float64), generator("set"))
    if num_cycles is None:
        return state
    return state.but(own={**state.own, "cycles": torch.full_like(state.own["cycles"], num_cycles)})


@pytest.mark.parametrize(("voltage", "cycles", "stress", "transition", "power", "left"), TABLE)
def test_what_is_left_is_as_published(voltage, cycles, stress, transition, power, left):
    model = device(voltage)
    spec = model.spec.read_disturb
    assert spec.power(voltage) == pytest.approx(power, rel=1e-6)
    assert spec.transition_time(voltage, cycles) == pytest.approx(transition, rel=1e-4)
    state = cells(model, num_cycles=cycles)
    shares = model.disturb(state, voltage, stress).conductance / state.conductance
    torch.testing.assert_close(shares, torch.full_like(shares, left), rtol=1e-6, atol=0)


def test_the_whole_reference_table_holds():
    if not os.environ.get("CROSSLOOM_REFERENCE"):
        pytest.skip("CROSSLOOM_REFERENCE is not set")
    path = Path(os.environ["CROSSLOOM_REFERENCE"]) / "mappings/column_ladder_and_read_disturb.json"
    rows = json.loads(path.read_text("utf-8"))["read_disturb"]
    assert len(rows) > 50
    for row in rows:
        model = device(row["V"])
        state = cells(model, num_cycles=row["N_cycles"])
        left = model.disturb(state, row["V"], row["t_stress"]).conductance / state.conductance
        assert left.max().item() == left.min().item() == pytest.approx(row["scale"], rel=1e-6)


def test_stress_in_parts_is_stress_at_once():
    model = device()
    state = cells(model)
    parts = state
    for elapsed in (1.0, 99.0, 400.0):
        parts = model.disturb(parts, 0.2, elapsed)
    torch.testing.assert_close(parts.conductance, model.disturb(state, 0.2, 500.0).conductance)
    assert (parts.conductance < state.conductance).all()


def test_stress_at_another_voltage_counts_as_much_as_it_loses():
    """A cell that is usually read at 0.2 V loses at 0.3 V what one that is usually read at 0.3 V does."""
    usual, other = device(0.2), device(0.3)
    there = usual.disturb(usual.disturb(cells(usual), 0.3, 0.4), 0.3, 0.6)
    expected = other.disturb(cells(other), 0.3, 1.0)
    torch.testing.assert_close(there.conductance, expected.conductance)


def test_rows_are_disturbed_for_as_long_as_each_was_driven():
    model = device()
    state = cells(model)
    elapsed = torch.tensor([[0.0], [1.0], [1e3], [1e5]])
    shares = model.disturb(state, 0.2, elapsed).conductance / state.conductance
    assert shares[:, 0].tolist() == shares[:, 2].tolist()
    assert shares[:2, 0].tolist() == [1.0, 1.0]
    assert 1 > shares[2, 0] > shares[3, 0]


def test_only_cells_of_low_resistance_are_disturbed():
    model = device()
    low, high = cells(model, 2e-5), cells(model, 3e-5)
    assert torch.equal(model.disturb(low, 0.4, 1e3).conductance, low.conductance)
    assert (model.disturb(high, 0.4, 1e3).conductance < high.conductance).all()


def test_the_threshold_can_be_given():
    model = device(threshold=1e-5)
    state = cells(model, 2e-5)
    assert (model.disturb(state, 0.4, 1e3).conductance < state.conductance).all()


def test_a_cell_that_is_worn_out_falls_to_the_lower_end_of_the_window_and_no_further():
    model = device()
    state = cells(model, num_cycles=10**7)
    assert model.spec.read_disturb.transition_time(0.2, 10**7) == 0
    assert torch.equal(state.conductance, torch.full_like(state.conductance, 4e-5))
    assert (model.disturb(state, 0.2, 1e-9).conductance == 1e-6).all()


def test_no_voltage_and_no_time_disturb_nothing():
    model = device()
    state = model.disturb(cells(model), 0.2, 1e3)
    for voltage, elapsed in ((0.0, 1e9), (0.4, 0.0)):
        assert torch.equal(model.disturb(state, voltage, elapsed).conductance, state.conductance)


def test_the_sign_of_the_voltage_does_not_matter():
    model = device()
    state = cells(model)
    one, other = (model.disturb(state, voltage, 1e4).conductance for voltage in (0.2, -0.2))
    assert torch.equal(one, other)


def test_writing_a_cell_makes_it_whole_again():
    model = device()
    state = model.disturb(cells(model), 0.2, 1e4)
    again = model.set(state, torch.full(SHAPE, 4e-5, dtype=torch.float64), generator("set"))
    assert (again.conductance == 4e-5).all()
    assert (again.own["cycles"] == 2).all()


def test_cells_without_read_disturb_are_given_back_as_they_are():
    spec = GaussianDeviceSpec()
    model = GaussianDevice(spec, CellSpec(**WINDOW, device=spec))
    state = model.deliver(SHAPE, generator("cells"), generator("chip"))
    assert isinstance(model, Disturbed)
    assert model.disturb(state, 0.2, 1e6) is state
