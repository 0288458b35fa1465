"""A graph under construction, as the lowering of recurrent layers sees it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crossloom.graph.arguments import encode
from crossloom.graph.names import unique_name
from crossloom.graph.nodes import Digital, Node, NodeRef, TensorRef
from crossloom.graph.tensors import TensorStore

Reference = NodeRef | TensorRef
Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Builder:
    """What is there already, and how to add to it.

    append: adds a node of a shape.  value_of: the value that was given to one of the exporter's nodes.
    """

    store: TensorStore
    nodes: Mapping[str, Node]
    shapes: Mapping[str, Shape]
    append: Callable[[Node, Shape], NodeRef]
    value_of: Callable[[Any], Any]
    _inner: set[str] = field(default_factory=set)

    def shape(self, value: Reference) -> Shape:
        """The shape of a node's value, or of a stored tensor."""
        return self.shapes[value.name] if isinstance(value, NodeRef) else tuple(self.store[value].shape)

    def name(self, layer: str, kind: str) -> str:
        """A name that no node has, and no matrix within one."""
        return unique_name(f"{layer}.{kind}" if layer else kind, self.nodes.keys() | self._inner)

    def inner_name(self, layer: str, kind: str) -> str:
        """A name for a matrix within a node."""
        name = self.name(layer, kind)
        self._inner.add(name)
        return name

    def digital(self, layer: str, kind: str, operation: Any, args: tuple, shape: Shape | None) -> NodeRef:
        """Add one digital node."""
        node = Digital(self.name(layer, kind), str(operation), encode(args), (), layer, shape)
        return self.append(node, shape or ())
