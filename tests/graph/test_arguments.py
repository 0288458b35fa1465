"""Every argument of a graph can be written to a file and read back."""

import json
from dataclasses import asdict

import pytest
import torch
from graph_models import CASES, graph_of

from crossloom.graph import Digital, NodeRef, TensorRef, TorchConstant, simplify
from crossloom.graph.arguments import decode_constant, encode
from crossloom.graph.references import leaves

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", CASES)
def test_the_arguments_of_a_graph_are_plain_values(name: str) -> None:
    for node in simplify(graph_of(name)).nodes:
        if isinstance(node, Digital):
            hash(node)
            for leaf in leaves((node.args, node.kwargs)):
                plain = asdict(leaf) if isinstance(leaf, NodeRef | TensorRef | TorchConstant) else leaf
                assert json.loads(json.dumps(plain, allow_nan=False)) == plain


@pytest.mark.parametrize(
    "value",
    [torch.float64, torch.bool, torch.strided, torch.contiguous_format, torch.channels_last,
     float("inf"), float("-inf"), 1 + 2j],
)  # fmt: skip
def test_a_constant_of_torch_comes_back_as_it_was(value: object) -> None:
    encoded = encode(value)
    assert isinstance(encoded, TorchConstant)
    assert decode_constant(encoded, CPU) == value


def test_a_device_is_where_the_inputs_are() -> None:
    assert decode_constant(TorchConstant("device", "input"), CPU) == CPU
