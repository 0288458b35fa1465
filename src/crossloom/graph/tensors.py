"""Stored tensors of a graph under construction: one entry per piece of memory, however many names it has."""

from collections.abc import Iterable

import torch

from crossloom.errors import GraphError
from crossloom.graph.names import unique_name
from crossloom.graph.nodes import TensorRef


class TensorStore:
    """Collects the tensors that a model holds and gives every distinct one a name."""

    def __init__(self) -> None:
        self._tensors: dict[str, torch.Tensor] = {}
        self._names: dict[tuple, str] = {}
        self._origins: dict[str, str] = {}

    def add(self, name: str, tensor: torch.Tensor) -> TensorRef:
        """Store `tensor` under `name`; tied tensors (same memory, same view) share their first name."""
        if tensor.layout is not torch.strided:
            raise GraphError(f"tensor {name!r} is {tensor.layout}; need a dense one, use .to_dense()")
        tensor = tensor.detach()
        key = (tensor.data_ptr(), tensor.dtype, tensor.device, tensor.shape, tensor.stride())
        if not tensor.numel():
            key = (name,)
        if key not in self._names:
            self._names[key] = unique_name(name, self._tensors)
            self._tensors[self._names[key]] = tensor
        return TensorRef(self._names[key])

    def derive(self, reference: TensorRef, name: str, tensor: torch.Tensor) -> TensorRef:
        """Store what was computed from one other tensor alone."""
        derived = self.add(name, tensor)
        if derived != reference:
            self._origins.setdefault(derived.name, self.origin(reference))
        return derived

    def origin(self, reference: TensorRef) -> str:
        """The name of the tensor that this one was derived from; its own for all others."""
        return self._origins.get(reference.name, reference.name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all stored tensors."""
        return tuple(self._tensors)

    def __getitem__(self, reference: TensorRef) -> torch.Tensor:
        return self._tensors[reference.name]

    def own(self, names: Iterable[str]) -> dict[str, torch.Tensor]:
        """Contiguous copies of these tensors, so that training the model leaves the graph as it is."""
        return {
            name: self._tensors[name].clone(memory_format=torch.contiguous_format)
            for name in dict.fromkeys(names)
        }
