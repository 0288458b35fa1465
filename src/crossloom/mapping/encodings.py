"""How signed digits become levels of cells: pairs, or one cell and a shared reference column."""

from typing import Annotated, Literal

import torch
from pydantic import BeforeValidator, Field

from crossloom.artefacts import saved
from crossloom.spec import Config, by_kind


@saved
class DifferentialPair(Config):
    """Two cells per digit: one holds what is above zero, the other what is below.

    With sign-magnitude slices this is the usual plane-by-plane scheme of paired cells.
    """

    kind: Literal["differential_pair"] = "differential_pair"

    def num_levels(self, digit_range: tuple[int, int]) -> int:
        """Levels, zero included, that a cell must have for digits in this range."""
        return max(-digit_range[0], digit_range[1]) + 1

    def encode(self, digits: torch.Tensor, digit_range: tuple[int, int]) -> torch.Tensor:
        """Levels [cell of the pair, ...] of integer digits of any shape."""
        return torch.stack([digits.clamp(min=0), (-digits).clamp(min=0)])


@saved
class OffsetColumn(Config):
    """One cell per digit, shifted up so that none is negative; a column of zeros, encoded alike, tells by how
    much every sum is too large, and is subtracted digitally."""

    kind: Literal["offset_column"] = "offset_column"

    def num_levels(self, digit_range: tuple[int, int]) -> int:
        """Levels, zero included, that a cell must have for digits in this range."""
        return digit_range[1] - digit_range[0] + 1

    def encode(self, digits: torch.Tensor, digit_range: tuple[int, int]) -> torch.Tensor:
        """Levels [1, ...] of integer digits of any shape."""
        return (digits - digit_range[0]).unsqueeze(0)


Encoding = Annotated[DifferentialPair | OffsetColumn, Field(discriminator="kind"), BeforeValidator(by_kind)]
