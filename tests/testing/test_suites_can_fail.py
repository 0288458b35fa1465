"""Each law of the public suites catches a model or a backend that breaks it."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from crossloom.backends import MockBackend, SimulatedBackend
from crossloom.devices import FREE, STUCK_LOW, CellState, DeviceModel, GaussianDevice
from crossloom.errors import BackendError
from crossloom.hardware import Reading, WindowedCodes
from crossloom.spec import CellSpec, GaussianDeviceSpec, PulseSpec
from crossloom.testing import BackendSuite, DeviceModelSuite
from flows import noisy_system

VOLTAGES = {"voltage": 1.2, "max_voltage": 2.4, "voltage_scale": 0.3}
PULSE = PulseSpec(width=1e-7, step=5e-7, max_width=1e-5, **VOLTAGES)
CELL = CellSpec(g_min=1e-6, g_max=4e-5, pulse=PULSE)
SPEC = GaussianDeviceSpec(programming_error=1e-6, read_noise=5e-7, stuck_low=0.05)


class Broken(DeviceModel):
    """A good model, but for one event."""

    def __init__(self, **events) -> None:
        self._good, self.cell, self._events = GaussianDevice(SPEC, CELL), CELL, events

    def _call(self, event: str, *arguments):
        if event in self._events:
            return self._events[event](self._good, *arguments)
        return getattr(self._good, event)(*arguments)

    def deliver(self, shape, cells, chip):
        return self._call("deliver", shape, cells, chip)

    def set(self, state, target, generator):
        return self._call("set", state, target, generator)

    def pulse(self, state, widths, generator, voltages=None):
        return self._call("pulse", state, widths, generator, voltages)

    def read_noise(self, conductance):
        return self._call("read_noise", conductance)

    def relax(self, state, elapsed, generator):
        return self._call("relax", state, elapsed, generator)


def always_drifts(good, state, elapsed, generator):
    return replace(good.relax(state, elapsed, generator), conductance=state.conductance * 0.999)


def writes_into_its_state(good, state, target, generator):
    state.conductance.copy_(target)
    return good.set(state, target, generator)


def keeps_the_callers_tensor(good, state, target, generator):
    return replace(state, conductance=target)


def misses_by_far(good, state, target, generator):
    return replace(state, conductance=target + 3e-5 * torch.rand(target.shape))


def moves_stuck_cells(good, state, target, generator):
    return replace(good.set(state, target, generator), conductance=target.clone())


def draws_from_elsewhere(good, state, target, generator):
    return good.set(state, target, torch.Generator().manual_seed(int(torch.randint(2**31, ()))))


def forgets_precision(good, state, target, generator):
    after = good.set(state, target, generator)
    return replace(after, conductance=after.conductance.float())


def goes_the_wrong_way(good, state, widths, generator, voltages):
    return good.pulse(state, -widths, generator, voltages)


def knows_no_voltages(good, state, widths, generator, voltages):
    return good.pulse(state, widths, generator)


def takes_the_nominal_voltage_for_another(good, state, widths, generator, voltages):
    return good.pulse(state, widths, generator, None if voltages is None else 1.1 * voltages)


def wakes_up_on_no_pulse(good, state, widths, generator, voltages):
    after = good.pulse(state, widths, generator, voltages)
    return replace(after, conductance=after.conductance + 1e-9)


def goes_below_zero(good, state, target, generator):
    return replace(good.set(state, target, generator), conductance=target - 2e-6)


@pytest.mark.parametrize(
    ("law", "events"),
    [
        ("test_no_time_changes_nothing", {"relax": always_drifts}),
        ("test_cells_end_within_five_deviations_of_their_targets", {"set": misses_by_far}),
        ("test_more_is_more", {"set": lambda good, state, target, generator: state}),
        ("test_states_are_never_written_into", {"set": writes_into_its_state}),
        ("test_states_are_never_written_into", {"set": keeps_the_callers_tensor}),
        ("test_the_same_generator_gives_the_same_cells", {"set": draws_from_elsewhere}),
        ("test_stuck_cells_never_move", {"set": moves_stuck_cells}),
        ("test_shapes_and_types_are_kept", {"set": forgets_precision}),
        ("test_conductances_are_finite_and_never_negative", {"set": goes_below_zero}),
        ("test_a_pulse_up_raises_and_a_pulse_down_lowers", {"pulse": goes_the_wrong_way}),
        ("test_a_pulse_of_no_width_leaves_a_cell_alone", {"pulse": wakes_up_on_no_pulse}),
        ("test_a_higher_voltage_does_more_and_none_does_nothing", {"pulse": knows_no_voltages}),
        (
            "test_a_pulse_of_the_nominal_voltage_is_the_usual_pulse",
            {"pulse": takes_the_nominal_voltage_for_another},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value.values())).__name__,
)
def test_a_law_of_device_models_catches_what_breaks_it(law, events):
    class Suite(DeviceModelSuite):
        def make(self):
            return Broken(**events)

    getattr(type("Good", (DeviceModelSuite,), {"make": lambda self: Broken()})(), law)()
    with pytest.raises(AssertionError):
        getattr(Suite(), law)()


def test_a_law_catches_read_noise_that_is_not_what_the_model_says(monkeypatch):
    from crossloom.testing import device_models

    class Suite(DeviceModelSuite):
        def make(self):
            return GaussianDevice(SPEC, CELL)

    law = Suite().test_read_noise_averages_out_with_the_root_of_the_number_of_reads
    law()
    honest = device_models.read
    monkeypatch.setattr(device_models, "read", lambda *ask: 1.1 * honest(*ask) - 0.1 * ask[1].conductance)
    with pytest.raises(AssertionError):
        law()


def test_the_suite_has_stuck_cells_to_look_at():
    class Suite(DeviceModelSuite):
        def make(self):
            return GaussianDevice(SPEC, CELL)

    fault = Suite()._new().fault
    assert (fault == STUCK_LOW).any()
    assert (fault == FREE).any()


class LeaksOut(MockBackend):
    """Writes whole rows."""

    def set(self, address, region, targets):
        super().set(address, replace(region, column=0, num_columns=8), targets[:, :1].expand(-1, 8))


class ForgetsWindows(MockBackend):
    """Takes every window for one without padding."""

    def mvm(self, command, codes, draw, count_codes=False):
        if isinstance(codes, WindowedCodes):
            codes = replace(codes, values=codes.values.roll(1, -1))
        return super().mvm(command, codes, draw, count_codes)


class Squares(MockBackend):
    """Is not linear."""

    def mvm(self, command, codes, draw, count_codes=False):
        return Reading(super().mvm(command, codes, draw, count_codes).sums.square() * 100)


class TakesEverything(MockBackend):
    """Refuses nothing."""

    def read(self, address, region):
        try:
            return super().read(address, region)
        except BackendError:
            return torch.zeros(region.num_rows, region.num_columns)


class WritesThenRefuses(MockBackend):
    """Notices too late."""

    def set(self, address, region, targets):
        self._block(address, region).zero_()
        super().set(address, region, targets)


class TakesEveryVoltage(MockBackend):
    """Does not look at voltages."""

    def pulse(self, address, region, widths, voltages=None):
        super().pulse(address, region, widths)


class SharesItsCopies(SimulatedBackend):
    """A copy that is none."""

    def copy(self):
        return self


class MixesUpItsMvms(SimulatedBackend):
    """Answers in the wrong order."""

    def mvm_many(self, commands, codes, draw, count_codes=False):
        return super().mvm_many(commands, codes, draw, count_codes)[::-1]


@pytest.mark.parametrize(
    ("law", "broken"),
    [
        ("test_writing_leaves_all_other_cells_alone", LeaksOut),
        ("test_windowed_codes_give_what_dense_ones_do", ForgetsWindows),
        ("test_small_inputs_add_up", Squares),
        ("test_what_does_not_exist_is_refused_and_nothing_happens", TakesEverything),
        ("test_values_that_do_not_fit_are_refused_and_nothing_is_written", WritesThenRefuses),
        ("test_values_that_do_not_fit_are_refused_and_nothing_is_written", TakesEveryVoltage),
        ("test_a_copy_goes_its_own_way", SharesItsCopies),
        ("test_many_mvms_at_once_give_what_they_give_one_by_one", MixesUpItsMvms),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_law_of_backends_catches_what_breaks_it(law, broken):
    class Suite(BackendSuite):
        def make(self):
            return broken(noisy_system({"chip.core.macro.readout": {}}))

    class Good(BackendSuite):
        def make(self):
            return broken.__bases__[0](noisy_system({"chip.core.macro.readout": {}}))

    getattr(Good(), law)()
    with pytest.raises((AssertionError, RuntimeError)):
        getattr(Suite(), law)()


def test_a_model_without_cells_of_its_own_can_name_them():
    class Bare(DeviceModel):
        def set(self, state, target, generator):
            return CellState(target.to(state.conductance, copy=True), state.age, state.fault)

        def read_noise(self, conductance):
            return None

        def relax(self, state, elapsed, generator):
            return state

    class Suite(DeviceModelSuite):
        def make(self):
            return Bare()

        def cell(self):
            return CELL

    suite = Suite()
    for name in dir(suite):
        if name.startswith("test_"):
            getattr(suite, name)()


def test_the_suites_need_neither_pytest_nor_hypothesis():
    code = "import sys, crossloom.testing; print([m for m in ('pytest', 'hypothesis') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
