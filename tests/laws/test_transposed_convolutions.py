"""A transposed convolution is the ordinary convolution, and the moves, that it becomes."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from crossloom.backends import SimulatedBackend
from crossloom.errors import ConfigError
from crossloom.graph import Graph, interpret, simplify, trace
from crossloom.graph.tensors import TensorStore
from crossloom.graph.transposed import Axis, as_convolution
from crossloom.mapping import map_graph
from crossloom.placement import PlacementConfig, place
from crossloom.programming import DirectSet, program
from crossloom.quant import quantize
from crossloom.runtime import run
from crossloom.testing.strategies import ideal_systems, mappings, quantisations
from moved_graphs import moved_graph

TRANSPOSED = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


@st.composite
def axes(draw: st.DrawFn) -> tuple[Axis, int]:
    """One axis and the length of the input along it."""
    kernel, stride, dilation = draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    output_padding = draw(st.integers(0, max(stride, dilation) - 1))
    length = draw(st.integers(1, 6))
    full = (length - 1) * stride + dilation * (kernel - 1) + output_padding
    return Axis(kernel, stride, draw(st.integers(0, full // 2)), output_padding, dilation), length


@st.composite
def transposed(draw: st.DrawFn) -> tuple[Graph, torch.Tensor, torch.Tensor]:
    """A graph, inputs for it, and what torch makes of them."""
    drawn = draw(st.lists(axes(), min_size=1, max_size=3))
    found, image = tuple(axis for axis, _ in drawn), tuple(length for _, length in drawn)
    groups, in_group, out_group = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))
    kernel = tuple(axis.kernel for axis in found)
    weight = torch.randn(groups * in_group, out_group, *kernel, generator=generator)
    bias = torch.randn(groups * out_group, generator=generator) if draw(st.booleans()) else None
    inputs = torch.randn(draw(st.integers(1, 3)), groups * in_group, *image, generator=generator)
    store = TensorStore()
    stored = as_convolution(
        store.add("w", weight), None if bias is None else store.add("b", bias), groups, found, store
    )
    moves = stored.before, stored.after
    graph = moved_graph(inputs, stored.weight, stored.bias, stored.window, groups, moves, store)
    names = ("stride", "padding", "output_padding")
    choices = [tuple(getattr(axis, name) for axis in found) for name in names]
    dilation = tuple(axis.dilation for axis in found)
    wanted = TRANSPOSED[len(found)](inputs, weight, bias, *choices, groups, dilation)
    return graph, inputs, wanted


@settings(max_examples=150, deadline=None)
@given(transposed())
def test_the_float_interpreter_gives_what_torch_gives(case):
    graph, inputs, wanted = case
    torch.testing.assert_close(interpret(graph, (inputs,))[0], wanted, rtol=1e-4, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(transposed(), quantisations(), mappings(), ideal_systems())
def test_on_ideal_hardware_it_is_exact(case, quant, mapping, system):
    graph, inputs, _ = case
    quantized = quantize(graph, quant, [(inputs,)])
    try:
        mapped = map_graph(quantized, mapping, system.macro)
    except ConfigError:  # one weight alone is wider than these small crossbars
        assume(False)
        raise
    chips = program(place(mapped, PlacementConfig(effort=0), system), SimulatedBackend(system), DirectSet())
    answers = run(chips, inputs, batch_size=2, probe_samples=0).outputs
    assert torch.equal(answers, run(chips, inputs, mode="integer", probe_samples=0).outputs)


@given(axes())
@settings(max_examples=150, deadline=None)
def test_cells_hold_no_phase_that_the_kernel_does_not_reach(case):
    axis, _ = case
    assert len(set(axis.places)) == axis.kernel
    held = {place // axis.taps for place in axis.places}
    assert held == set(range(len(axis.phases)))


@pytest.mark.parametrize(
    "layer",
    [
        nn.ConvTranspose2d(4, 3, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2)),
        nn.ConvTranspose2d(4, 3, 3, stride=2, dilation=2),
        nn.ConvTranspose3d(4, 2, 2, stride=2),
    ],
    ids=str,
)
def test_a_layer_of_torch_is_one_matrix_in_memory(layer):
    inputs = torch.randn(2, 4, *[5] * (layer.weight.ndim - 2), generator=torch.Generator().manual_seed(0))
    graph = simplify(trace(nn.Sequential(layer), inputs))
    assert [node.name for node in graph.matrices] == ["0"]
    assert graph.nodes[-1].shape[0] is None
    more = torch.cat([inputs, inputs.flip(-1)])
    torch.testing.assert_close(interpret(graph, (more,))[0], layer(more), rtol=1e-4, atol=1e-5)
