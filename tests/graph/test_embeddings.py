"""Embeddings are looked up digitally, or lie in memory as rows that inputs of one read."""

import pytest
import torch
from torch import nn

import crossloom as xl
from crossloom.errors import GraphError
from crossloom.graph import Digital, Graph, OneHotEmbeddings, interpret, simplify, trace
from crossloom.mapping import coverage

TOKENS = torch.tensor([[0, 3, 7], [10, 1, 1]])


def model_of() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(11, 4), nn.LayerNorm(4), nn.Linear(4, 3)).eval()


@pytest.fixture(scope="module")
def graph() -> Graph:
    return simplify(trace(model_of(), TOKENS))


def test_a_look_up_is_digital_unless_asked_for(graph: Graph) -> None:
    assert [node.name for node in graph.matrices] == ["2"]
    assert OneHotEmbeddings(())(graph).nodes == graph.nodes


@pytest.mark.parametrize("tokens", [TOKENS, TOKENS[:, :1], TOKENS.repeat(3, 1)])
def test_rows_read_by_inputs_of_one_are_what_a_look_up_gives(graph: Graph, tokens: torch.Tensor) -> None:
    found = OneHotEmbeddings(("0",))(simplify(trace(model_of(), TOKENS, {"input": {1: 9}})))
    assert [node.name for node in found.matrices] == ["0", "2"]
    torch.testing.assert_close(interpret(found, (tokens,))[0], model_of()(tokens))


def test_an_embedding_that_is_the_output_can_lie_in_memory() -> None:
    layer = nn.Embedding(11, 4)
    found = OneHotEmbeddings(("embedding",))(trace(layer, TOKENS))
    torch.testing.assert_close(interpret(found, (TOKENS,))[0], layer(TOKENS))


def test_the_name_of_no_embedding_is_refused_with_the_nearest(graph: Graph) -> None:
    with pytest.raises(GraphError, match=r"no embedding is called '2'; known: 0"):
        OneHotEmbeddings(("2",))(graph)


def test_a_table_in_memory_runs_on_chips_and_counts_in_the_share() -> None:
    system = xl.load_system("ideal")
    placement = xl.compile(model_of(), system, TOKENS, mapping=xl.MappingConfig(one_hot=("0",)))
    rows = {row.name: row for row in coverage(placement.mapped)}
    assert (rows["0"].where, rows["0"].macs) == ("memory", 3 * 11 * 4)
    chips = xl.program(placement, xl.SimulatedBackend(system))
    on_chip = xl.run(chips, TOKENS).outputs
    assert torch.equal(on_chip, xl.run(chips, TOKENS, mode="integer").outputs)
    assert not any(
        isinstance(node, Digital) and "embedding" in node.operation
        for node in placement.mapped.quantized.graph.nodes
    )
