"""What tells one tuning from another: the chips, the data and the choices that its figures hang on."""

import hashlib

import torch

from crossloom.programming import Corrections, ProgrammedChips, Strategy
from crossloom.search.tuning.samples import Part


def name_tuning(chips: ProgrammedChips, tuned: Part, reference: str, strategy: Strategy, seed: int) -> str:
    """A name for a search on these chips with these samples: other ones have other figures at the same point."""
    parts = [*tuned.samples, *([] if tuned.labels is None else [tuned.labels])]
    data = hashlib.blake2b(b"".join(_bytes(part) for part in parts), digest_size=8).hexdigest()
    held, measured = chips.digests
    choices = f"{held} {_digest(chips.corrections)} {reference} {strategy!r}"
    rest = hashlib.blake2b(choices.encode(), digest_size=8).hexdigest()
    return f"chips {measured}, data {data}, seed {seed}, mapping and choices {rest}"


def _digest(corrections: Corrections | None) -> str:
    if corrections is None:
        return "none"
    found = hashlib.blake2b(digest_size=8)
    for name, layer in sorted(corrections.layers.items()):
        found.update(name.encode())
        for number, tile in sorted(layer.tiles.items()):
            found.update(f"{number} {tile.integration_time} {tile.read_voltage}".encode())
            tensors = (tile.gain, tile.offset)
            found.update(b"".join(b"-" if part is None else _bytes(part) for part in tensors))
        for part in (layer.scale, layer.bias):
            found.update(b"-" if part is None else _bytes(part))
    return found.hexdigest()


def _bytes(tensor: torch.Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
