"""Image files as tensors, by Pillow."""

from pathlib import Path

import torch
from torch import Tensor

from crossloom.errors import DataError, MissingDependencyError


def read_gray(path: Path, size: tuple[int, int], is_mask: bool = False) -> Tensor:
    """A picture in shades of gray, [row, column] from 0 to 1, at this size; masks are 0 or 1.

    Raises DataError where it cannot be read, MissingDependencyError without Pillow.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "this recipe needs Pillow; install it with: pip install 'crossloom[images]'"
        ) from error
    try:
        with Image.open(path) as file:
            way = Image.Resampling.NEAREST if is_mask else Image.Resampling.BOX
            pixels = file.convert("L").resize((size[1], size[0]), way).tobytes()
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{path} is no image that can be read: {error}") from error
    values = torch.frombuffer(bytearray(pixels), dtype=torch.uint8).view(size)
    return (values > 127).float() if is_mask else values.float() / 255


def turned(pictures: Tensor) -> Tensor:
    """The eight ways to lay a square, one after the other: [8 samples, ..., row, column]."""
    quarters = [pictures.rot90(number, (-2, -1)) for number in range(4)]
    return torch.cat([*quarters, *(part.flip(-1) for part in quarters)])
