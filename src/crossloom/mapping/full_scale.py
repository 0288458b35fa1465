"""How the range of a converter is chosen: which sum shall be its top code."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from crossloom.spec import Config, by_kind


class CalibratedRange(Config):
    """What converts the sums of calibration data best; until there are data, four standard deviations of a sum."""

    kind: Literal["calibration"] = "calibration"


class MaximumRange(Config):
    """The largest sum that a tile's weights can give for any input: nothing ever clips."""

    kind: Literal["maximum"] = "maximum"


class GranularRange(Config):
    """One code is one level of one weight's digit under one input step: sums of ideal cells convert exactly until
    they clip."""

    kind: Literal["granularity"] = "granularity"


FullScale = Annotated[
    CalibratedRange | MaximumRange | GranularRange, Field(discriminator="kind"), BeforeValidator(by_kind)
]
