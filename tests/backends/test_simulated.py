"""What simulated chips do depends on the seed and on what is asked of them, and on nothing else."""

import pytest
import torch

from crossloom.backends import SimulatedBackend
from crossloom.devices import DeviceModel, IdealDevice
from crossloom.errors import BackendError
from crossloom.hardware import (
    DenseCodes,
    Draw,
    InputFormat,
    MvmCommand,
    Region,
    WindowedCodes,
    Wiring,
)
from crossloom.spec import BitSerial, IdealDeviceSpec, MacroAddress, MultiLevel, Pulse
from crossloom.windows import Window
from flows import CELL, MACRO, noisy_system

FIRST, SECOND, FAR = MacroAddress(0, 0, 0), MacroAddress(0, 0, 1), MacroAddress(3, 2, 1)
REGION = Region(0, 0, 12, 8)
EVERYTHING = noisy_system(
    readout={"offset": 2.0, "gain_error": 0.1},
    programming_error=2e-6,
    read_noise=2e-6,
    variation=0.1,
    stuck_low=0.05,
    stuck_high=0.05,
)


def command(address=FIRST, region=REGION, mode=None, time=1.0) -> MvmCommand:
    inputs = InputFormat(mode or MultiLevel(), 4, True)
    return MvmCommand(address, region, inputs, Wiring("columns"), time, 1e-5)


def codes(num_samples: int, num_inputs: int = 12, per_sample: int = 1) -> DenseCodes:
    generator = torch.Generator().manual_seed(5)
    values = torch.randint(-7, 8, (num_samples * per_sample, num_inputs), generator=generator).float()
    return DenseCodes(values, num_samples)


def written(seed: int = 0, system=EVERYTHING) -> SimulatedBackend:
    backend = SimulatedBackend(system, seed)
    generator = torch.Generator().manual_seed(9)
    for address in (FIRST, SECOND):
        backend.set(address, Region(0, 0, 40, 20), torch.rand(40, 20, generator=generator).double() * 1e-4)
    return backend


@pytest.mark.parametrize("mode", [MultiLevel(), BitSerial(), Pulse()])
@pytest.mark.parametrize("bits", [None, 8])
def test_read_noise_does_not_depend_on_how_samples_are_batched(mode, bits):
    system = EVERYTHING.with_macro(EVERYTHING.macro.replace(readout={"bits": bits}))
    backend, batch = written(system=system), codes(70, per_sample=3)
    whole = backend.mvm(command(mode=mode), batch, Draw(1)).sums
    for size in (1, 7, 32, 64):
        parts = [
            backend.mvm(
                command(mode=mode),
                DenseCodes(batch.values[3 * start : 3 * stop], stop - start),
                Draw(1, start),
            ).sums
            for start in range(0, 70, size)
            for stop in [min(start + size, 70)]
        ]
        assert torch.equal(torch.cat(parts), whole)


def test_read_noise_does_not_depend_on_the_order_of_tiles():
    one, other = Region(0, 0, 12, 8), Region(12, 4, 12, 6)
    forth = [written().mvm(command(region=region), codes(9), Draw(0)).sums for region in (one, other)]
    backend = written()
    back = [backend.mvm(command(region=region), codes(9), Draw(0)).sums for region in (other, one)]
    assert torch.equal(forth[0], back[1])
    assert torch.equal(forth[1], back[0])


def test_chips_do_not_depend_on_which_others_were_touched_before():
    alone, busy = SimulatedBackend(EVERYTHING, 3), SimulatedBackend(EVERYTHING, 3)
    for address in (FIRST, SECOND, MacroAddress(3, 2, 0)):
        busy.read(address, REGION)
        busy.set(address, REGION, torch.full((12, 8), 3e-5))
    targets = torch.full((12, 8), 5e-5)
    for backend in (alone, busy):
        backend.set(FAR, REGION, targets)
    assert torch.equal(alone.conductance(FAR, REGION), busy.conductance(FAR, REGION))
    assert torch.equal(alone.read(FAR, REGION), busy.read(FAR, REGION))
    assert torch.equal(
        alone.mvm(command(FAR), codes(4), Draw(0)).sums, busy.mvm(command(FAR), codes(4), Draw(0)).sums
    )


def test_every_macro_and_every_event_draws_for_itself():
    backend = SimulatedBackend(noisy_system(programming_error=2e-6, read_noise=2e-6, pulse_spread=0.5))
    targets, found = torch.full((12, 8), 5e-5), []
    for address in (FIRST, SECOND, MacroAddress(0, 1, 0), MacroAddress(1, 0, 0)):
        backend.set(address, REGION, targets)
        found.append(backend.conductance(address, REGION))
        found += [backend.read(address, REGION) for _ in range(2)]
        backend.set(address, REGION, targets)
        found.append(backend.conductance(address, REGION))
    for number, values in enumerate(found):
        assert not any(torch.equal(values, before) for before in found[:number])


def test_every_macro_has_stuck_cells_and_converters_of_its_own():
    backend = SimulatedBackend(EVERYTHING)
    for address in (FIRST, SECOND, FAR):
        backend.read(address, REGION)
    states = list(backend.to_state().macros.values())
    for number, state in enumerate(states):
        for other in states[:number]:
            assert not torch.equal(state.cells.fault, other.cells.fault)
            assert not torch.equal(state.offset, other.offset)
            assert not torch.equal(state.gain, other.gain)


def test_mvms_do_not_change_chips():
    backend = written()
    before = backend.conductance(FIRST, REGION)
    first = backend.mvm(command(), codes(20), Draw(0)).sums
    assert torch.equal(backend.conductance(FIRST, REGION), before)
    assert torch.equal(backend.mvm(command(), codes(20), Draw(0)).sums, first)


def test_other_runs_regions_macros_and_seeds_meet_other_noise():
    system = noisy_system({f"{MACRO}.readout": {}}, read_noise=5e-6)
    backend = written(system=system)
    targets = torch.full((12, 8), 5e-5)
    for address, row in ((FIRST, 0), (FIRST, 12), (SECOND, 0)):
        backend.set(address, Region(row, 0, 12, 8), targets)
    other = SimulatedBackend(system, 1)
    other.set(FIRST, REGION, targets)
    answers = [
        backend.mvm(command(), codes(8), Draw(0)).sums,
        backend.mvm(command(), codes(8), Draw(1)).sums,
        backend.mvm(command(), codes(8), Draw(0, first_sample=8)).sums,
        backend.mvm(command(region=Region(12, 0, 12, 8)), codes(8), Draw(0)).sums,
        backend.mvm(command(SECOND), codes(8), Draw(0)).sums,
        other.mvm(command(), codes(8), Draw(0)).sums,
    ]
    for number, answer in enumerate(answers):
        assert not any(torch.equal(answer, before) for before in answers[:number])


def test_the_same_seed_makes_the_same_chips_and_another_makes_others():
    answers = [written(seed).mvm(command(), codes(20), Draw(0)).sums for seed in (0, 0, 1)]
    assert torch.equal(answers[0], answers[1])
    assert not torch.equal(answers[0], answers[2])


@pytest.mark.parametrize("mode", [MultiLevel(), BitSerial(), Pulse(is_rotated=True)])
def test_many_mvms_at_once_equal_them_one_by_one(mode):
    backend = written()
    commands = [
        command(mode=mode),
        command(SECOND, mode=mode, time=0.5),
        command(FIRST, Region(12, 4, 12, 6), mode),
    ]
    images = torch.randint(-7, 8, (5, 3, 4, 4), generator=torch.Generator().manual_seed(0)).float()
    for batch in (codes(40), WindowedCodes(images, 5, Window((2, 2), (1, 1), (0, 0), (1, 1)))):
        together = backend.mvm_many(commands, batch, Draw(2), count_codes=True)
        alone = [backend.mvm(one, batch, Draw(2), count_codes=True) for one in commands]
        for reading, single in zip(together, alone, strict=True):
            assert torch.equal(reading.sums, single.sums)
        counts = [reading.codes.counts for reading in together if reading.codes]
        assert torch.equal(sum(counts), sum(single.codes.counts for single in alone))


def test_counted_codes_add_up_to_all_conversions():
    reading = written().mvm(command(mode=BitSerial()), codes(20), Draw(0), count_codes=True)
    assert reading.codes.counts.sum().item() == 20 * 4 * 3
    assert reading.codes.lowest == -128
    assert len(reading.codes.counts) == 256


def test_chips_without_noise_in_their_reads_are_otherwise_the_same():
    backend = written()
    quiet = backend.quiet()
    assert torch.equal(quiet.conductance(FIRST, REGION), backend.conductance(FIRST, REGION))
    assert torch.equal(quiet.read(FIRST, REGION), backend.conductance(FIRST, REGION))
    answers = [quiet.mvm(command(), codes(20), Draw(run)).sums for run in (0, 1)]
    assert torch.equal(*answers)
    assert not torch.equal(answers[0], backend.mvm(command(), codes(20), Draw(0)).sums)


def test_quiet_chips_stay_quiet_when_copied_moved_or_kept():
    quiet = written().quiet()
    answer = quiet.mvm(command(), codes(20), Draw(0)).sums
    for twin in (quiet.copy(), quiet.to("cpu"), SimulatedBackend.from_state(quiet.to_state())):
        assert torch.equal(twin.mvm(command(), codes(20), Draw(7)).sums, answer)


def test_a_copy_meets_the_same_future():
    backend = written()
    twin = backend.copy()
    for chips in (backend, twin):
        chips.wait(1.0)
        chips.pulse(FIRST, REGION, torch.full((12, 8), 2e-7))
    assert torch.equal(backend.conductance(FIRST, REGION), twin.conductance(FIRST, REGION))
    assert torch.equal(backend.read(FIRST, REGION), twin.read(FIRST, REGION))


def test_kept_chips_meet_the_same_future():
    backend = written()
    twin = SimulatedBackend.from_state(backend.to_state())
    for chips in (backend, twin):
        chips.pulse(FIRST, REGION, torch.full((12, 8), 2e-7))
    assert torch.equal(backend.read(FIRST, REGION), twin.read(FIRST, REGION))
    assert torch.equal(*(chips.mvm(command(), codes(5), Draw(0)).sums for chips in (backend, twin)))


def test_a_refused_mvm_brings_no_macro_into_being():
    backend = SimulatedBackend(EVERYTHING)
    for wrong in (
        command(MacroAddress(99, 0, 0)),
        command(region=Region(60, 0, 12, 8)),
        command(region=Region(0, 0, 12, 7)),
        command(time=0.0),
        command(time=float("nan")),
        command(time=float("inf")),
    ):
        with pytest.raises(BackendError):
            backend.mvm(wrong, codes(2), Draw(0))
    with pytest.raises(BackendError, match="at least one command"):
        backend.mvm_many([], codes(2), Draw(0))
    assert backend.to_state().macros == {}


def test_codes_of_another_length_are_refused_with_both_lengths():
    with pytest.raises(BackendError, match=r"takes 12 inputs, got codes of 13"):
        written().mvm(command(), codes(2, 13), Draw(0))


def test_commands_that_cannot_share_codes_are_refused():
    with pytest.raises(BackendError, match="one input format"):
        written().mvm_many([command(), command(mode=BitSerial())], codes(2), Draw(0))
    with pytest.raises(BackendError, match="one input format"):
        written().mvm_many([command(), command(region=Region(0, 0, 10, 8))], codes(2), Draw(0))


def test_integration_times_outside_the_register_are_refused():
    system = noisy_system(
        {
            f"{MACRO}.readout.integrator": {
                "capacitance": 5e-12,
                "full_scale": 2.0,
                "time_step": 1e-7,
                "max_time": 63,
            }
        }
    )
    backend = SimulatedBackend(system)
    for time in (0.5, 64.0):
        with pytest.raises(BackendError, match=r"1\.\.\.63"):
            backend.mvm(command(time=time), codes(2), Draw(0))


def test_negative_conductances_and_times_are_refused():
    backend = written()
    before = backend.conductance(FIRST, REGION)
    with pytest.raises(BackendError, match="negative"):
        backend.set(FIRST, REGION, torch.full((12, 8), -1e-6))
    for elapsed in (-1.0, float("nan")):
        with pytest.raises(BackendError, match="elapsed"):
            backend.wait(elapsed)
    assert torch.equal(backend.conductance(FIRST, REGION), before)


def test_a_changed_cell_is_seen_by_the_next_mvm():
    backend = SimulatedBackend(noisy_system())
    first = backend.mvm(command(), codes(4), Draw(0)).sums
    backend.set(FIRST, Region(3, 2, 1, 1), torch.full((1, 1), 9e-5))
    assert not torch.equal(backend.mvm(command(), codes(4), Draw(0)).sums, first)


class _Unpulsed(DeviceModel):
    """A device model that knows neither pulses nor how cells are delivered."""

    def __init__(self) -> None:
        self._ideal = IdealDevice(IdealDeviceSpec(), noisy_system().macro.cell)

    def set(self, state, target, generator):
        return self._ideal.set(state, target, generator)

    def read_noise(self, conductance):
        return None

    def relax(self, state, elapsed, generator):
        return state


def test_a_device_model_of_ones_own_takes_the_place_of_the_specified_one():
    backend = SimulatedBackend(EVERYTHING, device_model=_Unpulsed())
    targets = torch.full((12, 8), 5e-5, dtype=torch.float64)
    backend.set(FIRST, REGION, targets)
    assert torch.equal(backend.read(FIRST, REGION), targets)
    with pytest.raises(BackendError, match="DirectSet"):
        backend.pulse(FIRST, REGION, targets)
    with pytest.raises(BackendError, match="cannot be saved"):
        backend.to_state()


def test_offset_and_gain_belong_to_columns_and_stay():
    system = noisy_system({f"{CELL}.device": {"kind": "ideal"}}, readout={"offset": 3.0, "gain_error": 0.2})
    backend = SimulatedBackend(system, 1)
    backend.set(FIRST, REGION, torch.full((12, 8), 5e-5))
    backend.set(FIRST, Region(20, 0, 12, 8), torch.full((12, 8), 5e-5))
    zero = DenseCodes(torch.zeros(1, 12), 1)
    offsets = [
        backend.mvm(command(region=Region(row, 0, 12, 8)), zero, Draw(run)).sums
        for row, run in ((0, 0), (0, 1), (20, 0))
    ]
    assert all(torch.equal(offset, offsets[0]) for offset in offsets)
    assert len(offsets[0].unique()) > 1
    shifted = backend.mvm(command(region=Region(0, 4, 12, 4)), zero, Draw(0)).sums
    assert torch.equal(shifted, offsets[0][:, 2:])
