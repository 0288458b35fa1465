"""Mixed precision: bits per layer of least harm within a budget of arrays."""

from itertools import product

import pytest
import torch
from torch import nn

from crossloom.errors import CapacityError, ConfigError
from crossloom.graph import interpret, simplify, trace
from crossloom.pipeline import compile
from crossloom.quant import LayerQuantConfig, QuantConfig, interpret_integers, quantize
from crossloom.search import PrecisionChoice, choose_precision
from crossloom.spec import load_system

FOUR_LEVELS = load_system(
    "ideal",
    {
        "num_chips": 64,
        "chip.num_cores": 1,
        "chip.core.num_macros": 1,
        "chip.core.macro.crossbar.num_rows": 32,
        "chip.core.macro.crossbar.num_columns": 32,
        "chip.core.macro.crossbar.cell.num_levels": 4,
    },
)
"""2 bits a cell, so that weights of more bits take more columns."""


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(24, 30), nn.ReLU(), nn.Linear(30, 26), nn.ReLU(), nn.Linear(26, 10)
    ).eval()
    inputs = torch.rand(64, 24)
    return simplify(trace(model, inputs)), inputs


def choose(network, arrays: int, **options) -> PrecisionChoice:
    return choose_precision(network[0], FOUR_LEVELS, network[1], arrays, bits=(2, 3, 5, 7), **options)


def test_more_arrays_never_harm_and_the_budget_holds(network):
    harms = []
    for arrays in (6, 8, 12, 40):
        choice = choose(network, arrays)
        assert choice.arrays <= choice.budget == arrays
        placement = compile(network[0], FOUR_LEVELS, network[1], quant=choice.quant)
        assert len({site.address for site in placement.sites}) == choice.arrays
        assert placement.mapped.quantized.config.layers == choice.quant.layers
        harms.append(sum(option.harm for option in choice.chosen.values()))
    assert harms == sorted(harms, reverse=True)
    assert harms[0] > 3 * harms[-1]


def test_no_better_choice_fits(network):
    """Of all 64 choices those of less harm take more arrays: each is placed."""
    choice = choose(network, 10)
    harm = sum(option.harm for option in choice.chosen.values())
    room = 10 * 32 * 32
    tried = 0
    for options in product(*choice.options.values()):
        if sum(option.harm for option in options) < harm and sum(option.cells for option in options) <= room:
            bits = {
                name: LayerQuantConfig(weight_bits=option.weight_bits)
                for name, option in zip(choice.options, options, strict=True)
            }
            placement = compile(network[0], FOUR_LEVELS, network[1], quant=QuantConfig(layers=bits))
            assert len({site.address for site in placement.sites}) > 10
            tried += 1
    assert tried > 0


def test_harm_is_the_error_that_one_layer_alone_makes(network):
    graph, inputs = network
    choice = choose(network, 40)
    fine = QuantConfig(weight_bits=16, activation_bits=16)
    (wanted,) = interpret(graph, (inputs,))
    for name, options in choice.options.items():
        coarse = fine.replace(layers={name: LayerQuantConfig(weight_bits=options[0].weight_bits)})
        given = interpret_integers(quantize(graph, coarse, [(inputs,)]), (inputs,))[0]
        error = ((given - wanted).square().sum() / wanted.square().sum()).item()
        assert options[0].harm == pytest.approx(error, rel=0.05)


def test_layers_that_are_named_keep_their_bits(network):
    quant = QuantConfig(layers={"0": LayerQuantConfig(weight_bits=7)})
    choice = choose(network, 12, quant=quant)
    assert set(choice.chosen) == {"2", "4"}
    assert choice.quant.layers["0"].weight_bits == 7


def test_too_few_arrays_are_refused_with_what_it_takes(network):
    with pytest.raises(CapacityError, match=r"takes \d+ macros, got 1; allow"):
        choose(network, 1)


@pytest.mark.parametrize(("arrays", "bits"), [(0, (2,)), (2.5, (2,)), (4, ()), (4, (0,)), (4, (17,))])
def test_wrong_budgets_and_bits_are_refused(network, arrays, bits):
    with pytest.raises(ConfigError, match=r"arrays|bits"):
        choose_precision(network[0], FOUR_LEVELS, network[1], arrays, bits=bits)


def test_a_choice_is_saved_and_says_what_it_is(network, tmp_path):
    choice = choose(network, 8)
    choice.save(tmp_path / "bits.xloom")
    assert PrecisionChoice.load(tmp_path / "bits.xloom") == choice
    assert f"{choice.arrays} of 8 arrays" in choice.summary()
    assert "2: " in choice.summary()
