"""Whatever is wrong with converters and drivers changes the result, alone and with all the rest, and can be off."""

from itertools import combinations
from typing import Any

import pytest
import torch

from crossloom.artefacts.codec import Encoder, decoder
from crossloom.backends import SimulatedBackend
from crossloom.circuits import effective_array
from crossloom.hardware import DenseCodes, Draw, InputFormat, MvmCommand, Region, Wiring
from crossloom.mapping import MappingConfig
from crossloom.pipeline import waterfall
from crossloom.programming import DirectSet, ProgrammedChips, program
from crossloom.runtime import run
from crossloom.seeds import derive_generator
from crossloom.spec import MultiLevel, SystemSpec, load_system
from crossloom.windows import Window
from flows import MACRO, noisy_system, normal, place_graph
from small_graphs import convolution_graph, linear_graph

DAC = {"bits": 3, "is_signed": True, "read_voltage": 0.2}
EFFECTS: dict[str, tuple[str, str, Any]] = {
    "offset": ("readout", "", 0.6),
    "gain_error": ("readout", "", 0.05),
    "differential_nonlinearity": ("readout", "", 0.3),
    "adc.slope_error": ("adc", "ramp", 0.05),
    "adc.nonlinearity": ("adc", "ramp", (0.0, 2.0, 0.0)),
    "adc.capacitor_mismatch": ("adc", "sar", 0.1),
    "adc.comparator_offset": ("adc", "sar", 0.7),
    "dac.nonlinearity": ("dac", "", (0.0, 0.3, -0.2)),
    "dac.level_error": ("dac", "", 0.2),
}
GRAPH, INPUTS = linear_graph(normal(12, 30)), normal(40, 30)
IMAGE = convolution_graph(normal(6, 3, 3, 3), (5, 5), Window((3, 3), (1, 1), (1, 1), (1, 1)), 1)
PIXELS = normal(4, 3, 5, 5)
REGION = Region(0, 0, 2, 2)
MAPPING = MappingConfig(input_mode="multi_level", integration_time=0.2)


def system_with(names: tuple[str, ...], pairing: str = "rows", **device: Any) -> SystemSpec:
    parts: dict[str, dict[str, Any]] = {"readout": {"bits": 6}, "adc": {"kind": "ideal"}, "dac": dict(DAC)}
    for name in names:
        place, kind, value = EFFECTS[name]
        parts[place][name.rpartition(".")[2]] = value
        parts["adc"] |= {"kind": kind} if kind else {}
    readout = {**parts["readout"], "adc": parts["adc"]}
    return noisy_system(
        {f"{MACRO}.pairing": pairing, f"{MACRO}.dac": parts["dac"]}, readout=readout, **device
    )


def programmed(names: tuple[str, ...], pairing: str = "rows", graph=GRAPH, inputs=INPUTS, **device: Any):
    system = system_with(names, pairing, **device)
    return program(place_graph(graph, inputs, system, MAPPING), SimulatedBackend(system, 2), DirectSet())


def answer(chips: ProgrammedChips, inputs: torch.Tensor = INPUTS) -> torch.Tensor:
    return run(chips, inputs, probe_samples=0).outputs


def do_not_fit(pair: tuple[str, str]) -> bool:
    return {EFFECTS[name][1] for name in pair} == {"ramp", "sar"}


@pytest.mark.parametrize("pairing", ["rows", "columns", "none"])
@pytest.mark.parametrize("name", EFFECTS)
def test_each_alone_changes_the_result_of_dense_and_windowed_layers(name, pairing):
    assert not torch.equal(answer(programmed((name,), pairing)), answer(programmed((), pairing)))
    images = [answer(programmed(names, pairing, IMAGE, PIXELS), PIXELS) for names in ((name,), ())]
    assert not torch.equal(*images)


@pytest.mark.parametrize(
    "pair", [pair for pair in combinations(EFFECTS, 2) if not do_not_fit(pair)], ids="+".join
)
def test_each_changes_the_result_with_every_other_of_the_same_kind_of_converter(pair):
    both = answer(programmed(pair))
    for name in pair:
        assert not torch.equal(both, answer(programmed((name,))))


@pytest.mark.parametrize("name", EFFECTS)
def test_each_changes_the_result_of_cells_with_error_and_noise(name):
    device = {"programming_error": 2e-6, "read_noise": 2e-6, "variation": 0.05}
    assert not torch.equal(answer(programmed((name,), **device)), answer(programmed((), **device)))


@pytest.mark.parametrize("name", EFFECTS)
def test_without_noise_all_of_it_is_off(name):
    system = system_with((name,)).noiseless()
    assert not any(system.macro.readout.imperfections().values())
    assert not any(system.macro.dac.imperfections().values())
    assert system.macro.readout.bits == 6
    chips = program(place_graph(GRAPH, INPUTS, system, MAPPING), SimulatedBackend(system, 2), DirectSet())
    assert torch.equal(answer(chips), answer(programmed(())))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("readout", {"differential_nonlinearity": 1e-9}),
        ("readout.adc", {"kind": "sar", "capacitor_mismatch": 1e-9}),
        ("readout.adc", {"kind": "sar", "comparator_offset": 1e-9}),
        ("readout.adc", {"kind": "ramp", "slope_error": 1e-9}),
        ("readout.adc", {"kind": "ramp", "nonlinearity": (0.0, 1e-9)}),
        ("dac", {**DAC, "nonlinearity": (0.0, 1e-9)}),
        ("dac", {**DAC, "level_error": 1e-9}),
    ],
    ids=str,
)
def test_the_waterfall_tells_of_what_is_on_and_did_nothing(place, value):
    readout = {"bits": 6, **(value if place == "readout" else {})}
    readout |= {"adc": value} if place == "readout.adc" else {}
    system = noisy_system({f"{MACRO}.dac": value if place == "dac" else DAC}, readout=readout)
    chips = program(
        place_graph(GRAPH, INPUTS, system, MappingConfig(input_mode="multi_level", integration_time=0.1234)),
        SimulatedBackend(system, 2),
        DirectSet(),
    )
    name = list(value)[-1]
    notes = waterfall(chips, run(chips, INPUTS)).notes
    assert [note.split()[0].rpartition(".")[2] for note in notes] == [name]


def test_drawn_converters_and_drivers_are_saved_with_their_chips(tmp_path):
    names = ("differential_nonlinearity", "adc.capacitor_mismatch", "dac.level_error", "dac.nonlinearity")
    chips = programmed(names)
    chips.save(tmp_path / "chips.xl")
    loaded = ProgrammedChips.load(tmp_path / "chips.xl")
    assert torch.equal(answer(loaded), answer(chips))
    for address, state in chips.backend.to_state().macros.items():
        kept = loaded.backend.to_state().macros[address]
        assert torch.equal(kept.transitions, state.transitions)
        assert torch.equal(kept.driver_errors, state.driver_errors)


def test_a_state_of_an_earlier_version_has_ideal_levels_and_drivers():
    """What it saved named neither."""
    system = load_system("tsinghua_c200")
    backend = SimulatedBackend(system)
    backend.read(system.address(0), REGION)
    state = backend.to_state().macros[system.address(0)]
    encoder = Encoder()
    plain = encoder.encode(state)
    del plain["fields"]["transitions"], plain["fields"]["driver_errors"]
    earlier = decoder(encoder.tensors)(plain)
    assert (earlier.transitions, earlier.driver_errors) == (None, None)
    assert torch.equal(earlier.offset, state.offset)


def test_the_first_chips_converters_are_those_of_the_first_version():
    """Offsets as they were drawn before there was anything else to draw."""
    system = load_system("tsinghua_c200")
    backend = SimulatedBackend(system, 5)
    address = system.address(3)
    backend.read(address, REGION)
    state = backend.to_state().macros[address]
    generator = derive_generator(5, *address, "converters")
    drawn = torch.randn(2, 128, generator=generator, dtype=torch.float64)
    assert torch.equal(state.offset, 0.5 * drawn[0])
    assert (state.gain, state.transitions, state.driver_errors) == (None, None, None)


@pytest.mark.parametrize(("pairing", "each"), [("none", 1), ("columns", 1), ("none", 3), ("rows", 3)])
def test_every_output_meets_the_converter_of_its_first_column(pairing, each):
    """A region off the corner, its codes counted one by one."""
    system = noisy_system(
        {f"{MACRO}.pairing": pairing}, {"differential_nonlinearity": 0.4, "columns_per_adc": each}
    )
    backend, address, region = SimulatedBackend(system, 1), system.address(0), Region(4, 5, 8, 6)
    cells = 1e-5 * torch.rand(8, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    backend.set(address, region, cells)
    wiring, inputs = Wiring(pairing), InputFormat(MultiLevel(), 4, True)
    command = MvmCommand(address, region, inputs, wiring, 1.0, 1e-6)
    codes = DenseCodes(torch.randint(-7, 8, (300, command.num_inputs)).float(), 300)
    array = effective_array(backend.conductance(address, region), None, wiring, 1e-6)
    sums = codes.values.double() @ array.matrix
    first = range(5, 11, wiring.columns_per_output)
    expected = [
        (sums[:, output : output + 1] > backend.transitions(address)[column // each]).sum(1) - 128
        for output, column in enumerate(first)
    ]
    assert torch.equal(backend.mvm(command, codes, Draw(0)).sums.long(), torch.stack(expected, 1))


def test_other_chips_have_other_converters_and_drivers():
    system = system_with(("adc.capacitor_mismatch", "dac.level_error"))
    backend = SimulatedBackend(system)
    for index in (0, 1):
        backend.read(system.address(index), REGION)
    one, other = backend.to_state().macros.values()
    assert not torch.equal(one.transitions, other.transitions)
    assert not torch.equal(one.driver_errors, other.driver_errors)


@pytest.mark.parametrize(
    "names", [("differential_nonlinearity",), ("adc.nonlinearity",), ("dac.level_error",)], ids="+".join
)
def test_tiles_side_by_side_give_what_they_give_one_by_one(names):
    """Regions on several macros share a batch of codes, though neither drivers nor converters."""
    chips = programmed(names, graph=linear_graph(normal(40, 30)))
    assert len(chips.placement.macros) > 1
    one_by_one = ProgrammedChips(chips.placement, _OneByOne(chips.backend), chips.report)
    assert torch.equal(answer(one_by_one), answer(chips))


class _OneByOne(SimulatedBackend):
    """The same chips, asked for one region at a time."""

    def __init__(self, chips: SimulatedBackend) -> None:
        super().__init__(chips.spec, chips.seed)
        self._chips = chips.to_state()

    def mvm_many(self, commands, codes, draw, count_codes=False):
        many = super().mvm_many
        return tuple(many((command,), codes, draw, count_codes)[0] for command in commands)
