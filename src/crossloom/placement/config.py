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
    exact: seconds (of the solver's own clock, so that answers can be repeated) in which OR-tools' CP-SAT may look for
        fewer macros, and prove how few there must be; None does without.
    replicas: how often a layer is there, by its name; replicas share the vectors of a sample, for throughput, where
        `copies` of the mapping all take every vector, against noise. Layers that are not named are there once.
    reprogram: write the system anew several times for every batch where it is too small for all tiles at once. Wears
        cells: the placement's summary says how much. False refuses such a system.
    """

    forbidden: tuple[ForbiddenRegion, ...] = ()
    keep_copies_apart: bool = False
    effort: Annotated[int, Field(ge=0)] | None = None
    exact: Annotated[float, Field(gt=0)] | None = None
    replicas: dict[str, Length] = Field(default_factory=dict)
    reprogram: bool = False
