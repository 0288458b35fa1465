"""Axes besides the batch may be dynamic, up to a bound that is part of what was compiled."""

from collections.abc import Mapping

import pytest
import torch
from graph_models import Function
from torch import Tensor, nn
from torch.export import Dim

import crossloom as xl
from crossloom.errors import ConfigError, DataError, GraphError
from crossloom.graph import interpret, measure_shapes, trace
from crossloom.mapping import vectors_per_sample
from flows import noisy_system


def tokens_of(num_samples: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 11, (num_samples, length), generator=torch.Generator().manual_seed(seed))


class Classifier(nn.Module):
    """Attention that keeps tokens in front of samples, as torch does unless told otherwise."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(11, 8)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 12)
        self.head = nn.Linear(8, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.encoder(self.embedding(tokens).transpose(0, 1)).mean(0))


MODEL = Classifier().eval()


@pytest.fixture(scope="module")
def graph() -> xl.Graph:
    return trace(MODEL, tokens_of(4, 6), {"tokens": {1: 12}})


@pytest.mark.parametrize("length", [1, 2, 6, 12])
@pytest.mark.parametrize("num_samples", [1, 6])
def test_a_graph_takes_sequences_of_any_length_up_to_the_bound(graph, num_samples, length):
    tokens = tokens_of(num_samples, length)
    torch.testing.assert_close(interpret(graph, (tokens,))[0], MODEL(tokens))


def test_a_longer_sequence_is_refused_with_the_bound(graph):
    with pytest.raises(
        DataError, match=r"'tokens' may be at most 12 long along axis 1.*got 13.*`dynamic`"
    ) as caught:
        interpret(graph, (tokens_of(2, 13),))
    assert "\n" not in str(caught.value)


def test_shapes_and_vectors_are_counted_at_the_bound_or_at_the_length_of_real_inputs(graph):
    assert measure_shapes(graph, 2)["tokens"] == (2, 12)
    assert measure_shapes(graph, 2, ((9, 5),))["tokens"] == (2, 5)
    vectors = vectors_per_sample(graph)
    assert vectors["encoder.linear1"] == 12
    assert vectors["head"] == 1


def test_a_graph_with_a_bound_is_saved_and_loaded(graph, tmp_path):
    graph.save(tmp_path / "graph")
    assert type(graph).load(tmp_path / "graph").inputs == graph.inputs


def test_two_inputs_share_a_length():
    def masked(m: nn.Module, x: Tensor, mask: Tensor) -> Tensor:
        return m.fc(x).masked_fill(mask[..., None], 0.0).sum(1)

    model = Function(masked, fc=nn.Linear(4, 3))
    x, mask = torch.randn(2, 5, 4), torch.zeros(2, 5, dtype=torch.bool)
    graph = trace(model, (x, mask), {0: {1: 9}, 1: {1: 9}})
    assert [node.bounds for node in graph.inputs] == [(None, 9, None), (None, 9)]
    x, mask = torch.randn(3, 7, 4), torch.rand(3, 7) > 0.5
    torch.testing.assert_close(interpret(graph, (x, mask))[0], model(x, mask))


def test_an_image_may_have_dynamic_height_and_width():
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3, 2, 1), nn.ReLU(), nn.ConvTranspose2d(3, 2, 4, 2, 1), nn.AdaptiveAvgPool2d(1)
    )
    graph = trace(model, torch.randn(2, 2, 8, 8), {"input": {2: 32, 3: 32}})
    for size in [(8, 8), (6, 14), (32, 10)]:
        image = torch.randn(3, 2, *size)
        torch.testing.assert_close(interpret(graph, (image,))[0], model(image), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_the_bounds_of_an_exported_program_are_its_own():
    program = torch.export.export(
        MODEL, (tokens_of(4, 6),), dynamic_shapes=({0: Dim.AUTO, 1: Dim("t", max=20)},)
    )
    assert trace(program, tokens_of(4, 6)).inputs[0].bounds == (None, 20)
    with pytest.raises(ConfigError, match="ExportedProgram keeps its axes"):
        trace(program, tokens_of(4, 6), {"tokens": {1: 12}})


@pytest.mark.parametrize(
    ("dynamic", "message"),
    [
        ({"token": {1: 12}}, r"no input 'token'; did you mean tokens\?"),
        ({3: {1: 12}}, "no input 3"),
        ({"tokens": {0: 12}}, "axes 1 to 1 besides the batch, not 0"),
        ({"tokens": {2: 12}}, "not 2"),
        ({"tokens": {1: 5}}, "at most 5 long, the example's is 6"),
    ],
)
def test_what_cannot_be_dynamic_is_refused(dynamic: Mapping, message: str):
    with pytest.raises(ConfigError, match=message):
        trace(MODEL, tokens_of(4, 6), dynamic)


def test_an_axis_that_the_model_fixes_is_refused_by_name():
    model = Function(lambda m, x: m.fc(x), fc=nn.Linear(4, 3))
    with pytest.raises(GraphError, match=r"fixes axis 1 of input '0' at 4"):
        trace(model, torch.randn(2, 4), {0: {1: 9}})


def test_a_model_is_compiled_with_a_bound_and_calibrated_on_several_lengths():
    model = nn.Sequential(nn.Embedding(11, 4), nn.Linear(4, 3)).eval()
    data = [tokens_of(4, 6), tokens_of(3, 9)]
    placement = xl.compile(model, xl.load_system("ideal"), data, dynamic={"input": {1: 12}})
    assert placement.mapped.quantized.graph.inputs[0].bounds == (None, 12)


def test_a_compiled_graph_runs_any_length_on_chips_and_refuses_longer_ones_before_anything_runs(graph):
    system = xl.load_system("ideal")
    placement = xl.compile(graph, system, tokens_of(4, 6))
    chips = xl.program(placement, xl.SimulatedBackend(system))
    for length in (1, 5, 12):
        tokens = tokens_of(5, length)
        on_chip = xl.run(chips, tokens, batch_size=2).outputs
        assert torch.equal(on_chip, xl.run(chips, tokens, mode="integer").outputs)
    with pytest.raises(DataError, match="at most 12"):
        xl.run(chips, tokens_of(5, 13))


def test_noise_belongs_to_samples_whatever_their_length_and_batch(graph):
    """With 5 tokens and batches of 5 samples the axes cannot be told apart by their lengths."""
    system = noisy_system(read_noise=1e-6)  # S; cells reach 1e-4
    chips = xl.program(xl.compile(graph, system, tokens_of(8, 6)), xl.SimulatedBackend(system))
    tokens = tokens_of(10, 5)
    answers = [xl.run(chips, tokens, batch_size=size, probe_samples=0, seed=3).outputs for size in (1, 4, 5)]
    for other in answers[1:]:
        torch.testing.assert_close(answers[0], other, rtol=1e-3, atol=1e-4)
    assert not torch.allclose(answers[0], xl.run(chips, tokens, seed=4).outputs, rtol=1e-3, atol=1e-4)
