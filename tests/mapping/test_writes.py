"""The price of products of two activations in cells: writes for every sample."""

import pytest
import torch
from torch import nn

import crossloom as xl
from crossloom.mapping import MappedGraph, activation_writes


class Attention(nn.Module):
    """For one sample: 5 tokens of 8 numbers in 2 heads, then a product of 5 by 5 and 5 by 8."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.attention(x, x, x, need_weights=False)
        return (y @ x.transpose(1, 2)) @ y


@pytest.fixture(scope="module")
def mapped() -> MappedGraph:
    torch.manual_seed(0)
    return xl.compile(Attention().eval(), xl.load_system("ideal"), torch.randn(3, 5, 8)).mapped


def test_attention_writes_its_keys_and_values_and_a_product_its_second_operand(mapped):
    attention, first, second = activation_writes(mapped)
    assert attention.layer == "attention"
    assert [each.values for each in (attention, first, second)] == [2 * 5 * 8, 8 * 5, 5 * 8]


def test_a_value_takes_the_cells_that_a_weight_takes(mapped):
    tile = mapped.tiles[0]
    weights = (tile.input_stop - tile.input_start) * (tile.output_stop - tile.output_start)
    for each in activation_writes(mapped):
        assert each.cells == each.values * tile.num_cells / weights


def test_products_with_stored_matrices_write_nothing():
    plain = xl.compile(nn.Linear(4, 3), xl.load_system("ideal"), torch.randn(2, 4)).mapped
    assert activation_writes(plain) == ()
