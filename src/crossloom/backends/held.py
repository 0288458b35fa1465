"""How much memory values hold in tensors."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch


def held_bytes(value: Any, beside: Any = None) -> int:
    """Bytes of all pieces of memory that tensors in `value` lie in, each counted once; not those of `beside`."""
    known = {storage.data_ptr() for storage in _storages(beside)}
    found = {storage.data_ptr(): storage.nbytes() for storage in _storages(value)}
    return sum(number for place, number in found.items() if place not in known)


def _storages(value: Any) -> Iterator[torch.UntypedStorage]:
    if isinstance(value, torch.Tensor):
        yield value.untyped_storage()
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _storages(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _storages(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _storages(getattr(value, field.name))
