"""Graphs of recurrent layers, made without tracing, so that laws can try many."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from crossloom.graph import Digital, Graph, Input, Node, NodeRef
from crossloom.graph.recurrent import Builder, layers, lower_recurrent
from crossloom.graph.references import tensor_references
from crossloom.graph.tensors import TensorStore

KINDS: dict[str, Any] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn_tanh": nn.RNN, "rnn_relu": nn.RNN}


@dataclass(frozen=True)
class Case:
    """A recurrent layer of torch, and what runs through it."""

    module: nn.RNNBase
    num_samples: int
    num_steps: int
    has_start: bool
    has_lengths: bool
    seed: int

    @property
    def inputs(self) -> tuple[torch.Tensor, ...]:
        """Sequences [sample, time, in]; then lengths [sample]; then first states [sample, layer, size]."""
        module, generator = self.module, torch.Generator().manual_seed(self.seed)
        source = torch.randn(self.num_samples, self.num_steps, module.input_size, generator=generator)
        lengths = torch.randint(1, self.num_steps + 1, (self.num_samples,), generator=generator)
        number = module.num_layers * (2 if module.bidirectional else 1)
        sizes = (module.proj_size or module.hidden_size, module.hidden_size)
        start = [torch.randn(self.num_samples, number, size, generator=generator) for size in sizes]
        start = start if module.mode == "LSTM" else start[:1]
        return (source, *([lengths] if self.has_lengths else []), *(start if self.has_start else []))

    def wanted(self) -> tuple[torch.Tensor, ...]:
        """What torch gives, everything with samples in front."""
        source, *rest = self.inputs
        lengths = rest.pop(0) if self.has_lengths else None
        start: Any = tuple(part.transpose(0, 1).contiguous() for part in rest) or None
        if start is not None and self.module.mode != "LSTM":
            start = start[0]
        given: Any = source if self.module.batch_first else source.transpose(0, 1)
        if lengths is not None:
            given = pack_padded_sequence(source, lengths, batch_first=True, enforce_sorted=False)
        with torch.no_grad():
            outputs, ends = self.module(given, start)
        if lengths is not None:
            outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=self.num_steps)
        elif not self.module.batch_first:
            outputs = outputs.transpose(0, 1)
        ends = ends if isinstance(ends, tuple) else (ends,)
        return (outputs, *(end.transpose(0, 1) for end in ends))

    def graph(self) -> Graph:
        """The layer's graph, with the inputs and outputs of this case."""
        return recurrent_graph(
            self.module.mode.lower(),
            [weight.detach() for weight in self.module._flat_weights],
            self.inputs,
            has_lengths=self.has_lengths,
            num_layers=self.module.num_layers,
            direction="both" if self.module.bidirectional else "forward",
            time_axis=int(self.module.batch_first),
        )


def make_case(
    kind: str,
    sizes: tuple[int, int] = (3, 4),
    num_samples: int = 3,
    num_steps: int = 5,
    has_start: bool = False,
    has_lengths: bool = False,
    seed: int = 0,
    **options: Any,
) -> Case:
    """A case with random weights, about as large as they are in layers that have learned."""
    if kind.startswith("rnn"):
        options["nonlinearity"] = kind.removeprefix("rnn_")
    module = KINDS[kind](*sizes, **options).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.6)
    return Case(module, num_samples, num_steps, has_start, has_lengths, seed)


def recurrent_graph(
    cell: str,
    weights: list[torch.Tensor],
    inputs: tuple[torch.Tensor, ...],
    has_lengths: bool = False,
    num_layers: int = 1,
    direction: str = "forward",
    time_axis: int = 1,
) -> Graph:
    """Inputs with samples in front, the layers, and outputs with samples in front again."""
    nodes: dict[str, Node] = {}
    shapes: dict[str, tuple[int | None, ...]] = {}
    store = TensorStore()

    def append(node: Node, shape: tuple[int | None, ...]) -> NodeRef:
        nodes[node.name], shapes[node.name] = node, shape
        return NodeRef(node.name)

    def turned(value: NodeRef) -> NodeRef:
        first, second, *rest = shapes[value.name]
        node = Digital(
            f"{value.name}.turned",
            "aten.transpose.int",
            (value, 0, 1),
            (),
            "",
            (second, first, *rest),
        )
        return append(node, node.shape or ())

    names = ["x", *(["lengths"] if has_lengths else []), "hidden0", "cell0"]
    given = []
    for name, tensor in zip(names, inputs, strict=False):
        shape = (None, *tensor.shape[1:])
        given.append(append(Input(name, shape, str(tensor.dtype).removeprefix("torch.")), shape))
    source, *rest = given
    lengths = rest.pop(0) if has_lengths else None
    source = source if time_axis else turned(source)
    builder = Builder(store, nodes, shapes, append, lambda _: None)
    held = [store.add(f"weight{number}", weight) for number, weight in enumerate(weights)]
    call = fx.Graph().call_function(torch.ops.crossloom.layers.default)
    states = [turned(state) for state in rest]
    found = lower_recurrent(
        builder, call, (source, lengths, states, held, cell, num_layers, direction, time_axis)
    )
    outputs = [found[0] if time_axis else turned(found[0])]
    outputs += [turned(end) for end in found[1:] if end is not None]
    used = [name for node in nodes.values() for name in tensor_references(node)]
    return Graph(tuple(nodes.values()), tuple(value.name for value in outputs), False, store.own(used))


def with_first_output(graph: Graph) -> Graph:
    """The same graph, giving the outputs of all steps alone."""
    return replace(graph, outputs=graph.outputs[:1], single_output=True)


def eager(case: Case) -> tuple[torch.Tensor, ...]:
    """What `crossloom::layers` gives without any graph."""
    source, *rest = case.inputs
    lengths = rest.pop(0) if case.has_lengths else None
    time_axis = int(case.module.batch_first)
    outputs, *ends = layers(
        source if time_axis else source.transpose(0, 1),
        lengths,
        [state.transpose(0, 1) for state in rest],
        [weight.detach() for weight in case.module._flat_weights],
        case.module.mode.lower(),
        case.module.num_layers,
        "both" if case.module.bidirectional else "forward",
        time_axis,
    )
    ends = [end.transpose(0, 1) for end in ends if end.numel()]
    return (outputs if time_axis else outputs.transpose(0, 1), *ends)
