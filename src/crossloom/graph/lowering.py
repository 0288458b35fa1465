"""From the exporter's program to the small frozen graph."""

import operator
from dataclasses import replace
from typing import Any, cast

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

from crossloom.errors import GraphError, UnsupportedOperationError
from crossloom.graph.arguments import bind_arguments, encode, map_nested, portable_arguments
from crossloom.graph.codes import CODE_OPERATIONS, FROM_CODES
from crossloom.graph.dynamic import bounds_of
from crossloom.graph.moved_shapes import MovedShapes
from crossloom.graph.moves import VALUE, Move
from crossloom.graph.names import digital_name, layer_of, matrix_name, source_of, unique_name
from crossloom.graph.nodes import (
    Digital,
    Graph,
    Input,
    Matrix,
    Node,
    NodeRef,
    StoredCodes,
    TensorRef,
    matrices_of,
)
from crossloom.graph.operations import ASSERTIONS, SIZE_OPERATORS, check_aten
from crossloom.graph.products import Product, match_product
from crossloom.graph.recurrent import Builder, check_unpacked, is_recurrent, lower_recurrent
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
        self._stored_codes: dict[str, StoredCodes] = {}
        self._builder = Builder(
            self._store, self._nodes, self._shapes, self._append, self._values.__getitem__
        )
        self._moved_shapes = MovedShapes(self._shapes, self._store)

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
            dtype = str(value.dtype).removeprefix("torch.")
            return self._append(Input(node.name, shape, dtype, bounds_of(program, value)), shape)
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
        if is_recurrent(target):
            return lower_recurrent(self._builder, node, self._translate(node.args))
        if str(target) in CODE_OPERATIONS:
            return self._codes(node, self._translate(node.args))
        if not is_aten and target is not operator.getitem and target not in _SIZE_NAMES:
            raise UnsupportedOperationError(
                f"{_operation_name(target)}{_place(node)} is no ATen operation; "
                "write it with torch's own functions, without torch.cond, loops or custom operations"
            )
        args = self._translate(node.args)
        if target is not operator.getitem:
            check_unpacked(_operation_name(target), _place(node), leaves(args))
        if is_aten:
            kwargs = {name: self._translate(value) for name, value in node.kwargs.items()}
            return self._aten(node, cast(torch._ops.OpOverload, target), args, kwargs)
        if target in _SIZE_NAMES:
            return self._size(node, _SIZE_NAMES[target], args)
        return args[0][args[1]] if isinstance(args[0], tuple) else self._digital(node, "getitem", args, {})

    def _codes(self, node: fx.Node, args: tuple) -> NodeRef | TensorRef:
        """A quantiser of the model's own; what it makes of stored codes is stored, and their step noted."""
        operation, (value, step, zero, _, highest, _) = str(node.target), args
        if not all(isinstance(operand, TensorRef) for operand in (value, step, zero)):
            return self._digital(node, operation, args, {})
        with torch.no_grad():
            found = CODE_OPERATIONS[operation](*map_nested(self._loaded, args))
        kind = "values" if operation == FROM_CODES else "codes"
        made = self._store.derive(value, f"{value.name}.{kind}", found)
        if operation == FROM_CODES:
            top = int(highest - self._store[zero].min())
            self._stored_codes[self._store.origin(made)] = StoredCodes(step.name, top)
        return made

    def _loaded(self, leaf: Any) -> Any:
        return self._store[leaf] if isinstance(leaf, TensorRef) else leaf

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
        product = match_product(target, bound, lambda source: self._shapes[source.name], self._store)
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
            if not isinstance(value, torch.Tensor):
                return value
            # What comes from one stored tensor alone keeps that one's name.
            return self._store.derive(origin, name, value) if origin else self._store.add(name, value)

        used = [leaf for leaf in leaves((args, tuple(kwargs.values()))) if isinstance(leaf, TensorRef)]
        origin = used[0] if len({self._store.origin(leaf) for leaf in used}) == 1 else None
        name = digital_name(layer_of(node), _operation_name(target), node.name)
        with torch.no_grad():
            result = target(
                *map_nested(load, args), **{key: map_nested(load, item) for key, item in kwargs.items()}
            )
            return keep(result)

    def _matrix(self, node: fx.Node, product: Product) -> NodeRef:
        layer, bias = layer_of(node), product.bias
        name = unique_name(matrix_name(layer, self._store.origin(product.weight), node.name), self._nodes)
        source = self._move(product.before, product.source, name, layer)
        matrix = Matrix(
            name,
            source.name,
            product.weight.name,
            bias and bias.name,
            product.window,
            product.groups,
            None,
            layer,
            (),
        )
        moves = product.before or product.after
        shape = self._moved_shapes.after_matrix(matrix) if moves else _shape(node.meta["val"])
        codes = self._stored_codes.get(self._store.origin(product.weight))
        value = self._append(replace(matrix, shape=shape, codes=codes), shape)
        return self._move(product.after, value, name, layer)

    def _move(self, moves: tuple[Move, ...], value: NodeRef, host: str, layer: str) -> NodeRef:
        """The nodes of digital operations around the matrix `host`."""
        for move in moves:
            shape = self._moved_shapes.after_move(move, value)
            args = map_nested(lambda leaf, value=value: value if leaf is VALUE else leaf, move.args)
            name, kwargs = unique_name(f"{host}.{move.name}", self._nodes), tuple(move.kwargs.items())
            value = self._append(
                Digital(name, str(move.operation), encode(args), kwargs, layer, shape), shape
            )
        return value

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
        weights = {name for node in nodes if matrices_of(node) for name in tensor_references(node)}
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
    return (f" in layer {layer!r}" if layer else " in the model's own forward") + source_of(node)


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
