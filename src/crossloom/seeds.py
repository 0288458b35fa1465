"""Randomness that depends on what is drawn, and on nothing else.

Every generator is derived from a seed and the names of what it serves: (seed, chip, macro, event). So a
draw depends neither on the size of a batch, nor on the order of tiles, nor on what was drawn before.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_WORD = 2**64 - 1


def derive_seed(seed: int, *names: int | str) -> int:
    """A 63-bit seed for the thing called `names` under `seed`.

    >>> derive_seed(0, "chip", 1) == derive_seed(0, "chip", 1)
    True
    >>> derive_seed(0, "chip", 1) == derive_seed(0, "chip", 2)
    False
    """
    text = "\x1f".join([str(seed), *(f"{type(name).__name__}:{name}" for name in names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def mix_seed(seed: int, number: int) -> int:
    """A 63-bit seed for part `number` of what `seed` serves: splitmix64 (Steele et al., OOPSLA 2014), for hot paths.

    >>> mix_seed(1, 0) != mix_seed(1, 1) != mix_seed(2, 1)
    True
    """
    mixed = (seed + (number + 1) * 0x9E3779B97F4A7C15) & _WORD
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _WORD
    return (mixed ^ (mixed >> 31)) >> 1


def derive_generator(seed: int, *names: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh `torch.Generator` on `device`, seeded by `derive_seed`."""
    import torch

    return torch.Generator(device=device).manual_seed(derive_seed(seed, *names))
