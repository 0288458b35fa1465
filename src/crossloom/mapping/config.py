"""What is chosen when matrices become tiles."""

from typing import Annotated

from pydantic import Field

from crossloom.artefacts import saved
from crossloom.mapping.encodings import Encoding
from crossloom.mapping.full_scale import CalibratedRange, FullScale
from crossloom.mapping.slicings import BitsPerCell, Slicing
from crossloom.spec import Config, InputMode

Copies = Annotated[int, Field(ge=1, le=64)]


class LayerMappingConfig(Config):
    """Encoding, slicing and input mode are independent of one another. None takes what the macro is made for.

    Encodings, slicings, input modes and full scales may be given by name: `input_mode="pulse"`.

    bits_per_cell: bits of a weight's magnitude in one cell, for the slicing given, or for that which suits the
        encoding.
    copies: how often every tile is there; their answers are averaged digitally.
    row_copies: how often every row is there within a tile; they share a column and its converter.
    integration_time: the readout's register n for every tile; None leaves it to `full_scale`.
    full_scale: how each converter's range is chosen: by `calibration`, `maximum` or `granularity`.
    """

    encoding: Encoding | None = None
    slicing: Slicing | None = None
    bits_per_cell: BitsPerCell | None = None
    input_mode: InputMode | None = None
    copies: Copies = 1
    row_copies: Copies = 1
    integration_time: Annotated[float, Field(gt=0)] | None = None
    full_scale: FullScale = CalibratedRange()

    @property
    def is_range_left_to_data(self) -> bool:
        """Whether calibration data shall choose the integration times."""
        return self.integration_time is None and isinstance(self.full_scale, CalibratedRange)


@saved
class MappingConfig(LayerMappingConfig):
    """The choices for all layers, and those of single layers by name, which take the place of the former.

    digital: layers that stay on the digital unit.
    one_hot: embeddings whose tables lie in memory, read by inputs of one at a token's place; others are looked up
        digitally. `compile` minds it (as the pass `graph.OneHotEmbeddings`, before quantisation).
    share_tied: layers that multiply by one stored tensor, quantised alike, share its cells; False gives each its own.
    """

    layers: dict[str, LayerMappingConfig] = Field(default_factory=dict)
    digital: tuple[str, ...] = ()
    one_hot: tuple[str, ...] = ()
    share_tied: bool = True

    def for_layer(self, name: str) -> LayerMappingConfig:
        """What holds for the layer `name`."""
        return self.layers.get(name, self)
