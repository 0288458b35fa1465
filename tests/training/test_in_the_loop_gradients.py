"""Chip in the loop: gradients reach what is trained through every layer that stays."""

from functools import cache

import pytest
import torch
from in_the_loop_cases import blobs, loop_chips, pulsed_system, trained_graph
from torch import nn
from torch.nn import functional

import crossloom as xl
from crossloom.backends import SimulatedBackend
from crossloom.graph import Digital, Graph, Input, Matrix, NodeRef
from crossloom.hardware import Draw
from crossloom.mapping import MappingConfig
from crossloom.programming import DirectSet, LayerCorrection, ProgrammedChips, program
from crossloom.training import InTheLoopConfig, LayerByLayerConfig, program_in_the_loop, tune_in_the_loop
from crossloom.training.in_the_loop import DigitalOnly, NamedLayers, WholeNetwork
from crossloom.training.in_the_loop.network import LoopNetwork, Part
from crossloom.training.in_the_loop.reading import read_back
from flows import normal, place_graph

SAMPLES = 32
LAST_DIGITAL = MappingConfig(digital=("layer2",))


@cache
def _residual_graph() -> Graph:
    """x -> a -> b, and b(a(x)) + a(x)."""
    shape = (None, 10)
    nodes = (
        Input("x", (None, 16), "float32"),
        Matrix("a", "x", "a", None, None, 1, None, "a", shape),
        Matrix("b", "a", "b", None, None, 1, None, "b", shape),
        Digital("sum", "aten.add.Tensor", (NodeRef("b"), NodeRef("a")), (), "", shape),
    )
    return Graph(nodes, ("sum",), True, {"a": 0.3 * normal(10, 16), "b": 0.3 * normal(10, 10, seed=1)})


def _chips_of(graph: Graph, programming_error: float = 5e-6) -> ProgrammedChips:
    system = pulsed_system(programming_error=programming_error)
    return program(place_graph(graph, blobs().inputs, system), SimulatedBackend(system, 0))


def _network(chips: ProgrammedChips, names: tuple[str, ...]) -> LoopNetwork:
    """The layers of these names trained, all that lie in cells on the chips and read back."""
    in_cells = frozenset(chips.placement.mapped.schemes)
    network = LoopNetwork(chips, Part(names, names, in_cells))
    for name, layer in (network.layers | network.behind).items():
        if name in in_cells:
            found = read_back(chips.placement, layer.node, chips.backend, LayerCorrection()).weight
            layer.take(layer.integers, found, torch.ones_like(found, dtype=torch.bool), 2.0)
    return network


def _gradients(network: LoopNetwork, inputs: torch.Tensor, name: str) -> tuple[torch.Tensor, ...]:
    """Of the cross-entropy by what the weights, the scales and the biases of one layer shall be."""
    labels = torch.arange(len(inputs)) % 10
    measured = network.measure(inputs, 0)
    functional.cross_entropy(network(measured, Draw(0)).flatten(1), labels).backward()
    layer = network.layers[name]
    found = tuple(part.grad for part in (layer.wish, layer.gain, layer.shift) if part is not None)
    assert len(found) == 3
    return found  # type: ignore[return-value]


def _assert_same(found: tuple[torch.Tensor, ...], expected: tuple[torch.Tensor, ...], share: float) -> None:
    for one, other in zip(found, expected, strict=True):
        assert other.abs().max() > 0
        assert (one - other).abs().max() <= share * other.abs().max()


@pytest.mark.parametrize(("graph", "first"), [(trained_graph, "layer1"), (_residual_graph, "a")])
def test_a_layer_named_alone_has_the_gradient_that_it_has_in_the_whole_network(graph, first: str) -> None:
    """A chain and a residual net; programming error 0.1 of g_max, 32 samples; to 1e-6 of the largest gradient."""
    chips = _chips_of(graph())
    everything = tuple(chips.placement.mapped.schemes)
    inputs = blobs().inputs[:SAMPLES]
    alone, whole = (_gradients(_network(chips, names), inputs, first) for names in ((first,), everything))
    _assert_same(alone, whole, 1e-6)


def _linear_net() -> tuple[nn.Module, torch.Tensor, str]:
    return nn.Sequential(nn.Linear(16, 20), nn.ReLU(), nn.Linear(20, 10)), blobs().inputs[:SAMPLES], "2"


def _convolution_net() -> tuple[nn.Module, torch.Tensor, str]:
    net = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.Flatten())
    return net, normal(SAMPLES, 2, 6, 5), "2"


@pytest.mark.parametrize("make", [_linear_net, _convolution_net])
def test_a_digital_last_layer_passes_the_gradient_that_ideal_chips_pass(make) -> None:
    """Exact cells and converters; the chips are read in float32, so to 1e-4 of the largest gradient."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net, inputs, last = make()
    system, found = pulsed_system(readout={"bits": None}), []
    for digital in ((), (last,)):
        placement = xl.compile(net.eval(), system, data=[inputs], mapping=MappingConfig(digital=digital))
        chips = program(placement, SimulatedBackend(system, 0), DirectSet())
        found.append(_gradients(_network(chips, ("0",)), 1.5 * inputs, "0"))  # some inputs clip
    in_cells, as_integers = found
    _assert_same(as_integers, in_cells, 1e-4)


def test_layers_not_yet_in_cells_are_trained_through_a_digital_one() -> None:
    """As `program_in_the_loop` does: straight through rounding, nothing where inputs clip; 32 samples, 2 % clip.

    To 1e-4 of the largest gradient, since sums of products are added up in float32.
    """
    chips, inputs = loop_chips(mapping=LAST_DIGITAL), 2.5 * blobs().inputs[:SAMPLES]
    network = LoopNetwork(chips, Part(("layer1",), (), frozenset()))
    labels = torch.arange(SAMPLES) % 10
    functional.cross_entropy(network((inputs,), Draw(0)), labels).backward()
    values, weights, clipped = inputs, [], []
    for name in ("layer1", "layer2"):
        layer = chips.placement.mapped.quantized.layers[name]
        weights.append(layer.weight.float().requires_grad_())
        scaled = values / layer.input_step
        limited = scaled.clamp(*layer.input_range)
        clipped.append(float((scaled != limited).double().mean()))
        codes = limited + (layer.quantize_input(values.detach()) - limited).detach()
        values = functional.linear(codes, weights[-1]) * (layer.weight_step * layer.input_step).float()
        values = values.relu() if name == "layer1" else values
    functional.cross_entropy(values, labels).backward()
    assert clipped[1] > 0.02
    wish = network.layers["layer1"].wish
    assert wish is not None
    assert wish.grad is not None
    assert weights[0].grad is not None
    _assert_same((wish.grad,), (weights[0].grad,), 1e-4)


@pytest.mark.parametrize("mapping", [None, LAST_DIGITAL])
def test_the_value_behind_a_trained_layer_is_that_of_the_chips(mapping) -> None:
    """To the last bit, with the graph of gradients and without."""
    chips, inputs = loop_chips(programming_error=5e-6, mapping=mapping), blobs().inputs
    network, expected = _network(chips, ("layer1",)), xl.run(chips, blobs().inputs, probe_samples=0).outputs
    scores = network((inputs,), Draw(0))
    assert scores.requires_grad
    assert torch.equal(scores.detach(), expected)  # type: ignore[arg-type]
    with torch.no_grad():
        assert torch.equal(network((inputs,), Draw(0)), scores)


def test_nothing_before_the_trained_layers_has_a_gradient_or_is_read() -> None:
    chips = loop_chips(programming_error=5e-6)
    network = _network(chips, ("layer2",))
    assert not network.behind
    assert not any(part.requires_grad for part in network.measure(blobs().inputs, 0))
    num_reads = {}
    for name in ("layer1", "layer2"):
        mode = NamedLayers(layers=(name,))
        config = InTheLoopConfig(mode=mode, epochs=0, digital_epochs=0)
        num_reads[name] = tune_in_the_loop(chips, blobs(), config).num_reads
    assert 0 < num_reads["layer2"] < num_reads["layer1"] == chips.placement.mapped.num_cells


@pytest.mark.parametrize(
    ("mode", "is_digital"),
    [(WholeNetwork(), True), (DigitalOnly(), True), (NamedLayers(layers=("layer1",)), False)],
)
def test_tuning_before_a_layer_that_stays_lowers_the_loss(mode, is_digital: bool) -> None:
    """Weights off by 0.34 of the range, 240 samples, chips of seeds 0 and 1; the loss falls by a fifth at least."""
    config = InTheLoopConfig(mode=mode, epochs=4, digital_epochs=1)
    for seed in range(2):
        chips = loop_chips(seed, LAST_DIGITAL if is_digital else None, programming_error=1.2e-5)
        result = tune_in_the_loop(chips, blobs(), config)
        assert set(result.cells_rewritten) <= {"layer1"}
        first, last = result.curve[1].loss, result.curve[-1].loss
        assert first is not None
        assert last is not None
        assert last < 0.8 * first


def test_programming_in_the_loop_trains_through_a_digital_last_layer() -> None:
    """Layer 1 is written and its scales and biases trained on; more epochs leave a lower loss (240 samples)."""
    placement = loop_chips(mapping=LAST_DIGITAL).placement
    losses = []
    for epochs in (1, 6):
        backend = SimulatedBackend(pulsed_system(programming_error=1.2e-5), 3)
        config = LayerByLayerConfig(epochs=epochs, digital_rate=0.02)
        losses.append(program_in_the_loop(placement, backend, blobs(), config).curve[-1].loss)
    assert losses[1] < 0.8 * losses[0]  # type: ignore[operator]
