"""Simulated chips whose macros are circuits: wires, cells that are not ohmic, and cells that reads disturb."""

import pytest
import torch

from crossloom.backends import SimulatedBackend, functions
from crossloom.circuits import effective_conductance
from crossloom.errors import BackendError
from crossloom.hardware import DenseCodes, Draw, InputFormat, MvmCommand, Region, Wiring
from crossloom.spec import MacroAddress, MultiLevel, Wires
from flows import CELL, MACRO, noisy_system

FIRST = MacroAddress(0, 0, 0)
REGION = Region(8, 4, 16, 8)
CROSSBAR = f"{MACRO}.crossbar"
WIRES = {"word_line": 5.0, "bit_line": 5.0, "driver": 10.0, "sense": 10.0}
VOLTS = {f"{MACRO}.dac.read_voltage": 0.1, f"{MACRO}.dac.cycle_time": 1e-6}


def system(overrides: dict, **device):
    return noisy_system({f"{MACRO}.readout": {"bits": None}, **overrides}, **device)


def command(integration_time: float = 1.0, pairing: str = "none") -> MvmCommand:
    inputs = InputFormat(MultiLevel(), 4, True)
    return MvmCommand(FIRST, REGION, inputs, Wiring(pairing), integration_time, 1e-6)


def targets(*shape: int) -> torch.Tensor:
    return 1e-6 + 9e-5 * torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def codes(num_vectors: int = 5, num_inputs: int = 16) -> DenseCodes:
    generator = torch.Generator().manual_seed(1)
    return DenseCodes(
        torch.randint(-7, 8, (num_vectors, num_inputs), generator=generator).float(), num_vectors
    )


def written(overrides: dict, **device) -> SimulatedBackend:
    backend = SimulatedBackend(system(overrides, **device))
    backend.set(FIRST, REGION, targets(16, 8))
    return backend


def test_an_mvm_multiplies_by_what_wires_leave_of_the_cells():
    backend = written({f"{CROSSBAR}.wires": WIRES})
    whole = torch.zeros(64, 32, dtype=torch.float64)
    whole[8:24, 4:12] = backend.conductance(FIRST, REGION)
    exact = codes().values.double() @ effective_conductance(whole, Wires(**WIRES))[8:24, 4:12] / 1e-6
    sums = backend.mvm(command(), codes(), Draw(0)).sums
    torch.testing.assert_close(sums.double(), exact, rtol=1e-5, atol=1e-3)


def test_a_change_of_register_does_not_solve_the_wires_again(monkeypatch):
    backend, solved = written({f"{CROSSBAR}.wires": WIRES}), []
    effective = functions.RegionCells.effective
    monkeypatch.setattr(functions.RegionCells, "effective", lambda self: solved.append(1) or effective(self))
    once = backend.mvm(command(1.0), codes(), Draw(0)).sums
    twice = backend.mvm(command(2.0), codes(), Draw(0)).sums
    assert len(solved) == 1
    torch.testing.assert_close(twice, 2 * once)
    backend.set(FIRST, Region(8, 4, 1, 1), targets(1, 1))
    backend.mvm(command(2.0), codes(), Draw(0))
    assert len(solved) == 2


def test_cells_are_measured_through_their_wires():
    backend = written({f"{CROSSBAR}.wires": WIRES})
    there, seen = backend.conductance(FIRST, REGION), backend.read(FIRST, REGION)
    nearest, farthest = 10 + 5 * 5 + 10 + 41 * 5, 10 + 12 * 5 + 10 + 56 * 5
    assert seen[-1, 0].item() == pytest.approx(1 / (1 / there[-1, 0].item() + nearest))
    assert seen[0, -1].item() == pytest.approx(1 / (1 / there[0, -1].item() + farthest))


@pytest.mark.parametrize("pairing", ["none", "rows", "columns"])
def test_a_curve_that_is_hardly_curved_gives_what_ohmic_cells_give(pairing):
    """Both wirings of pairs, with wires and without, and converters that round."""
    for wires in ({}, {f"{CROSSBAR}.wires": WIRES}):
        common = {**VOLTS, **wires, f"{MACRO}.readout": {"bits": 8}}
        given = codes(num_inputs=8 if pairing == "rows" else 16)
        plain = written(common).mvm(command(0.03, pairing), given, Draw(0))
        curved = written({**common, f"{CELL}.iv": {"kind": "sinh", "voltage": 1e4}})
        sums = curved.mvm(command(0.03, pairing), given, Draw(0)).sums
        assert (sums - plain.sums).abs().max() <= 1
        assert (sums != plain.sums).double().mean() < 0.05


def test_a_curved_cell_draws_what_its_curve_says():
    backend = written({**VOLTS, f"{CELL}.iv": {"kind": "sinh", "voltage": 0.2}})
    volts = 0.1 * codes().values.double()
    exact = 0.2 * torch.sinh(volts / 0.2) @ backend.conductance(FIRST, REGION) / (0.1 * 1e-6)
    torch.testing.assert_close(backend.mvm(command(), codes(), Draw(0)).sums, exact)


def test_several_curved_regions_answer_as_each_alone():
    backend = written({**VOLTS, f"{CELL}.iv": {"kind": "sinh", "voltage": 0.2}}, read_noise=1e-6)
    backend.set(FIRST, Region(8, 12, 16, 8), targets(16, 8))
    other = MvmCommand(FIRST, Region(8, 12, 16, 8), command().inputs, Wiring("none"), 1.0, 1e-6)
    together = backend.mvm_many((command(), other), codes(), Draw(3))
    for one, whole in zip((command(), other), together, strict=True):
        assert torch.equal(backend.mvm(one, codes(), Draw(3)).sums, whole.sums)


@pytest.mark.parametrize("pairing", ["none", "columns"])
def test_several_wired_regions_with_noise_answer_as_each_alone(pairing):
    backend = written({f"{CROSSBAR}.wires": WIRES}, read_noise=1e-6)
    backend.set(FIRST, Region(8, 12, 16, 8), targets(16, 8))
    other = MvmCommand(FIRST, Region(8, 12, 16, 8), command().inputs, Wiring(pairing), 1.0, 1e-6)
    both = (command(pairing=pairing), other)
    together = backend.mvm_many(both, codes(), Draw(3))
    quiet = backend.quiet().mvm(other, codes(), Draw(3)).sums
    for one, whole in zip(both, together, strict=True):
        torch.testing.assert_close(backend.mvm(one, codes(), Draw(3)).sums, whole.sums, rtol=1e-5, atol=1e-3)
    assert (together[1].sums - quiet).abs().max() > 1


@pytest.mark.parametrize(
    "overrides",
    [
        {f"{CELL}.iv": {"kind": "sinh", "voltage": 0.2}},
        {f"{CELL}.access": {"is_gated": True}, f"{CROSSBAR}.wires": WIRES},
    ],
)
def test_cells_that_need_a_voltage_are_refused_without_one(overrides):
    with pytest.raises(BackendError, match=r"give dac\.read_voltage"):
        SimulatedBackend(system({f"{MACRO}.dac.read_voltage": None, **overrides}))


def test_voltages_that_no_cell_could_stand_are_refused_and_not_answered_with_infinity():
    backend = written({f"{MACRO}.dac.read_voltage": 30.0, f"{CELL}.iv": {"kind": "sinh", "voltage": 1e-3}})
    backend._functions._curve = UnlimitedSinh()
    with pytest.raises(BackendError, match=r"210 V.*dac\.read_voltage"):
        backend.mvm(command(), codes(), Draw(0))


class UnlimitedSinh:
    """A curve of somebody's own that does not care for large numbers."""

    def current(self, conductance, voltage):
        return conductance * torch.sinh(voltage / 1e-3), conductance * torch.cosh(voltage / 1e-3) / 1e-3

    def separable_terms(self, conductance):
        return [(conductance, lambda voltage: torch.sinh(voltage / 1e-3))]


DISTURBED = {"read_disturb": {"voltage": 0.2, "factor": 1.0, "exponent": 0.01}}


def test_reads_that_disturb_show_when_next_something_happens():
    backend = written(VOLTS, **DISTURBED)
    before = backend.conductance(FIRST, REGION).clone()
    first = backend.mvm(command(), codes(), Draw(0)).sums
    assert torch.equal(backend.mvm(command(), codes(), Draw(0)).sums, first)
    assert torch.equal(backend.conductance(FIRST, REGION), before)
    backend.wait(1.0)
    after = backend.conductance(FIRST, REGION)
    in_low_resistance = before > 5.05e-5
    assert (after < before)[in_low_resistance].all()
    assert torch.equal(after[~in_low_resistance], before[~in_low_resistance])
    assert not torch.equal(backend.mvm(command(), codes(), Draw(0)).sums, first)


def test_batches_stress_cells_as_much_as_one_large_one():
    left = []
    for split in (1, 5):
        backend = written(VOLTS, **DISTURBED)
        for number in range(split):
            part = DenseCodes(
                codes(10).values[number * 10 // split : (number + 1) * 10 // split], 10 // split
            )
            backend.mvm(command(), part, Draw(0))
        backend.wait(0.0)
        left.append(backend.conductance(FIRST, REGION))
    torch.testing.assert_close(*left, rtol=1e-12, atol=0)


def test_chips_are_saved_with_the_stress_that_has_not_shown_yet():
    backend = written(VOLTS, **DISTURBED)
    backend.mvm(command(), codes(), Draw(0))
    again = SimulatedBackend.from_state(backend.to_state())
    for chips in (backend, again):
        chips.wait(1.0)
    assert torch.equal(backend.conductance(FIRST, REGION), again.conductance(FIRST, REGION))


def test_reads_that_disturb_need_to_say_how_long_they_are():
    with pytest.raises(BackendError, match="cycle_time"):
        SimulatedBackend(system({f"{MACRO}.dac.cycle_time": None}, **DISTURBED))
