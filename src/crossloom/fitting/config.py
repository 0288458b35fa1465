"""How a device is fitted."""

from typing import Annotated, Literal

from pydantic import Field

from crossloom.spec import Config


class FitConfig(Config):
    """Choices of a fit.

    degree: of the polynomials of spreads over the conductance; None takes, for each, the one from 0 to 4 with the
        best Bayesian information criterion (intervals then hold for the degree that was taken).
    over_time: which law rows with `elapsed` are fitted with: a table of spreads and shifts at the measured times,
        spread and shift that grow with ln t, or the power law of phase-change cells.
    with_outliers: whether a share of the cells may lie anywhere from 0 to the highest conductance measured, and is no
        part of the spread (a mixture of the Gaussian and a uniform density, fitted together). False: every row
        counts in full. Repeated reads and pulses are fitted without in either case.
    confidence: of the intervals.
    """

    degree: Annotated[int, Field(ge=0, le=4)] | None = 2
    over_time: Literal["tabulated", "logarithmic", "drift"] = "tabulated"
    with_outliers: bool = False
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
