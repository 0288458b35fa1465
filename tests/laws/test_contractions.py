"""Sums of products with a stored tensor, whatever their axes, are the matrix and the moves that they become."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crossloom.backends import SimulatedBackend
from crossloom.errors import ConfigError
from crossloom.graph import Graph, NodeRef, interpret
from crossloom.graph.arguments import bind_arguments
from crossloom.graph.contraction import contract
from crossloom.graph.products import match_product
from crossloom.graph.tensors import TensorStore
from crossloom.mapping import MappingConfig, map_graph
from crossloom.placement import PlacementConfig, place
from crossloom.programming import DirectSet, program
from crossloom.quant import QuantConfig, quantize
from crossloom.runtime import run
from crossloom.spec import SystemSpec
from crossloom.testing.strategies import ideal_systems, mappings, quantisations
from moved_graphs import moved_graph

aten = torch.ops.aten


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@st.composite
def contractions(draw: st.DrawFn) -> tuple[Graph, torch.Tensor, torch.Tensor]:
    """A graph, inputs for it, and what einsum makes of them: axes of every role, in any order, some of one entry."""
    names = iter("abcdefghijklmnop")

    def some(least: int, most: int) -> list[str]:
        return [next(names) for _ in range(draw(st.integers(least, most)))]

    groups, inputs, outputs = some(0, 2), some(1, 2), some(0, 2)
    vectors, alone, stored_alone = some(0, 3), some(0, 1), some(0, 1)
    values = ["z", *draw(st.permutations(groups + inputs + vectors + alone))]
    stored = draw(st.permutations(groups + inputs + outputs + stored_alone))
    result = draw(st.permutations(["z", *groups, *outputs, *vectors]))
    sizes = {label: draw(st.integers(1, 3)) for label in [*values, *stored]}
    narrow = draw(st.sampled_from(["", "", *groups, *inputs]))
    one = {narrow: 1}
    x = normal(*(sizes[label] for label in values), seed=draw(st.integers(0, 99)))
    w = normal(*({**sizes, **one}[label] for label in stored), seed=draw(st.integers(0, 99)))
    wanted = torch.einsum(f"{''.join(values)},{''.join(stored)}->{''.join(result)}", x, w)
    store = TensorStore()
    shape = (None, *x.shape[1:])
    found = contract(shape, tuple(values), store.add("w", w), tuple(stored), tuple(result), store)
    assume(found is not None)
    assert found is not None
    graph = moved_graph(x, found.weight, None, found.window, found.groups, (found.before, found.after), store)
    return graph, x, wanted


@settings(max_examples=150, deadline=None)
@given(contractions())
def test_the_float_interpreter_gives_what_einsum_gives(case):
    graph, inputs, wanted = case
    torch.testing.assert_close(interpret(graph, (inputs,))[0], wanted, rtol=1e-4, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(contractions(), quantisations(), mappings(), ideal_systems())
def test_on_ideal_hardware_it_is_exact(case, quant, mapping, system):
    check_exact(case[0], case[1], quant, mapping, system)


def check_exact(
    graph: Graph, inputs: torch.Tensor, quant: QuantConfig, mapping: MappingConfig, system: SystemSpec
) -> None:
    quantized = quantize(graph, quant, [(inputs,)])
    try:
        mapped = map_graph(quantized, mapping, system.macro)
    except ConfigError:  # one weight alone is wider than these small crossbars
        assume(False)
        raise
    chips = program(place(mapped, PlacementConfig(effort=0), system), SimulatedBackend(system), DirectSet())
    answers = run(chips, inputs, batch_size=len(inputs), probe_samples=0).outputs
    assert torch.equal(answers, run(chips, inputs, mode="integer", probe_samples=0).outputs)


X, Y = normal(2, 3, 4), normal(2, 3, 5, seed=1)


@pytest.mark.parametrize(
    "build",
    [
        lambda x, w: (aten.einsum.default, ("bij,jk->bik", [x(2, 3, 4), w(4, 5)])),
        lambda x, w: (aten.einsum.default, ("kj, bij", [w(5, 4), x(2, 3, 4)])),
        lambda x, w: (aten.einsum.default, ("...j,...jk->...k", [x(2, 3, 4), w(3, 4, 5)])),
        lambda x, w: (aten.einsum.default, ("...j,jk", [x(2, 3, 4), w(4, 5)])),
        lambda x, w: (aten.einsum.default, ("bhqd,hdm->bqm", [x(2, 3, 5, 4), w(3, 4, 6)])),
        lambda x, w: (aten.einsum.default, ("bij,jk,kl->bil", [x(2, 3, 4), w(4, 5), w(5, 6)])),
        lambda x, w: (aten.einsum.default, ("bi,oij,bj->bo", [x(2, 3), w(5, 3, 4), x(2, 4)])),
        lambda x, w: (aten.einsum.default, ("nkctv,kvw->nctw", [x(2, 3, 4, 5, 6), w(3, 6, 6)])),
        lambda x, w: (aten.matmul.default, (x(2, 3, 4), w(4, 5))),
        lambda x, w: (aten.matmul.default, (w(5, 3), x(2, 3, 4))),
        lambda x, w: (aten.matmul.default, (w(2, 5, 3), x(2, 2, 3, 4))),
        lambda x, w: (aten.matmul.default, (x(2, 3, 4, 5), w(3, 5, 6))),
        lambda x, w: (aten.matmul.default, (x(2, 1, 4, 5), w(3, 5, 6))),
        lambda x, w: (aten.matmul.default, (x(2, 3, 4), w(4))),
        lambda x, w: (aten.matmul.default, (w(3), x(2, 3, 4))),
        lambda x, w: (aten.mm.default, (w(5, 2), x(2, 4))),
        lambda x, w: (aten.mv.default, (x(2, 4), w(4))),
        lambda x, w: (aten.bmm.default, (x(3, 2, 4), w(3, 4, 5))),
        lambda x, w: (aten.bmm.default, (w(3, 5, 2), x(3, 2, 4))),
        lambda x, w: (aten.addmm.default, (w(5), x(2, 4), w(4, 5)), {"alpha": 0.5, "beta": 2}),
        lambda x, w: (aten.addmm.default, (x(2, 5), x(2, 4), w(4, 5))),
        lambda x, w: (aten.addmm.default, (w(5, 1), w(5, 2), x(2, 4))),
        lambda x, w: (aten.addmv.default, (w(2), x(2, 4), w(4)), {"beta": 0}),
        lambda x, w: (aten.baddbmm.default, (w(3, 1, 5), x(3, 2, 4), w(3, 4, 5)), {"beta": 0.5}),
        lambda x, w: (aten.addbmm.default, (w(2, 5), x(3, 2, 4), w(3, 4, 5))),
        lambda x, w: (aten.inner.default, (x(2, 3, 4), w(5, 4))),
        lambda x, w: (aten.tensordot.default, (x(2, 3, 4), w(4, 5, 3), [1, 2], [2, 0])),
        lambda x, w: (aten.linalg_multi_dot.default, ([x(2, 4), w(4, 5), w(5, 6)],)),
        lambda x, w: (aten.linalg_multi_dot.default, ([w(5, 2), x(2, 4), w(4)],)),
        lambda x, w: (aten.bilinear.default, (x(2, 3), x(2, 4), w(5, 3, 4), w(5))),
        lambda x, w: (aten.linear.default, (w(6, 4), x(2, 4), w(2))),
    ],
)  # fmt: skip
def test_a_call_of_torch_with_a_stored_operand_is_one_matrix(build):
    store, inputs, numbers = TensorStore(), {}, iter(range(99))

    def stored(*shape: int):
        return store.add(f"w{next(numbers)}", normal(*shape, seed=len(store.names)))

    def computed(*shape: int):
        name = f"x{next(numbers)}"
        inputs[name] = normal(*shape, seed=99 + len(inputs))
        return NodeRef(name)

    operation, args, *kwargs = build(computed, stored)

    def real(value):
        if isinstance(value, list):
            return [real(item) for item in value]
        if isinstance(value, NodeRef):
            return inputs[value.name]
        return store[value] if hasattr(value, "name") else value

    wanted = operation(*map(real, args), **(kwargs[0] if kwargs else {}))
    bound = bind_arguments(operation, args, kwargs[0] if kwargs else {})
    product = match_product(operation, bound, lambda node: tuple(inputs[node.name].shape), store)
    assert product is not None
    source = inputs.pop(product.source.name)
    moves = product.before, product.after
    graph = moved_graph(
        source, product.weight, product.bias, product.window, product.groups, moves, store, inputs,
        name=product.source.name,
    )  # fmt: skip
    found = interpret(graph, (source, *inputs.values()))[0]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert len(graph.matrices) == 1


@pytest.mark.parametrize(
    ("values", "stored", "result"),
    [("bii", "ij", "bj"), ("bi", "bi", "bi"), ("bi", "j", "bij"), ("bi", "bj", "bij")],
)
def test_what_adds_nothing_up_or_takes_an_axis_twice_stays_digital(values, stored, result):
    store = TensorStore()
    x, w = normal(*[2] * len(values)), store.add("w", normal(*[2] * len(stored)))
    assert contract(tuple(x.shape), tuple(values), w, tuple(stored), tuple(result), store) is None


def test_a_sum_over_a_dynamic_axis_stays_digital():
    store = TensorStore()
    assert (
        contract((2, None), ("a", "b"), store.add("w", normal(3, 4)), ("b", "c"), ("a", "c"), store) is None
    )
