"""Read noise that belongs to samples: the same for a sample in whatever batch it comes."""

import torch

from crossloom.seeds import derive_seed, mix_seed

_BLOCK = 32


def sample_noise(
    num_samples: int, first_sample: int, per_sample: int, names: tuple[int | str, ...], device: torch.device
) -> torch.Tensor:
    """Standard normal numbers [sample, number] for the samples from `first_sample` on.

    They are drawn in blocks of 32 samples, each from a seed of its own, derived from `names` (the seed first) and
    the block's number: no draw depends on how samples were batched.
    """
    first, last = first_sample // _BLOCK, (first_sample + num_samples - 1) // _BLOCK
    drawn = torch.empty((last - first + 1) * _BLOCK, per_sample, device=device)
    generator, seed = torch.Generator(device), derive_seed(*names)  # type: ignore[arg-type]
    for number, block in zip(range(first, last + 1), drawn.split(_BLOCK), strict=True):
        block.normal_(generator=generator.manual_seed(mix_seed(seed, number)))
    start = first_sample - first * _BLOCK
    return drawn[start : start + num_samples]
