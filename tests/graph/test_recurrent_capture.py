"""Recurrent layers of torch.nn, traced: whole, with their names, with dynamic time and with packed sequences."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from crossloom.errors import UnsupportedOperationError
from crossloom.graph import Digital, Graph, Recurrence, interpret, measure_shapes, simplify, trace
from crossloom.graph.recurrent import CELLS


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def check(model: nn.Module, inputs: tuple[torch.Tensor, ...], example: int = 2, **options) -> Graph:
    """The graph of a model, which gives for `inputs` what the model does; traced with the first few samples."""
    model = model.eval()
    graph = simplify(trace(model, tuple(part[:example] for part in inputs), **options))
    with torch.no_grad():
        wanted = model(*inputs)
    for ours, theirs in zip(interpret(graph, inputs), torch.utils._pytree.tree_leaves(wanted), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    return graph


class Model(nn.Module):
    """Everything that a recurrent layer gives, samples in front."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.rnn = layer

    def forward(self, x: torch.Tensor, *start: torch.Tensor):
        first = tuple(part.transpose(0, 1).contiguous() for part in start)
        given = x if self.rnn.batch_first else x.transpose(0, 1)
        outputs, ends = self.rnn(given, (first if self.rnn.mode == "LSTM" else first[0]) if first else None)
        outputs = outputs if self.rnn.batch_first else outputs.transpose(0, 1)
        ends = ends if isinstance(ends, tuple) else (ends,)
        return outputs, *(end.transpose(0, 1) for end in ends)


LAYERS = {
    "lstm": nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True, dropout=0.5, proj_size=2),
    "gru": nn.GRU(3, 4, bias=False),
    "rnn": nn.RNN(3, 4, 2, nonlinearity="relu", bidirectional=True),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_matrices_named_after_its_weights(name):
    layer = LAYERS[name]
    graph = check(Model(layer), (normal(5, 6, 3),))
    found = {node.name for node in graph.matrices}
    assert found == {
        f"rnn.{key.removeprefix('weight_')}" for key in dict(layer.named_parameters()) if "weight" in key
    }
    assert all(node.weight == f"rnn.weight_{node.name.removeprefix('rnn.')}" for node in graph.matrices)
    assert not [node.name for node in graph.nodes if isinstance(node, Digital) and "zeros" in node.operation]
    steps = {node.name: measure_shapes(graph)[node.name] for node in graph.matrices}
    assert all(set(shape[:2]) == {1, 6} for shape in steps.values())


def test_first_states_come_from_where_the_model_takes_them():
    layer = LAYERS["lstm"]
    graph = check(Model(layer), (normal(5, 6, 3), normal(5, 4, 2), normal(5, 4, 4)))
    starts = [node.start for node in graph.nodes if isinstance(node, Recurrence)]
    assert len(starts) == 4
    assert all(None not in start for start in starts)


def test_time_may_be_dynamic():
    layer = nn.LSTM(3, 4, batch_first=True)
    graph = check(Model(layer), (normal(5, 6, 3),), dynamic={"x": {1: 20}})
    x = normal(4, 19, 3)
    torch.testing.assert_close(interpret(graph, (x,))[0], layer(x)[0].detach(), rtol=1e-4, atol=1e-5)


def test_a_sequence_without_a_batch_runs():
    class Single(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 4, bidirectional=True)

        def forward(self, x: torch.Tensor, start: torch.Tensor):
            return self.rnn(x[0], start[0])

    check(Single(), (normal(2, 6, 3), normal(2, 2, 4)))


@pytest.mark.parametrize(
    "cell", [nn.LSTMCell(3, 4), nn.GRUCell(3, 4), nn.RNNCell(3, 4), nn.RNNCell(3, 4, False, "relu")], ids=repr
)
def test_cells_are_layers_of_one_step(cell):
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = cell

        def forward(self, x: torch.Tensor):
            state = None
            for step in x.unbind(1):
                state = self.cell(step, state)
            return state

    graph = check(Loop(), (normal(5, 3, 3),))
    kinds = {node.cell for node in graph.nodes if isinstance(node, Recurrence)}
    assert len(kinds) == 1
    assert kinds < CELLS.keys()
    assert {node.weight for node in graph.matrices} == {"cell.weight_ih", "cell.weight_hh"}


class Packing(nn.Module):
    """Packed sequences through a layer, and out again."""

    def __init__(
        self, layer: nn.RNNBase, is_sorted: bool, total: int | None = None, padding: float = 0.0
    ) -> None:
        super().__init__()
        self.rnn, self.is_sorted, self.total, self.padding = layer, is_sorted, total, padding

    def forward(self, x: torch.Tensor, lengths: torch.Tensor):
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=self.is_sorted)
        packed, ends = self.rnn(packed)
        total = self.total or x.shape[1]
        outputs = pad_packed_sequence(
            packed, batch_first=self.rnn.batch_first, padding_value=self.padding, total_length=total
        )
        return *outputs, ends


@pytest.mark.parametrize(
    ("is_sorted", "total", "padding"),
    [(True, None, 0.0), (False, None, -1.0), (False, 9, 2.0), (True, 5, 0.0)],
)
def test_packed_sequences_give_what_torch_gives(is_sorted, total, padding):
    lengths = torch.tensor([5, 5, 4, 3, 1]) if is_sorted else torch.tensor([2, 5, 1, 5, 4])
    layer = nn.LSTM(3, 4, 2, bidirectional=True, batch_first=total == 9)
    graph = check(Packing(layer, is_sorted, total, padding), (normal(5, 6, 3), lengths))
    recurrences = [node for node in graph.nodes if isinstance(node, Recurrence)]
    assert len(recurrences) == 4
    # Samples stay in their places: noise belongs to samples, whatever order torch packs them in.
    assert {node.lengths.name for node in recurrences} == {"lengths"}


def test_packed_sequences_may_have_a_dynamic_length():
    inputs = (normal(5, 6, 3), torch.tensor([2, 6, 1, 5, 4]))
    check(Packing(nn.GRU(3, 4), False), inputs, dynamic={"x": {1: 12}})


def test_the_length_of_what_is_unpacked_must_not_depend_on_data():
    class Unpacking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 4, batch_first=True)

        def forward(self, x: torch.Tensor, lengths: torch.Tensor):
            packed = pack_padded_sequence(x, lengths, batch_first=True)
            return pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0]

    with pytest.raises(
        UnsupportedOperationError, match=r"write pad_packed_sequence\(..., total_length=x.shape\[1\]\)"
    ):
        trace(Unpacking(), (normal(2, 6, 3), torch.tensor([5, 2])))


def test_packed_sequences_are_not_taken_apart():
    class Apart(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 4, batch_first=True)

        def forward(self, x: torch.Tensor, lengths: torch.Tensor):
            packed = pack_padded_sequence(x, lengths, batch_first=True)
            packed = PackedSequence(torch.relu(packed.data), *packed[1:])
            return self.rnn(packed)[1]

    with pytest.raises(
        UnsupportedOperationError, match=r"relu in the model's own forward.* takes a packed sequence"
    ):
        trace(Apart(), (normal(2, 6, 3), torch.tensor([5, 2])))


def test_weights_that_are_computed_leave_the_layer_digital():
    class Computed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 4, batch_first=True)

        def forward(self, x: torch.Tensor):
            scale = x.abs().mean()
            weights = [weight * scale for weight in self.rnn._flat_weights]
            return torch.gru(x, x.new_zeros(1, x.shape[0], 4), weights, True, 1, 0.0, False, False, True)

    graph = check(Computed(), (normal(5, 6, 3),))
    assert not graph.matrices
    assert [node.operation for node in graph.nodes if "crossloom" in getattr(node, "operation", "")] == [
        "crossloom.layers.default"
    ]


def test_an_exported_program_is_read_as_well():
    model = Model(nn.LSTM(3, 4, batch_first=True)).eval()
    x = normal(5, 6, 3)
    program = torch.export.export(model, (x,), strict=False)
    graph = simplify(trace(program, x))
    assert [node.name for node in graph.matrices] == ["rnn.ih_l0", "rnn.hh_l0"]
    torch.testing.assert_close(interpret(graph, (x,))[0], model(x)[0].detach(), rtol=1e-4, atol=1e-5)


def test_tracing_leaves_the_model_as_it_was():
    model = Model(nn.LSTM(3, 4, batch_first=True)).train()
    trace(model, normal(2, 6, 3))
    assert model.training
    assert "forward" not in vars(model.rnn)


def test_a_graph_with_recurrences_can_be_saved(tmp_path):
    graph = check(Model(LAYERS["gru"]), (normal(5, 6, 3),))
    graph.save(tmp_path / "graph")
    again = Graph.load(tmp_path / "graph")
    assert again.nodes == graph.nodes
    x = normal(5, 6, 3)
    assert all(
        torch.equal(*pair) for pair in zip(interpret(graph, (x,)), interpret(again, (x,)), strict=True)
    )
