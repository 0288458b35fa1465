"""Compile takes any kind of model and any kind of batches, and leaves open choices to the system."""

import pytest
import torch
from torch import nn

import crossloom as xl
from crossloom.errors import CapacityError, ConfigError, CrossloomError, DataError, GraphError
from crossloom.pipeline import as_batches, compile, resolve_quant, simulate
from crossloom.programming import program
from crossloom.quant import QuantConfig
from crossloom.runtime import run
from crossloom.spec import PrecisionSpec, load_system
from flows import noisy_system, normal
from small_graphs import chain_graph, diamond_graph, linear_graph, token_graph

IDEAL = load_system("ideal")
INPUTS = normal(10, 6)


class TwoInTwoOut(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(6, 4), nn.Linear(3, 4)

    def forward(self, x, y):
        total = self.left(x) + self.right(y)
        return total.relu(), total.sum(1)


@pytest.fixture(scope="module")
def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)).eval()


@pytest.fixture(scope="module")
def placement(module):
    return compile(module, IDEAL, INPUTS)


def answers(placement, inputs=INPUTS):
    return run(program(placement, simulate(placement.system)), inputs).outputs


def test_a_module_compiles_and_answers_close_to_float(module, placement):
    torch.testing.assert_close(answers(placement), module(INPUTS).detach(), atol=0.05, rtol=0)


def test_an_exported_program_gives_what_its_module_gives(module, placement):
    batch = torch.export.Dim("batch")
    exported = torch.export.export(module, (INPUTS,), dynamic_shapes=({0: batch},))
    assert torch.equal(answers(compile(exported, IDEAL, INPUTS)), answers(placement))


def test_an_exported_program_of_one_batch_size_runs_in_it(module):
    exported = torch.export.export(module, (INPUTS,))
    fixed = compile(exported, IDEAL, INPUTS)
    assert answers(fixed, normal(30, 6)).shape == (30, 3)


def test_the_graph_gives_what_its_module_gives(module, placement):
    assert torch.equal(answers(compile(xl.trace(module, INPUTS), IDEAL, INPUTS)), answers(placement))


@pytest.mark.parametrize(
    "data",
    [
        [INPUTS],
        (INPUTS,),
        [(INPUTS,)],
        [[INPUTS]],
        iter([INPUTS]),
        ((batch,) for batch in [INPUTS]),
        torch.utils.data.DataLoader(torch.utils.data.TensorDataset(INPUTS), batch_size=10),
    ],
    ids=["list", "tuple", "tuples", "lists", "iterator", "generator", "loader"],
)
def test_data_may_come_in_many_forms(data):
    graph = chain_graph(normal(5, 6), normal(2, 5))
    assert torch.equal(answers(compile(graph, IDEAL, data)), answers(compile(graph, IDEAL, INPUTS)))


def test_two_inputs_and_two_outputs():
    torch.manual_seed(0)
    model, inputs = TwoInTwoOut().eval(), (normal(12, 6), normal(12, 3))
    placed = compile(model, IDEAL, [inputs])
    found = answers(placed, inputs)
    assert isinstance(found, tuple)
    for answer, exact in zip(found, model(*inputs), strict=True):
        torch.testing.assert_close(answer, exact.detach(), atol=0.1, rtol=0)


def test_token_numbers_are_inputs_like_any_other():
    tokens = torch.randint(0, 9, (7, 5), generator=torch.Generator().manual_seed(0))
    placed = compile(token_graph(normal(9, 6), normal(3, 6)), IDEAL, tokens)
    assert answers(placed, tokens).shape == (7, 5, 3)


@pytest.mark.parametrize(
    "data",
    [
        [],
        iter(()),
        None,
        3,
        [None],
        [1, 2],
        ["ab"],
        [(INPUTS, None)],
        [INPUTS.numpy()],
        torch.zeros(0, 6),
        torch.zeros(4, 7),
        [INPUTS, torch.zeros(4, 7)],
        torch.full((4, 6), float("nan")),
        [INPUTS, torch.full((4, 6), float("inf"))],
        [(INPUTS, INPUTS)],
        INPUTS.double(),
    ],
    ids=lambda value: str(getattr(value, "shape", value))[:25],
)
def test_data_that_do_not_fit_are_refused(data):
    with pytest.raises(DataError):
        compile(chain_graph(normal(5, 6), normal(2, 5)), IDEAL, data)


def test_data_of_the_wrong_shape_for_a_module_are_refused(module):
    with pytest.raises(CrossloomError, match="7"):
        compile(module, IDEAL, torch.zeros(4, 7))


def test_things_that_are_no_model_are_refused():
    for wrong in (3, None, [nn.Linear(2, 2)], lambda x: x):
        with pytest.raises(GraphError, match=r"need an nn\.Module"):
            compile(wrong, IDEAL, INPUTS)


def test_things_that_are_no_system_are_refused():
    for call in (lambda: compile(linear_graph(normal(2, 6)), "ideal", INPUTS), lambda: simulate("ideal")):
        with pytest.raises(ConfigError, match=r"need a SystemSpec, got str; make one with load_system"):
            call()


def test_a_model_without_matrices_is_refused():
    with pytest.raises(GraphError, match="no matrix operation"):
        compile(nn.ReLU(), IDEAL, INPUTS)


def test_a_model_that_is_too_large_is_refused_with_what_is_missing():
    small = load_system("tsinghua_c200", {"num_chips": 1})
    with pytest.raises(CapacityError, match=r"\d"):
        compile(linear_graph(normal(300, 600)), small, normal(4, 600))


def test_open_choices_are_taken_from_the_system():
    layer = compile(linear_graph(normal(2, 6)), load_system("tsinghua_c200"), INPUTS).mapped.quantized.layers[
        "layer"
    ]
    assert (layer.weight_bits, layer.input_bits, layer.input_is_signed) == (4, 4, True)
    chosen = compile(
        linear_graph(normal(2, 6)),
        load_system("tsinghua_c200"),
        INPUTS,
        quant=QuantConfig(weight_bits=3, activation_bits=5),
    ).mapped.quantized.layers["layer"]
    assert (chosen.weight_bits, chosen.input_bits) == (3, 5)


@pytest.mark.parametrize(
    ("asked", "system", "expected"), [(None, True, True), (False, True, False), (None, None, None)]
)
def test_a_sign_that_was_chosen_comes_before_the_systems(asked, system, expected):
    precision = PrecisionSpec(weight_bits=4, activation_bits=4, activations_are_signed=system)
    assert (
        resolve_quant(QuantConfig(activations_are_signed=asked), precision).activations_are_signed is expected
    )


def test_mapping_and_placement_choices_are_passed_on():
    placed = compile(
        linear_graph(normal(2, 6)),
        IDEAL,
        INPUTS,
        mapping=xl.MappingConfig(copies=3),
        placement=xl.PlacementConfig(keep_copies_apart=True),
    )
    assert len(placed.macros) == 3


def test_integration_times_are_chosen_from_the_data():
    system = load_system("tsinghua_c200")
    graph = linear_graph(normal(4, 100))
    small, large = (
        compile(graph, system, scale * normal(16, 100), quant=QuantConfig(activation_range="min_max"))
        for scale in (1.0, 1.0)
    )
    assert small.mapped.tiles == large.mapped.tiles
    sparse = normal(16, 100) * (torch.rand(16, 100, generator=torch.Generator().manual_seed(1)) < 0.02)
    assert (
        compile(graph, system, sparse).mapped.tiles[0].integration_time
        > small.mapped.tiles[0].integration_time
    )


def test_batches_are_tuples_of_tensors():
    assert [len(batch) for batch in as_batches([INPUTS, (INPUTS, INPUTS)])] == [1, 2]
    assert len(as_batches(INPUTS)) == 1


def test_a_diamond_of_layers_compiles_on_a_noisy_system():
    inputs = (normal(6, 4), normal(6, 5))
    placed = compile(diamond_graph(normal(3, 4), normal(3, 5)), noisy_system(read_noise=1e-6), [inputs])
    assert len(answers(placed, inputs)) == 2
