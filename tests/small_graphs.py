"""Small graphs, made without tracing, so that laws can try many."""

import torch

from crossloom.graph import Digital, Graph, Input, Matrix, NodeRef, TensorRef
from crossloom.windows import Window


def linear_graph(weight: torch.Tensor, bias: torch.Tensor | None = None) -> Graph:
    """x -> x W^T + b for a weight [out, in]."""
    num_outputs, num_inputs = weight.shape
    node = Matrix(
        "layer", "x", "w", None if bias is None else "b", None, 1, None, "layer", (None, num_outputs)
    )
    return _graph(Input("x", (None, num_inputs), "float32"), node, weight, bias)


def convolution_graph(
    weight: torch.Tensor,
    image: tuple[int, ...],
    window: Window,
    groups: int,
    bias: torch.Tensor | None = None,
) -> Graph:
    """A convolution with a weight [out, in / groups, *kernel] over images of shape `image`."""
    shape = (None, len(weight), *window.output_shape(image))
    node = Matrix("layer", "x", "w", None if bias is None else "b", window, groups, None, "layer", shape)
    return _graph(Input("x", (None, weight.shape[1] * groups, *image), "float32"), node, weight, bias)


def _graph(source: Input, node: Matrix, weight: torch.Tensor, bias: torch.Tensor | None) -> Graph:
    tensors = {"w": weight} if bias is None else {"w": weight, "b": bias}
    return Graph((source, node), (node.name,), True, tensors)


def chain_graph(*weights: torch.Tensor) -> Graph:
    """x -> W1 -> relu -> W2 -> relu ...: linear layers called layer1, layer2, ... with a digital relu between."""
    nodes: list = [Input("x", (None, weights[0].shape[1]), "float32")]
    for number, weight in enumerate(weights, 1):
        shape = (None, len(weight))
        layer = f"layer{number}"
        nodes.append(Matrix(layer, nodes[-1].name, f"w{number}", None, None, 1, None, layer, shape))
        if number < len(weights):
            relu = (NodeRef(layer),)
            nodes.append(Digital(f"relu{number}", "aten.relu.default", relu, (), f"act{number}", shape))
    tensors = {f"w{number}": weight for number, weight in enumerate(weights, 1)}
    return Graph(tuple(nodes), (nodes[-1].name,), True, tensors)


def diamond_graph(left: torch.Tensor, right: torch.Tensor) -> Graph:
    """(x, y) -> (x L^T + y R^T, x L^T): two inputs, two outputs, two layers that depend on neither."""
    shape = (None, len(left))
    nodes = (
        Input("x", (None, left.shape[1]), "float32"),
        Input("y", (None, right.shape[1]), "float32"),
        Matrix("left", "x", "l", None, None, 1, None, "left", shape),
        Matrix("right", "y", "r", None, None, 1, None, "right", shape),
        Digital("sum", "aten.add.Tensor", (NodeRef("left"), NodeRef("right")), (), "", shape),
    )
    return Graph(nodes, ("sum", "left"), False, {"l": left, "r": right})


def token_graph(table: torch.Tensor, weight: torch.Tensor) -> Graph:
    """Token numbers [sample, token] -> rows of a table -> a linear layer on every token."""
    nodes = (
        Input("tokens", (None, 5), "int64"),
        Digital(
            "embed",
            "aten.embedding.default",
            (TensorRef("table"), NodeRef("tokens")),
            (),
            "",
            (None, 5, table.shape[1]),
        ),
        Matrix("layer", "embed", "w", None, None, 1, None, "layer", (None, 5, len(weight))),
    )
    return Graph(nodes, ("layer",), True, {"table": table, "w": weight})


def attention_like_graph(first: torch.Tensor, second: torch.Tensor, num_tokens: int) -> Graph:
    """[sample, token, in] -> a layer on [token, sample, in] -> a layer on [token * sample, hidden] -> as it came.

    The order of axes is that of torch's multi-head attention.
    """
    num_inputs, num_hidden, num_outputs = first.shape[1], len(first), len(second)
    nodes = (
        Input("x", (None, num_tokens, num_inputs), "float32"),
        Digital("size", "aten.sym_size.int", (NodeRef("x"), 0), (), "", None),
        Digital(
            "swap",
            "aten.transpose.int",
            (NodeRef("x"), 0, 1),
            (),
            "",
            (num_tokens, None, num_inputs),
        ),
        Matrix("first", "swap", "a", None, None, 1, None, "first", (num_tokens, None, num_hidden)),
        Digital("all", "sym.mul", (NodeRef("size"), num_tokens), (), "", None),
        Digital(
            "merge",
            "aten.reshape.default",
            (NodeRef("first"), (NodeRef("all"), num_hidden)),
            (),
            "",
            (None, num_hidden),
        ),
        Matrix("second", "merge", "b", None, None, 1, None, "second", (None, num_outputs)),
        Digital(
            "split",
            "aten.reshape.default",
            (NodeRef("second"), (num_tokens, NodeRef("size"), num_outputs)),
            (),
            "",
            (num_tokens, None, num_outputs),
        ),
        Digital(
            "back",
            "aten.transpose.int",
            (NodeRef("split"), 0, 1),
            (),
            "",
            (None, num_tokens, num_outputs),
        ),
    )
    return Graph(nodes, ("back",), True, {"a": first, "b": second})
