"""On ideal hardware the chips' digital result is the integer interpreter's, element for element."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crossloom.backends import SimulatedBackend
from crossloom.errors import ConfigError
from crossloom.graph import Graph
from crossloom.mapping import MappingConfig, map_graph
from crossloom.placement import PlacementConfig, place
from crossloom.programming import DirectSet, program
from crossloom.quant import QuantConfig, quantize
from crossloom.runtime import run
from crossloom.spec import BitSerial, Pulse, SystemSpec, load_system
from crossloom.testing.strategies import ideal_systems, mappings, quantisations
from crossloom.windows import Window
from small_graphs import convolution_graph, linear_graph

SETTINGS = settings(max_examples=120, deadline=None)


@st.composite
def linears(draw: st.DrawFn) -> tuple[Graph, torch.Tensor]:
    """A linear layer and inputs for it."""
    num_inputs, num_outputs = draw(st.integers(1, 150)), draw(st.integers(1, 40))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))
    weight = torch.randn(num_outputs, num_inputs, generator=generator)
    bias = torch.randn(num_outputs, generator=generator) if draw(st.booleans()) else None
    return linear_graph(weight, bias), torch.randn(draw(st.integers(1, 9)), num_inputs, generator=generator)


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Graph, torch.Tensor]:
    """A convolution of 1 to 3 axes with stride, padding, dilation and groups, depthwise included."""
    axes = draw(st.integers(1, 3))
    image = tuple(draw(st.integers(3, 7)) for _ in range(axes))
    window = Window(
        kernel=tuple(draw(st.integers(1, 3)) for _ in range(axes)),
        stride=tuple(draw(st.integers(1, 2)) for _ in range(axes)),
        padding=tuple(draw(st.integers(0, 2)) for _ in range(axes)),
        dilation=tuple(draw(st.integers(1, 2)) for _ in range(axes)),
    )
    assume(min(window.output_shape(image)) >= 1)
    groups = draw(st.sampled_from([1, 1, 2, 3, 6]))
    out_group = draw(st.integers(1, 3))
    in_group = 1 if groups == 6 else draw(st.integers(1, 3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))
    weight = torch.randn(groups * out_group, in_group, *window.kernel, generator=generator)
    inputs = torch.randn(draw(st.integers(1, 4)), groups * in_group, *image, generator=generator)
    return convolution_graph(weight, image, window, groups), inputs


def check_exact(
    case: tuple[Graph, torch.Tensor], quant: QuantConfig, mapping: MappingConfig, system: SystemSpec
) -> None:
    graph, inputs = case
    quantized = quantize(graph, quant, [(inputs,)])
    try:
        mapped = map_graph(quantized, mapping, system.macro)
    except ConfigError:  # one weight alone is wider than these small crossbars
        assume(False)
        raise
    chips = program(place(mapped, PlacementConfig(effort=0), system), SimulatedBackend(system), DirectSet())
    on_chip = run(chips, inputs, batch_size=3, probe_samples=0)
    digital = run(chips, inputs, mode="integer", probe_samples=0)
    assert torch.equal(on_chip.outputs, digital.outputs)


@SETTINGS
@given(linears(), quantisations(), mappings(), ideal_systems())
def test_a_linear_layer_on_ideal_hardware_is_exact(case, quant, mapping, system):
    check_exact(case, quant, mapping, system)


@SETTINGS
@given(convolutions(), quantisations(), mappings(), ideal_systems())
def test_a_convolution_on_ideal_hardware_is_exact(case, quant, mapping, system):
    check_exact(case, quant, mapping, system)


@SETTINGS
@given(
    st.integers(1, 576),
    st.integers(1, 63),
    st.integers(0, 2**20),
    st.sampled_from([BitSerial(), Pulse(), Pulse(is_rotated=False)]),
)
def test_without_noise_the_first_chip_gives_the_published_code(num_inputs, time, seed, mode):
    """code = clamp(round(n S / 63), -8, 7) in every cycle, S = sum of x w with x in {-1, 0, 1}."""
    system = load_system("tsinghua_c200").noiseless()
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randint(-7, 8, (16, num_inputs), generator=generator).float()
    weight[0, 0] = 7
    inputs = torch.randint(-1, 2, (20, num_inputs), generator=generator).float()
    inputs[0, 0] = 1
    quant = QuantConfig(
        weight_bits=4,
        activation_bits=2,
        activations_are_signed=True,
        per_channel=False,
        weight_range="min_max",
        activation_range="min_max",
    )
    quantized = quantize(linear_graph(weight), quant, [(inputs,)])
    assert torch.equal(quantized.layers["layer"].weight.float(), weight)
    mapped = map_graph(quantized, MappingConfig(input_mode=mode, integration_time=time), system.macro)
    chips = program(place(mapped, PlacementConfig(), system), SimulatedBackend(system), DirectSet())
    codes = run(chips, inputs, probe_samples=0).outputs * system.macro.gain(
        time, mapped.schemes["layer"].level_step
    )
    published = (time * (inputs.double() @ weight.double().T) / 63).round().clamp(-8, 7)
    assert torch.equal(codes.round().double(), published)
    torch.testing.assert_close(codes.double(), published, atol=1e-4, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_in_four_bits_the_codes_of_three_cycles_add_up_by_powers_of_two(seed):
    system = load_system("tsinghua_c200").noiseless()
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randint(-7, 8, (128, 576), generator=generator).float()
    inputs = torch.randint(-7, 8, (50, 576), generator=generator).float()
    weight[0, 0] = inputs[0, 0] = 7
    quant = QuantConfig(
        weight_bits=4,
        activation_bits=4,
        activations_are_signed=True,
        per_channel=False,
        weight_range="min_max",
        activation_range="min_max",
    )
    mapped = map_graph(
        quantize(linear_graph(weight), quant, [(inputs,)]), MappingConfig(integration_time=5), system.macro
    )
    chips = program(place(mapped, PlacementConfig(), system), SimulatedBackend(system), DirectSet())
    answers = run(chips, inputs, probe_samples=0).outputs.double() * system.macro.gain(
        5, mapped.schemes["layer"].level_step
    )
    published = torch.zeros(50, 128, dtype=torch.float64)
    for bit in range(3):
        cycle = (inputs.abs().int() >> bit & 1).double() * inputs.sign().double()
        published += 2**bit * (5 * (cycle @ weight.double().T) / 63).round().clamp(-8, 7)
    assert torch.equal(answers.round(), published)
