"""What is chosen when chips are calibrated."""

from typing import Annotated, Literal

from pydantic import Field

from crossloom.artefacts import saved
from crossloom.spec import Config

ConverterRange = Literal["max", "percentile", "three_sigma", "mse"]


@saved
class CalibrationConfig(Config):
    """What to measure, and what to fit. None leaves a thing alone.

    ranges: integration times anew: so that the largest sum, the 99.9th percentile of their magnitudes, or mean and
        three standard deviations reach the end of the converter's range, or ("mse") those of least measured error.
    drift: one scale for every layer, or one for the whole system, from the ratio of measured sums to exact ones.
    columns: digital gain and offset of every output of every tile.
    channels: the affine of every output channel anew, so that mean and deviation are those of the float network:
        what re-estimating folded batch norms comes to.
    num_samples: how many samples of the data are used at most; held_out: the share of them that judges the fits.
    num_vectors: input vectors that each layer is measured with.
    seed: of the read noise of the measurement, and of which vectors are taken.
    """

    ranges: ConverterRange | None = None
    drift: Literal["layer", "system"] | None = None
    columns: bool = True
    channels: bool = False
    num_samples: Annotated[int, Field(ge=2)] = 64
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.25
    num_vectors: Annotated[int, Field(ge=8)] = 512
    seed: Annotated[int, Field(ge=0)] = 0
