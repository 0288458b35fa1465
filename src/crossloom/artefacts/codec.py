"""Frozen values to JSON and tensors, and back. Only classes marked with `saved` are ever made."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any, TypeVar

import torch

from crossloom.errors import ArtefactError

C = TypeVar("C", bound=type)
_CLASSES: dict[str, type] = {}


def saved(cls: C) -> C:
    """Mark a frozen dataclass, named tuple or pydantic model as part of artefacts, under its own name."""
    if _CLASSES.setdefault(cls.__name__, cls) is not cls:
        raise ArtefactError(f"two classes are called {cls.__name__}; give one of them another name")
    return cls


class Encoder:
    """Turns a value into plain JSON data; the tensors that it meets gather in `tensors`."""

    def __init__(self) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self._names: dict[int, tuple[str, torch.Tensor]] = {}

    def encode(self, value: Any) -> Any:
        if isinstance(value, float) and not isfinite(value):
            return {"$float": str(value)}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, torch.Tensor):
            return {"$tensor": self._store(value)}
        if type(value).__name__ in _CLASSES:
            return {"$type": type(value).__name__, "fields": self._encode_fields(value)}
        if isinstance(value, tuple | list):
            return [self.encode(item) for item in value]
        if isinstance(value, Mapping):
            return {"$map": [[self.encode(key), self.encode(item)] for key, item in value.items()]}
        raise ArtefactError(f"a {type(value).__name__} cannot be saved")

    def _encode_fields(self, value: Any) -> dict[str, Any]:
        if is_dataclass(value):
            return {
                field.name: self.encode(getattr(value, field.name)) for field in fields(value) if field.init
            }
        if isinstance(value, tuple):
            return {name: self.encode(item) for name, item in value._asdict().items()}  # type: ignore[attr-defined]
        return value.model_dump(mode="json")

    def _store(self, tensor: torch.Tensor) -> str:
        """The name under which a tensor is kept; one that comes twice is kept once."""
        if id(tensor) not in self._names:
            name = f"t{len(self.tensors)}"
            self._names[id(tensor)] = (name, tensor)  # holds the tensor, so that no other takes its id
            self.tensors[name] = tensor.detach().to("cpu").contiguous().clone()
        return self._names[id(tensor)][0]


def decoder(tensors: Mapping[str, torch.Tensor]) -> Callable[[Any], Any]:
    """The inverse of `Encoder.encode`; sequences come back as tuples."""

    def decode(data: Any) -> Any:
        if isinstance(data, list):
            return tuple(decode(item) for item in data)
        if not isinstance(data, dict):
            return data
        if "$tensor" in data:
            return tensors[data["$tensor"]]
        if "$float" in data:
            return float(data["$float"])
        if "$map" in data:
            return {decode(key): decode(item) for key, item in data["$map"]}
        return make(data["$type"], data["fields"])

    def make(name: str, plain: dict[str, Any]) -> Any:
        cls = _CLASSES.get(name)
        if cls is None:
            raise ArtefactError(f"holds a {name}, which this version does not know")
        parse = getattr(cls, "parse", None)
        return parse(plain) if parse else cls(**{key: decode(item) for key, item in plain.items()})

    return decode
