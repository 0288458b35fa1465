"""Effects on sums against simulated chips: read noise at the right conductance, offsets, and measured noise."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from effects_layer import LEVEL_STEP, NUM_INPUTS, SYSTEM, WIRING, cells, conversion, inputs, integers

from crossloom.backends import SimulatedBackend
from crossloom.circuits import add_up, draw_converters, effective_array, expand, macro_function
from crossloom.errors import ConfigError, RunError
from crossloom.hardware import DenseCodes, Draw, InputFormat, MvmCommand, Region, WindowedCodes
from crossloom.runtime import run
from crossloom.spec import BitSerial, MacroAddress
from crossloom.training.effects import ConverterOffsets, OutputNoise, ReadNoise, measure_output_noise
from crossloom.training.effects.measured import before_rounding
from crossloom.windows import Window
from flows import MACRO, noisy_system, normal, program_graph
from small_graphs import linear_graph

FIRST = MacroAddress(0, 0, 0)
G_MIN = SYSTEM.macro.cell.g_min
CONSTANT: dict[str, Any] = {"read_noise": 2e-6}
RISING: dict[str, Any] = {"read_noise": {"coefficients": (1e-6, 0.05)}}
THERMAL = {**CONSTANT, "thermal_noise": {"bandwidth": 1e10, "voltage": 0.01}}
FLICKER = {
    "flicker_noise": {"coefficient": 0.02, "exponent": 0.65, "limit": 0.2, "read_time": 2.5e-7, "scale": 1e-4}
}
NOISES = {"constant": CONSTANT, "rising": RISING, "thermal": THERMAL, "flicker": FLICKER}
AGE = 3600.0  # s: flicker noise grows with it
FORMAT = InputFormat(BitSerial(), 4, True)
MATRIX = integers()


def noisy(bits: int | None = 8, **device):
    overrides = {f"{MACRO}.pairing": "rows", f"{MACRO}.dac.bits": 1, f"{MACRO}.dac.is_signed": True}
    modes = {f"{MACRO}.input_modes": ({"kind": "bit_serial"},)}
    return noisy_system({**overrides, **modes}, {"bits": bits}, **device)


def spread_on_chip(system, codes: torch.Tensor, gain: float) -> torch.Tensor:
    """Standard deviation of every conversion, codes, as the macro function of chips has it."""
    backend = SimulatedBackend(system)
    region = Region(0, 0, 2 * NUM_INPUTS, len(MATRIX))
    conductance = cells(MATRIX, G_MIN).double()
    backend.set(FIRST, region, conductance)
    backend.wait(AGE)
    state = backend._state(FIRST).cells.block(0, 0, region.num_rows, region.num_columns)
    noise = backend._model.read_noise(state.but(conductance=conductance))
    gains = torch.full((len(MATRIX),), gain, dtype=torch.float64)
    array = effective_array(conductance, noise, WIRING, LEVEL_STEP)
    wide = system.macro.readout.replace(bits=24)
    one_cycle = InputFormat(BitSerial(), 2, True)
    function = macro_function(array, gains, None, one_cycle, system.macro.dac, wide)
    batch = DenseCodes(codes, len(codes))
    return function(batch, torch.ones).sums - function(batch, torch.zeros).sums


@pytest.mark.parametrize("with_cells", [True, False], ids=["cells", "integers"])
@pytest.mark.parametrize("device", NOISES.values(), ids=NOISES.keys())
def test_read_noise_of_a_pass_is_that_of_the_macro_function(device, with_cells, monkeypatch):
    """Draws of 1 show the standard deviation itself; rounding to codes of 24 bits leaves half a code in 10,000."""
    system, codes, gain = noisy(**device), inputs(), 10_000.0
    conductance = cells(MATRIX, G_MIN) if with_cells else None
    met = conversion(codes, MATRIX, system.macro, gain=torch.tensor(gain).double(), conductance=conductance)
    effect = ReadNoise(elapsed=AGE)
    effect.check(system.macro)
    torch.manual_seed(0)
    monkeypatch.setattr(torch, "randn_like", torch.ones_like)
    spread = effect.on_sums(torch.zeros(len(codes), len(MATRIX)), met)
    expected = spread_on_chip(system, codes, gain)
    assert expected.mean() > 1000
    torch.testing.assert_close(spread, expected, rtol=2e-4, atol=2.0)


@pytest.mark.parametrize("device", [CONSTANT, RISING], ids=["constant", "rising"])
@pytest.mark.parametrize("bits", [16, None], ids=["codes", "ideal converters"])
def test_read_noise_of_a_pass_varies_as_answers_of_chips_do(device, bits):
    """Variances of 64 vectors x 8 outputs over 300 runs (seed 0 to 299), averaged: within 3 %.

    Both averages have a standard error of 0.4 %, since 512 conversions are averaged, each known to 8 %.
    """
    system, num_runs = noisy(bits, **device), 300
    generator = torch.Generator().manual_seed(3)
    values = torch.randint(-7, 8, (64, NUM_INPUTS), generator=generator).float()
    codes, region = DenseCodes(values, 64), Region(0, 0, 2 * NUM_INPUTS, len(MATRIX))
    backend = SimulatedBackend(system)
    backend.set(FIRST, region, cells(MATRIX, G_MIN).double())
    gain = 100.0 if bits else 1.0
    command = MvmCommand(FIRST, region, FORMAT, WIRING, gain, LEVEL_STEP)
    chip = torch.stack([backend.mvm(command, codes, Draw(number)).sums for number in range(num_runs)])

    cycles = expand(codes, FORMAT, system.macro.dac)
    asked = cycles.codes.values if bits else values
    level_gain = torch.tensor(gain).double() if bits else None
    met = conversion(asked, MATRIX, system.macro, gain=level_gain, inputs=FORMAT)
    torch.manual_seed(0)
    drawn = torch.stack(
        [ReadNoise().on_sums(torch.zeros(len(asked), len(MATRIX)), met) for _ in range(num_runs)]
    )
    if bits:
        drawn = add_up(drawn.flatten(0, 1), cycles, None).unflatten(0, (num_runs, -1))
    assert drawn.var(0).mean().item() == pytest.approx(chip.double().var(0).mean().item(), rel=0.03)
    ratio = drawn.var(0).flatten().double() / chip.double().var(0).flatten()
    assert (ratio.log().abs() < 0.6).all()  # each by itself: five standard errors of 8 % times sqrt(2)


def test_read_noise_of_groups_is_that_of_their_own_inputs(monkeypatch):
    """Two groups of a 1-D convolution, as one and as two convolutions."""
    monkeypatch.setattr(torch, "randn_like", torch.ones_like)
    window = Window((3,), (1,), (0,), (1,))
    image, matrix = normal(4, 6, 10).sign(), integers(8, 9)
    for device in (CONSTANT, RISING):
        macro = noisy(**device).macro
        fields = {"gain": torch.tensor(1.0).double(), "level_step": LEVEL_STEP, "wiring": WIRING}

        def spread(values, part, groups, macro=macro, fields=fields):
            met = conversion(values, part, macro, groups=groups, **fields)
            met = replace(met, cycles=WindowedCodes(values, 4, window))
            return ReadNoise().on_sums(torch.zeros(4, len(part), 8), met)

        together = spread(image, matrix, 2)
        apart = [spread(image[:, :3], matrix[:4], 1), spread(image[:, 3:], matrix[4:], 1)]
        torch.testing.assert_close(together, torch.cat(apart, 1))


def test_row_copies_average_read_noise(monkeypatch):
    """Cells of two copies, and integers that are said to have two: 1 / sqrt(2) of the noise of one."""
    monkeypatch.setattr(torch, "randn_like", torch.ones_like)
    wiring = type(WIRING)("rows", 2)
    for device in (CONSTANT, RISING):
        macro = noisy(**device).macro
        twice = cells(MATRIX, G_MIN).unflatten(0, (-1, 1, 2)).expand(-1, 2, -1, -1).flatten(0, 2)
        spreads = [
            ReadNoise().on_sums(torch.zeros(32, 8), conversion(inputs(), MATRIX, macro, **changes))
            for changes in ({}, {"wiring": wiring}, {"wiring": wiring, "conductance": twice})
        ]
        torch.testing.assert_close(spreads[1], spreads[0] / 2**0.5)
        torch.testing.assert_close(spreads[2], spreads[0] / 2**0.5)


def test_offsets_belong_to_converters_and_to_one_pass():
    met = conversion(inputs(), MATRIX)
    torch.manual_seed(0)
    first, second = (
        ConverterOffsets(sigma=1.0, gain_error=0.0).on_sums(torch.zeros(32, 8), met) for _ in range(2)
    )
    torch.testing.assert_close(first, first[:1].expand_as(first))
    assert (first[0] != second[0]).all()
    assert len(first[0].unique()) == 8


@pytest.mark.parametrize("share", [1.0, 0.25])
def test_offsets_and_gains_spread_as_those_of_chips(share):
    """20,000 converters, seed 0: standard deviations within 3 %; five standard errors are 2.5 %."""
    torch.manual_seed(0)
    met = conversion(torch.ones(1, 2), torch.zeros(20_000, 2))
    sums = torch.tensor([0.0, 100.0]).view(2, 1).expand(2, 20_000)
    zero, hundred = ConverterOffsets(share=share).on_sums(sums.clone(), met)
    readout = SYSTEM.macro.readout
    chip = draw_converters(readout, 20_000, lambda name: torch.Generator().manual_seed(len(name)))
    assert chip.offset is not None
    assert chip.gain is not None
    assert zero.std().item() == pytest.approx(share * chip.offset.std().item(), rel=0.03)
    assert ((hundred - zero) / 100).std().item() == pytest.approx(share * chip.gain.std().item(), rel=0.03)


def test_columns_that_share_a_converter_share_its_offset():
    readout = {"bits": 4, "offset": 0.5, "columns_per_adc": 4}
    macro = noisy_system(readout=readout).macro
    torch.manual_seed(0)
    sums = ConverterOffsets().on_sums(torch.zeros(1, 8), conversion(inputs(), MATRIX, macro))
    assert torch.equal(sums[0, :4].unique(), sums[0, :1])
    assert sums[0, 0] != sums[0, 4]


def test_output_noise_is_that_of_the_layer_by_name():
    """32,000 conversions, seed 0: within 2 %."""
    torch.manual_seed(0)
    effect, met = OutputNoise(sigma=0.5, layers={"layer": 2.0}), conversion(inputs(), MATRIX)
    assert effect.on_sums(torch.zeros(4000, 8), met).std().item() == pytest.approx(2.0, rel=0.02)
    other = conversion(inputs(), MATRIX, layer="other")
    assert effect.on_sums(torch.zeros(4000, 8), other).std().item() == pytest.approx(0.5, rel=0.02)


def test_output_noise_of_joined_cycles_is_that_of_all_of_them():
    """Ideal converters take cycles of weight 1, 2 and 4 together: sqrt(21) times the noise of one; within 2 %."""
    torch.manual_seed(0)
    met = conversion(inputs(), MATRIX, noisy().macro, gain=None, inputs=FORMAT)
    drawn = OutputNoise(sigma=1.0).on_sums(torch.zeros(4000, 8), met)
    assert drawn.std().item() == pytest.approx(21**0.5, rel=0.02)


@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.2, 0.4, 1.0, 3.0])
def test_noise_before_rounding_is_found_from_the_variance_after_it(sigma):
    """400,000 sums between codes, seed 0, two draws each: within 2 %."""
    generator = torch.Generator().manual_seed(0)
    sums = torch.rand(400_000, generator=generator).double() * 7
    drawn = sums + sigma * torch.randn(2, 400_000, generator=generator).double()
    assert before_rounding(drawn.round().var(0).mean().item()) == pytest.approx(sigma, rel=0.02)


def measured_chips(bits: int | None, **device):
    """A layer whose every conversion has the same noise: inputs of +-7, so every cycle drives every row."""
    system = noisy(bits, **device)
    values = normal(48, NUM_INPUTS).sign()
    weight = torch.rand(12, NUM_INPUTS, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return program_graph(linear_graph(weight), values, system), values


@pytest.mark.parametrize(("bits", "tolerance"), [(12, 0.03), (6, 0.06), (None, 0.03)])
def test_measured_noise_is_that_of_the_chips(bits, tolerance):
    """576 sums of three conversions, 16 runs, seeds 1 to 16: within 3 % (standard error 1 %), 6 % for coarse codes."""
    chips, values = measured_chips(bits, read_noise=4e-6)
    found = measure_output_noise(chips, values, num_runs=16)
    mapped, macro = chips.placement.mapped, chips.placement.system.macro
    step, tile = mapped.schemes["layer"].level_step, mapped.tiles[0]
    gain = macro.gain(tile.integration_time, step) if bits else 1.0
    expected = gain * (2 * NUM_INPUTS) ** 0.5 * 4e-6 / step
    assert list(found) == ["layer"]
    assert found["layer"] == pytest.approx(expected, rel=tolerance)


def test_chips_without_noise_measure_none_and_runs_are_not_disturbed():
    chips, values = measured_chips(8, programming_error=1e-6)
    before = run(chips, values, probe_samples=0).outputs
    assert measure_output_noise(chips, values) == {"layer": 0.0}
    after = run(chips, values, probe_samples=0).outputs
    assert isinstance(before, torch.Tensor)
    assert isinstance(after, torch.Tensor)
    assert torch.equal(before, after)


def test_noise_is_not_measured_from_one_run_or_without_chips():
    chips, values = measured_chips(8, read_noise=1e-6)
    with pytest.raises(ConfigError, match="at least 2"):
        measure_output_noise(chips, values, num_runs=1)
    with pytest.raises(RunError, match="need ProgrammedChips"):
        measure_output_noise("chips", values)  # type: ignore[arg-type]
