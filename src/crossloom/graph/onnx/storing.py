"""The module's parameters and buffers: which constants they hold, and under which names."""

from collections.abc import Mapping

import torch

from crossloom.graph.onnx.names import fits_role, is_module_like, module_path, parent_of, words_of
from crossloom.graph.onnx.steps import OnnxFile, Stored

_BUFFER_ROLES = ("running_mean", "running_var")


class Store:
    """Constants as they get stored: each once, under a unique name.

    Names come from the file's initialisers where they read like a module's parameters, else from the layer
    and the role of the weight.
    """

    def __init__(self, file: OnnxFile) -> None:
        self._origins: Mapping[str, str] = file.origins
        self._names: dict[tuple[str, str], str] = {}
        self._reserved = {module_path(name) for name in file.constants if is_module_like(name)}
        self.parameters: dict[str, torch.Tensor] = {}
        self.buffers: dict[str, torch.Tensor] = {}

    def keep(self, constant: str, tensor: torch.Tensor, layer: str, role: str, form: str = "") -> Stored:
        """Store a constant, or find it: the same constant in the same form is stored once."""
        key = (constant, form)
        if key not in self._names:
            self._names[key] = self._unique(self._wanted_name(constant, layer, role), constant)
            holder = self.parameters if self._is_parameter(constant, tensor, role) else self.buffers
            holder[self._names[key]] = tensor
        return Stored(self._names[key])

    def _is_parameter(self, constant: str, tensor: torch.Tensor, role: str) -> bool:
        """Weights and floating initialisers are parameters; statistics and results of folding are not."""
        if role in _BUFFER_ROLES or not tensor.is_floating_point():
            return False
        return bool(role) or (constant in self._origins and tensor.dim() > 0)

    def _wanted_name(self, constant: str, layer: str, role: str) -> str:
        """The constant's or its initialiser's own name, if it fits the role; else made of path and role."""
        origin = self._origins.get(constant, constant)
        known = [name for name in (constant, origin) if is_module_like(name)]
        fitting = [name for name in known if fits_role(name, role)]
        if fitting:
            return fitting[0]
        path = parent_of(known[0]) if known else layer
        if path and role:
            return f"{path}.{role}"
        return words_of(origin if constant in self._origins or not path else f"{path}.{constant}")

    def _unique(self, name: str, constant: str) -> str:
        """The name, changed where a module or another tensor has it, or another constant's own name is it."""
        name = module_path(name)
        reserved = self._reserved - {module_path(constant), module_path(self._origins.get(constant, ""))}
        candidate, count = name, 1
        while candidate in reserved or self._clashes(candidate):
            candidate, count = f"{name}_{count}", count + 1
        return candidate

    def _clashes(self, name: str) -> bool:
        """Whether the name is taken, is a module's path, or passes through a tensor's name."""
        taken = (*self.parameters, *self.buffers)
        return any(
            other == name or other.startswith(f"{name}.") or name.startswith(f"{other}.") for other in taken
        )
