"""From the exporter's program to the small frozen graph."""

import operator
from typing import Any, cast

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

from crossloom.errors import GraphError, UnsupportedOperationError
from crossloom.graph.arguments import bind_arguments, encode, map_nested, portable_arguments
from crossloom.graph.names import digital_name, layer_of, matrix_name, unique_name
from crossloom.graph.nodes import Digital, Graph, Input, Matrix, Node, NodeRef, TensorRef
from crossloom.graph.operations import ASSERTIONS, SIZE_OPERATORS, check_aten
from crossloom.graph.products import Product, match_product
from crossloom.graph.references import leaves, tensor_references
from crossloom.graph.tensors import TensorStore

aten = torch.ops.aten
Shape = tuple[int | None, ...]

_SIZE_NAMES: dict[Any, str] = {function: name for name, function in SIZE_OPERATORS.items()}
_CASTS = {aten._to_copy.default, aten.to.dtype, aten.to.device, aten.to.dtype_layout, aten.type_as.default}
# A reshape does what a view does, wherever the input lies in memory: a chip's outputs may lie elsewhere.
_RENAMED = {aten.view.default: aten.reshape.default, aten._unsafe_view.default: aten.reshape.default}
_FREE_FOLD = 1 << 20


def lower(program: ExportedProgram) -> Graph:
    """The graph of a functional exported program.

    Expressions of stored tensors alone (a transposed weight, weight normalisation, masks) are computed here.

    Raises:
        UnsupportedOperationError: an operation outside ATen, control flow, or a buffer that is written.
        GraphError: a weight holds NaN or infinity, or an output is no tensor.
    """
    return _Lowering(program).run()


class _Lowering:
    """One pass over the program; `_values` gives each node a reference, a number or a tuple of them."""

    def __init__(self, program: ExportedProgram) -> None:
        self._program = program
        self._store = TensorStore()
        self._values: dict[fx.Node, Any] = {}
        self._nodes: dict[str, Node] = {}
        self._shapes: dict[str, Shape] = {}
        self._parameters: set[str] = set()

    def run(self) -> Graph:
        _refuse_mutations(self._program)
        specs = {spec.arg.name: spec for spec in self._program.graph_signature.input_specs}
        for node in self._program.graph.nodes:
            if node.op == "placeholder":
                self._values[node] = self._placeholder(node, specs[node.name])
            elif node.op == "call_function":
                self._values[node] = self._call(node)
        return self._finish()

    def _placeholder(self, node: fx.Node, spec: Any) -> NodeRef | TensorRef:
        program = self._program
        if spec.kind is InputKind.USER_INPUT:
            value = node.meta.get("val")
            if not isinstance(value, torch.Tensor):
                raise GraphError(
                    f"inputs must be tensors, but {node.name!r} is {value!r}; bind it in the model"
                )
            shape = _shape(value)
            return self._append(Input(node.name, shape, str(value.dtype).removeprefix("torch.")), shape)
        if spec.kind not in (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR):
            raise UnsupportedOperationError(
                f"the model takes {node.name!r}, a {spec.kind.name}; need tensors"
            )
        stored = {**program.state_dict, **program.constants}[spec.target]
        assert isinstance(stored, torch.Tensor)
        reference = self._store.add(spec.target, stored)
        if spec.kind is InputKind.PARAMETER:
            self._parameters.add(reference.name)
        return reference

    def _call(self, node: fx.Node) -> Any:
        target = node.target
        is_aten = isinstance(target, torch._ops.OpOverload) and target.namespace == "aten"
        if not is_aten and target is not operator.getitem and target not in _SIZE_NAMES:
            raise UnsupportedOperationError(
                f"{_operation_name(target)}{_place(node)} is no ATen operation; "
                "write it with torch's own functions, without torch.cond, loops or custom operations"
            )
        args = self._translate(node.args)
        if is_aten:
            kwargs = {name: self._translate(value) for name, value in node.kwargs.items()}
            return self._aten(node, cast(torch._ops.OpOverload, target), args, kwargs)
        if target in _SIZE_NAMES:
            return self._size(node, _SIZE_NAMES[target], args)
        return args[0][args[1]] if isinstance(args[0], tuple) else self._digital(node, "getitem", args, {})

    def _aten(self, node: fx.Node, target: torch._ops.OpOverload, args: tuple, kwargs: dict[str, Any]) -> Any:
        if target._schema.name.removeprefix("aten::") in ASSERTIONS:
            return None
        try:
            check_aten(target)
        except UnsupportedOperationError as error:
            raise UnsupportedOperationError(f"{error} ({_place(node).strip()})") from None
        if self._is_constant(node, target, args, kwargs):
            return self._fold(node, target, args, kwargs)
        if target in _CASTS and _dtype(node) == _dtype(node.args[0]):
            return args[0]
        bound = bind_arguments(target, args, kwargs)
        product = match_product(target, bound, lambda source: len(self._shapes[source.name]), self._store)
        if product:
            return self._matrix(node, product)
        if target is aten._native_batch_norm_legit_no_training.default:
            normalise = (*args[:5], False, *args[5:], False)
            return self._digital(node, "aten.batch_norm.default", normalise, {}), None, None
        target = _RENAMED.get(target, target)
        return self._digital(node, str(target), *portable_arguments(target, args, kwargs))

    def _size(self, node: fx.Node, name: str, args: tuple) -> Any:
        if not any(isinstance(leaf, NodeRef) for leaf in leaves(args)):
            return SIZE_OPERATORS[name](*args)
        return self._digital(node, f"sym.{name}", args, {})

    def _is_constant(
        self, node: fx.Node, target: torch._ops.OpOverload, args: tuple, kwargs: dict[str, Any]
    ) -> bool:
        """Whether a call depends on stored tensors alone, and its result is not much larger than these."""
        used = list(leaves((args, tuple(kwargs.values()))))
        if (
            any(isinstance(leaf, NodeRef) for leaf in used)
            or torch.Tag.nondeterministic_seeded in target.tags
        ):
            return False
        size = sum(self._store[leaf].numel() for leaf in used if isinstance(leaf, TensorRef))
        value = node.meta.get("val")
        results = value if isinstance(value, tuple | list) else (value,)
        return sum(item.numel() for item in results if isinstance(item, torch.Tensor)) <= max(
            size, _FREE_FOLD
        )

    def _fold(self, node: fx.Node, target: torch._ops.OpOverload, args: tuple, kwargs: dict[str, Any]) -> Any:
        def load(leaf: Any) -> Any:
            return self._store[leaf] if isinstance(leaf, TensorRef) else leaf

        def keep(value: Any) -> Any:
            if isinstance(value, tuple | list):
                return tuple(keep(item) for item in value)
            return self._store.add(name, value) if isinstance(value, torch.Tensor) else value

        name = digital_name(layer_of(node), _operation_name(target), node.name)
        with torch.no_grad():
            return keep(
                target(
                    *map_nested(load, args), **{key: map_nested(load, item) for key, item in kwargs.items()}
                )
            )

    def _matrix(self, node: fx.Node, product: Product) -> NodeRef:
        layer, shape = layer_of(node), _shape(node.meta["val"])
        name = unique_name(matrix_name(layer, product.weight.name, node.name), self._nodes)
        source = product.source.name
        if product.pad:
            source = self._pad(product, f"{name}.pad", layer)
        bias = product.bias.name if product.bias else None
        return self._append(
            Matrix(
                name, source, product.weight.name, bias, product.window, product.groups, None, layer, shape
            ),
            shape,
        )

    def _pad(self, product: Product, name: str, layer: str) -> str:
        assert product.pad is not None
        around = [left + right for left, right in zip(product.pad[::2], product.pad[1::2], strict=True)]
        before = self._shapes[product.source.name]
        grown = zip(before[2:], reversed(around), strict=True)
        shape = (*before[:2], *(None if size is None else size + more for size, more in grown))
        name, args = unique_name(name, self._nodes), (product.source, product.pad, 0.0)
        self._append(Digital(name, "aten.constant_pad_nd.default", args, (), layer, shape), shape)
        return name

    def _digital(self, node: fx.Node, operation: str, args: tuple, kwargs: dict[str, Any]) -> NodeRef:
        layer, value = layer_of(node), node.meta.get("val")
        if operation == "aten.batch_norm.default" and isinstance(value, tuple | list):
            value = value[0]
        name = unique_name(digital_name(layer, _short(operation), node.name), self._nodes)
        shape = _shape(value) if isinstance(value, torch.Tensor) else None
        encoded = tuple((key, encode(item)) for key, item in kwargs.items())
        return self._append(Digital(name, operation, encode(args), encoded, layer, shape), shape or ())

    def _append(self, node: Node, shape: Shape) -> NodeRef:
        self._nodes[node.name], self._shapes[node.name] = node, shape
        return NodeRef(node.name)

    def _translate(self, value: Any) -> Any:
        return map_nested(lambda leaf: self._values[leaf] if isinstance(leaf, fx.Node) else leaf, value)

    def _finish(self) -> Graph:
        outputs = tuple(self._output(value) for value in self._user_outputs() if value is not None)
        nodes = tuple(self._nodes.values())
        used = [name for node in nodes for name in tensor_references(node)]
        tensors = self._store.own(used)
        weights = {name for node in nodes if isinstance(node, Matrix) for name in tensor_references(node)}
        for name, tensor in tensors.items():
            _check_finite(name, tensor, may_be_infinite=name not in weights | self._parameters)
        spec = self._program.call_spec.out_spec
        return Graph(nodes, outputs, bool(spec and spec.is_leaf()), tensors)

    def _user_outputs(self) -> list[Any]:
        written = next(node for node in self._program.graph.nodes if node.op == "output")
        specs = self._program.graph_signature.output_specs
        pairs = zip(specs, written.args[0], strict=True)
        return [self._translate(value) for spec, value in pairs if spec.kind is OutputKind.USER_OUTPUT]

    def _output(self, value: Any) -> str:
        if isinstance(value, TensorRef):
            name, shape = unique_name("output", self._nodes), tuple(self._store[value].shape)
            value = self._append(Digital(name, "aten.clone.default", (value,), (), "", shape), shape)
        is_tensor = isinstance(value, NodeRef) and not (
            isinstance(node := self._nodes[value.name], Digital) and node.shape is None
        )
        if not is_tensor:
            raise GraphError(
                f"outputs must be tensors, the model also gives {_describe(value)}; return tensors only"
            )
        return value.name


def _shape(value: torch.Tensor) -> Shape:
    return tuple(size if isinstance(size, int) else size.node.maybe_as_int() for size in value.shape)


def _dtype(node: Any) -> torch.dtype | None:
    value = node.meta.get("val") if isinstance(node, fx.Node) else None
    return value.dtype if isinstance(value, torch.Tensor) else None


def _operation_name(target: Any) -> str:
    if isinstance(target, torch._ops.OpOverload):
        return target._schema.name.removeprefix("aten::") if target.namespace == "aten" else str(target)
    return getattr(target, "__name__", None) or str(target)


def _short(operation: str) -> str:
    return operation.split(".")[1] if "." in operation else operation


def _place(node: fx.Node) -> str:
    layer = layer_of(node)
    return f" in layer {layer!r}" if layer else " in the model's own forward"


def _describe(value: Any) -> str:
    return f"the size {value.name!r}" if isinstance(value, NodeRef) else repr(value)


def _refuse_mutations(program: ExportedProgram) -> None:
    written = sorted(program.graph_signature.buffers_to_mutate.values())
    if written:
        raise UnsupportedOperationError(
            f"the model writes into its buffer {written[0]!r} when it runs; a graph has no memory: "
            "return the new value as an output, or put the model into eval mode before exporting it"
        )


def _check_finite(name: str, tensor: torch.Tensor, may_be_infinite: bool) -> None:
    if not tensor.is_floating_point():
        return
    bad = tensor.isnan() if may_be_infinite else ~tensor.isfinite()
    if bad.any():
        raise GraphError(
            f"tensor {name!r} must be finite, but {int(bad.sum())} of its {tensor.numel()} values are NaN or "
            "infinite; train or load the model again"
        )
