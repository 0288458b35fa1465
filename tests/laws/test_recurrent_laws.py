"""A recurrent layer is what torch says it is, and on ideal hardware exactly its integers."""

import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crossloom.backends import SimulatedBackend
from crossloom.errors import ConfigError
from crossloom.graph import interpret, simplify
from crossloom.mapping import map_graph
from crossloom.placement import PlacementConfig, place
from crossloom.programming import DirectSet, program
from crossloom.quant import quantize
from crossloom.runtime import run
from crossloom.testing.strategies import ideal_systems, mappings, quantisations
from recurrent_graphs import KINDS, Case, eager, make_case, recurrent_graph


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Layers, directions, biases, layouts, projections, first states and lengths."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    hidden = draw(st.integers(2, 6))
    options = {
        "num_layers": draw(st.integers(1, 2)),
        "bidirectional": draw(st.booleans()),
        "bias": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
    }
    if kind == "lstm" and draw(st.booleans()):
        options["proj_size"] = draw(st.integers(1, hidden - 1))
    return make_case(
        kind,
        (draw(st.integers(1, 5)), hidden),
        draw(st.integers(1, 4)),
        draw(st.integers(1, 5)),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.integers(0, 2**20)),
        **options,
    )


@settings(max_examples=60, deadline=None)
@given(cases())
def test_the_float_interpreter_gives_what_torch_gives(case):
    wanted = case.wanted()
    for found in (interpret(case.graph(), case.inputs), eager(case)):
        assert len(found) == len(wanted)
        for ours, theirs in zip(found, wanted, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(cases(), quantisations(), mappings(), ideal_systems())
def test_on_ideal_hardware_it_is_exact(case, quant, mapping, system):
    graph, inputs = simplify(case.graph()), case.inputs
    quantized = quantize(graph, quant, [inputs])
    try:
        mapped = map_graph(quantized, mapping, system.macro)
    except ConfigError:  # one weight alone is wider than these small crossbars
        assume(False)
        raise
    chips = program(place(mapped, PlacementConfig(effort=0), system), SimulatedBackend(system), DirectSet())
    on_chip = run(chips, inputs, batch_size=2, probe_samples=0).outputs
    digital = run(chips, inputs, mode="integer", probe_samples=0).outputs
    for ours, theirs in zip(on_chip, digital, strict=True):
        assert torch.equal(ours, theirs)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(2, 5),
    st.integers(1, 4),
    st.booleans(),
    st.sampled_from(["forward", "both"]),
)
def test_a_gru_that_resets_first_is_what_onnx_says(num_inputs, hidden, num_steps, has_bias, direction):
    generator = torch.Generator().manual_seed(17 * num_inputs + hidden)
    number = 2 if direction == "both" else 1
    shapes = [(3 * hidden, num_inputs), (3 * hidden, hidden), *([(3 * hidden,)] * 2 if has_bias else [])]
    weights = [torch.randn(shape, generator=generator) for _ in range(number) for shape in shapes]
    source = torch.randn(3, num_steps, num_inputs, generator=generator)
    graph = recurrent_graph("gru_reset_first", weights, (source,), direction=direction)
    found = interpret(graph, (source,))[0]
    each = len(weights) // number
    for turn in range(number):
        own = weights[turn * each : (turn + 1) * each]
        steps = source.flip(1) if turn else source
        wanted = _resets_first(steps, *own)
        wanted = wanted.flip(1) if turn else wanted
        torch.testing.assert_close(found[..., turn * hidden : (turn + 1) * hidden], wanted)


def _resets_first(source, given, recurrent, bias=None, recurrent_bias=None):
    """ONNX's GRU with linear_before_reset = 0, gates in torch's order, one step after the other."""
    hidden = recurrent.shape[1]
    bias = torch.zeros(3 * hidden) if bias is None else bias
    recurrent_bias = torch.zeros(3 * hidden) if recurrent_bias is None else recurrent_bias
    state, outputs = source.new_zeros(len(source), hidden), []
    for step in source.unbind(1):
        seen = step @ given.T + bias
        reset, update = (
            torch.sigmoid(seen[:, part] + state @ recurrent[part].T + recurrent_bias[part])
            for part in (slice(0, hidden), slice(hidden, 2 * hidden))
        )
        last = slice(2 * hidden, None)
        new = torch.tanh(seen[:, last] + (reset * state) @ recurrent[last].T + recurrent_bias[last])
        state = (1 - update) * new + update * state
        outputs.append(state)
    return torch.stack(outputs, 1)
