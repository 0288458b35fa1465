"""torch's global generator, from which dropout and noise draw: seeded for every step, and given back as it was.

`torch.manual_seed` would seed every kind of device there is; only the processor's generator and those of the model's
kind of device are touched here.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from crossloom.seeds import derive_seed


def seed_everything(device: torch.device, seed: int, *names: int | str) -> None:
    """Seed the global generators of the processor and of `device`'s kind for the thing called `names`."""
    derived = derive_seed(seed, *names)
    torch.default_generator.manual_seed(derived)
    if device.type in ("cuda", "xpu"):
        torch.get_device_module(device).manual_seed_all(derived)
    elif device.type == "mps":
        torch.mps.manual_seed(derived)


@contextmanager
def keep_random_state(device: torch.device) -> Iterator[None]:
    """Give the global generators their state back at the end."""
    state = torch.get_rng_state()
    module = torch.get_device_module(device) if device.type in ("cuda", "xpu", "mps") else None
    has_many = hasattr(module, "get_rng_state_all")
    states = None if module is None else (module.get_rng_state_all() if has_many else module.get_rng_state())
    try:
        yield
    finally:
        torch.set_rng_state(state)
        if module is not None:
            (module.set_rng_state_all if has_many else module.set_rng_state)(states)
