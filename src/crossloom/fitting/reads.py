"""Read noise, from cells that were read several times."""

import torch

from crossloom.fitting.config import FitConfig
from crossloom.fitting.fit import FittedEffect
from crossloom.fitting.found import Found, make_parameters, name_coefficients
from crossloom.fitting.judging import Residuals, judge
from crossloom.fitting.moments import common_notes
from crossloom.fitting.spreads import Errors, fit_spread
from crossloom.fitting.visits import Visits
from crossloom.spec import SpreadSpec

_LONG, _MANY, _CLEAR = 20, 200, 0.2


def fit_read_noise(visits: Visits, config: FitConfig, scale: float) -> Found:
    """Read noise as a spread over the conductance; at least one cell was read several times.

    A visit of K reads has a mean of its own, so that its squared distances from the mean count as K - 1 errors:
    the spread is not too small for having fitted the mean. Reads are taken to be independent of one another.
    """
    several = visits.num_reads > 1
    data = Errors(
        what="read noise",
        scale=scale,
        conductance=visits.conductance[several],
        groups=visits.cell[several].unique(return_inverse=True)[1],
        squares=visits.squares[several],
        counts=visits.num_reads[several] - 1,
    )
    fit = fit_spread(data, config.degree)
    names = name_coefficients("device.read_noise", fit.spec)
    parameters = make_parameters(names, ["S"] * len(names), fit.estimate, config)
    goodness = judge(_residuals(visits, several, data, fit.spec), fit.estimate, len(names))
    effect = FittedEffect(data.what, parameters, goodness)
    return Found(
        {"read_noise": fit.spec},
        effects=(effect,),
        notes=(*common_notes(data, fit, config), *_memory(visits)),
    )


def _residuals(visits: Visits, several: torch.Tensor, data: Errors, spec: SpreadSpec) -> Residuals:
    """Distances from the mean of K reads have (K - 1) / K of the variance of a read."""
    assert data.squares is not None
    assert data.counts is not None
    spread = spec.at(data.conductance)
    expected = torch.ones_like(visits.conductance)
    expected[several] = spread * (data.counts / (data.counts + 1)).sqrt()
    rows = several[visits.reading_of]
    of = visits.reading_of[rows]
    return Residuals(
        standardised=(visits.readings[rows] - visits.conductance[of]) / expected[of],
        squares=data.squares / data.counts / spread.square(),
        counts=data.counts,
        conductance=data.conductance,
        spread=spread,
        num_cells=int(data.groups.max()) + 1,
    )


def _memory(visits: Visits) -> tuple[str, ...]:
    """A note where successive reads of a cell resemble one another."""
    order = visits.reading_of.argsort(stable=True)
    of = visits.reading_of[order]
    distance = (visits.readings - visits.conductance[visits.reading_of])[order]
    follows = (of[1:] == of[:-1]) & (visits.num_reads[of[1:]] >= _LONG)
    products, squares = distance[1:] * distance[:-1], distance[1:].square()
    if int(follows.sum()) < _MANY:
        return ()
    correlation = (products[follows].sum() / squares[follows].sum()).item()
    if correlation < _CLEAR:
        return ()
    return (
        f"read noise: successive reads of a cell are alike (correlation {correlation:.2f}): its conductance wanders or "
        "switches between them, while the model draws every read anew, and the intervals take them for independent",
    )
