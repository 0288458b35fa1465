"""What is chosen when tiles are placed."""

from typing import Annotated

from pydantic import Field

from crossloom.artefacts import saved
from crossloom.spec import Config

Index = Annotated[int, Field(ge=0)]
Length = Annotated[int, Field(ge=1)]


class ForbiddenRegion(Config):
    """Cells of a macro that no tile may lie on: a bad region of a chip, or one that is taken."""

    chip: Index
    core: Index = 0
    macro: Index = 0
    row: Index = 0
    column: Index = 0
    num_rows: Length
    num_columns: Length


@saved
class PlacementConfig(Config):
    """Choices of the packer.

    forbidden: regions that stay free.
    keep_copies_apart: put copies of a tile on different macros, so that they can work at the same time.
    effort: rounds of improvement that the packer may spend; None for its default.
    """

    forbidden: tuple[ForbiddenRegion, ...] = ()
    keep_copies_apart: bool = False
    effort: Annotated[int, Field(ge=0)] | None = None
