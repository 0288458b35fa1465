"""What calibration found for programmed chips, and the digital unit makes good: settings, gains and offsets."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch

from crossloom.artefacts import saved
from crossloom.errors import ProgramError
from crossloom.placement import Placement
from crossloom.quant import QuantizedLayer


@saved
@dataclass(frozen=True)
class TileCorrection:
    """One tile: the register of its readout, and `gain * sum + offset` for each of its outputs.

    integration_time: None leaves the tile's own.  gain, offset: float64 [output], offset in units of the sum of
    products; None for none.  gain_error, offset_error: their standard errors, [output].  read_voltage: V per input
    step, None for that of the drivers.
    """

    integration_time: float | None = None
    gain: torch.Tensor | None = field(default=None, repr=False)
    offset: torch.Tensor | None = field(default=None, repr=False)
    gain_error: torch.Tensor | None = field(default=None, repr=False)
    offset_error: torch.Tensor | None = field(default=None, repr=False)
    read_voltage: float | None = None


@saved
@dataclass(frozen=True)
class LayerCorrection:
    """One layer: its tiles by number, and what becomes of its steps and bias.

    scale: float64 [out], times the products' value.  bias: float32 [out], in place of the layer's own.  None
    leaves things as they are.
    """

    tiles: Mapping[int, TileCorrection] = field(default_factory=dict)
    scale: torch.Tensor | None = field(default=None, repr=False)
    bias: torch.Tensor | None = field(default=None, repr=False)

    @property
    def has_lines(self) -> bool:
        """Whether any tile has a gain or an offset."""
        return any(tile.gain is not None or tile.offset is not None for tile in self.tiles.values())

    def of(self, tile: int) -> TileCorrection:
        """The correction of the tile of this number."""
        return self.tiles.get(tile, TileCorrection())

    def adjusted(self, layer: QuantizedLayer) -> QuantizedLayer:
        """The layer with the steps and the bias that its digital unit shall use; costs no pass over data."""
        step = layer.weight_step if self.scale is None else layer.weight_step * self.scale
        return replace(layer, weight_step=step, bias=layer.bias if self.bias is None else self.bias)


@saved
@dataclass(frozen=True)
class Corrections:
    """All layers' corrections, and for which chips they were measured (`placement_digest`, `chips_digest`)."""

    system: str
    placement_digest: str
    chips_digest: str
    layers: Mapping[str, LayerCorrection] = field(repr=False)


class Corrected(Protocol):
    """What brings corrections with it: a calibration."""

    @property
    def corrections(self) -> Corrections: ...


def placement_digest(placement: Placement) -> str:
    """A name for what a placement holds and where: weights, tiles and sites, but no setting of a readout."""
    found = hashlib.blake2b(digest_size=8)
    mapped = placement.mapped
    for item, site in placement.placed():
        tile = mapped.tiles[item.tile]
        found.update(repr((replace(tile, integration_time=1.0), site)).encode())
    for name, layer in mapped.quantized.layers.items():
        found.update(f"{name}{layer.input_step!r}{layer.input_bits}{mapped.schemes.get(name)!r}".encode())
        found.update(_bytes(layer.weight.to(torch.int16)))
    return found.hexdigest()


def measured_digest(errors: Iterable[torch.Tensor]) -> str:
    """A name for chips by what was measured when they were programmed; no two sets of real cells agree."""
    found = hashlib.blake2b(digest_size=8)
    for error in errors:
        found.update(_bytes(error))
    return found.hexdigest()


def check_fits(corrections: Corrections, system: str, placement: str, chips: str) -> None:
    """ProgramError when corrections were measured on other chips, or for another placement."""
    if corrections.placement_digest != placement:
        raise ProgramError(
            f"this calibration is for placement {corrections.placement_digest} on {corrections.system}, these chips "
            f"hold placement {placement} on {system}; calibrate these chips"
        )
    if corrections.chips_digest != chips:
        raise ProgramError(
            f"this calibration is for chips {corrections.chips_digest}, these are chips {chips} with the same "
            "placement (or the same chips, programmed again); calibrate these chips"
        )


def _bytes(tensor: torch.Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
