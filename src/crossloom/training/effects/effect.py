"""What can go wrong with a layer while it is trained: small frozen values that compose."""

from abc import abstractmethod
from typing import Annotated, Self

import torch
from pydantic import Field

from crossloom.spec import Config, MacroSpec
from crossloom.training.effects.conversion import Conversion

Share = Annotated[float, Field(gt=0, le=1)]


class Effect(Config):
    """One thing that goes wrong; drawn anew in every forward pass, from torch's global generator.

    Gradients go straight through: what is drawn is a constant of the pass.
    """

    @abstractmethod
    def with_share(self, share: float) -> Self:
        """The same effect at this share of its strength, 0 < share <= 1."""

    def check(self, macro: MacroSpec) -> None:
        """ConfigError where this effect finds nothing to do on these macros; called before any training."""
        return


class MatrixEffect(Effect):
    """An error of the weights themselves, in levels: quick, since it needs no cells."""

    @abstractmethod
    def on_matrix(self, matrix: torch.Tensor, largest: int) -> torch.Tensor:
        """`matrix` [output, input] of levels from -`largest` to `largest`, with its error."""


class CellEffect(Effect):
    """An error of cells and of what lies between them, as the encoding lays them out."""

    @abstractmethod
    def on_cells(self, conductance: torch.Tensor, macro: MacroSpec) -> torch.Tensor:
        """`conductance` (S, [row, column]) with its error; differentiable in it."""


class SumEffect(Effect):
    """What every conversion draws anew, or a converter of its own has: noise and offsets of sums in codes."""

    @abstractmethod
    def on_sums(self, sums: torch.Tensor, conversion: Conversion) -> torch.Tensor:
        """`sums` [vector * cycle, output, *positions], in codes, disturbed; may be overwritten."""
