import pytest
import torch
from torch import nn

import crossloom as xl
from crossloom.graph import Recurrence
from crossloom.mapping import coverage, share_in_memory


class EveryKind(nn.Module):
    """One of every kind of product. For one sample: an image [4, 4, 4], tokens [4, 64], states [4, 6]."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(4, 8, 3, padding=1, stride=2, groups=2)
        self.up = nn.ConvTranspose2d(8, 4, 4, stride=4)
        self.lstm = nn.LSTM(64, 6, batch_first=True)
        self.last = nn.Linear(6, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        tokens = self.up(torch.relu(self.convolution(image))).flatten(2)
        mixed = nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)
        squared = mixed @ mixed.transpose(1, 2)
        states, _ = self.lstm(squared @ mixed)
        return self.last(states)


@pytest.fixture(scope="module")
def mapped():
    torch.manual_seed(0)
    config = xl.MappingConfig(digital=("last",))
    model = EveryKind().eval()
    return xl.compile(model, xl.load_system("ideal"), torch.randn(2, 4, 4, 4), mapping=config).mapped


@pytest.fixture(scope="module")
def rows(mapped):
    return {row.name: row for row in coverage(mapped)}


def find(rows, operation):
    return [row for row in rows.values() if row.operation.startswith(f"aten.{operation}.")]


def test_every_node_but_the_inputs_has_one_row(mapped, rows):
    nodes = mapped.quantized.graph.nodes
    held = {matrix.name for node in nodes if isinstance(node, Recurrence) for matrix in node.products}
    assert held == {"lstm.hh_l0"}
    own = [name for name in rows if name not in held]
    assert own == [node.name for node in nodes[len(mapped.quantized.graph.inputs) :]]


def test_a_mapped_matrix_is_in_memory_with_its_weights_times_its_vectors(rows):
    row = rows["convolution"]
    assert (row.operation, row.where, row.macs) == ("conv2d", "memory", 8 * 2 * 9 * 2 * 2)


def test_a_matrix_that_the_configuration_keeps_is_digital_and_says_so(rows):
    row = rows["last"]
    assert (row.operation, row.where, row.macs) == ("linear", "digital", 4 * 6 * 3)
    assert "configuration" in row.why


def test_products_of_activations_are_digital_and_counted(rows):
    (attention,) = find(rows, "scaled_dot_product_attention")
    squared, again = find(rows, "matmul")
    assert attention.why == squared.why == again.why == "a product of two activations"
    assert attention.macs == 2 * 4 * 4 * 64
    assert squared.macs == again.macs == 4 * 4 * 64


def test_a_transposed_convolution_is_in_memory_with_as_many_multiplications(rows):
    row = rows["up"]
    assert (row.operation, row.where, row.macs) == ("conv2d", "memory", 2 * 2 * 8 * 4 * 4 * 4)


def test_a_recurrent_layer_multiplies_in_memory_and_keeps_its_state_digitally(rows):
    given, state, gates = rows["lstm.ih_l0"], rows["lstm.hh_l0"], rows["lstm.l0"]
    assert (given.where, given.macs) == ("memory", 4 * 4 * 6 * 64)
    assert (state.where, state.macs) == ("memory", 4 * 4 * 6 * 6)
    assert (gates.operation, gates.where, gates.macs) == ("lstm", "digital", 0)


def test_other_operations_multiply_nothing(rows):
    others = [row for row in rows.values() if row.why == "no matrix operation"]
    assert others
    assert all(row.where == "digital" and row.macs == 0 for row in others)


def test_the_share_in_memory_is_that_of_the_known_products(rows):
    total = sum(row.macs for row in rows.values())
    in_memory = sum(row.macs for row in rows.values() if row.where == "memory")
    assert in_memory >= rows["convolution"].macs + rows["up"].macs
    assert share_in_memory(rows.values()) == in_memory / total
    assert share_in_memory([]) == 0


def test_a_model_of_fixed_batch_is_counted_per_sample():
    model, inputs = nn.Sequential(nn.Linear(6, 4)).eval(), torch.randn(3, 6)
    exported = torch.export.export(model, (inputs,))
    mapped = xl.compile(exported, xl.load_system("ideal"), inputs).mapped
    assert mapped.quantized.graph.inputs[0].shape[0] == 3
    assert [row.macs for row in coverage(mapped) if row.operation == "linear"] == [24]
