"""Relaxation: what time adds to errors, as a table or as a law in ln t."""

from dataclasses import dataclass, replace
from math import log

import torch

from crossloom.errors import DataError
from crossloom.fitting.config import FitConfig
from crossloom.fitting.fit import FittedEffect
from crossloom.fitting.found import Found, make_parameters
from crossloom.fitting.judging import Residuals, judge
from crossloom.fitting.likelihood import maximize
from crossloom.fitting.moments import fit_moment
from crossloom.fitting.spreads import Errors
from crossloom.spec import LogarithmicRelaxationSpec, TabulatedRelaxationSpec
from crossloom.units import format_si


@dataclass(frozen=True)
class Changes:
    """Changes since time 0, or whole errors (`is_total`).

    which: [visit], the visits they are from.  Then each [change]: elapsed (s), errors (S), conductance asked for (S),
    cell, and noise (S², None when not known).  scale: S.
    """

    which: torch.Tensor
    elapsed: torch.Tensor
    errors: torch.Tensor
    conductance: torch.Tensor
    cell: torch.Tensor
    noise: torch.Tensor | None
    scale: float
    is_total: bool

    def at(self, rows: torch.Tensor, what: str) -> Errors:
        return Errors(
            what=what,
            scale=self.scale,
            conductance=self.conductance[rows],
            groups=self.cell[rows].unique(return_inverse=True)[1],
            errors=self.errors[rows],
            noise=None if self.noise is None else self.noise[rows],
        )


def fit_table(changes: Changes, when: torch.Tensor, times: list[float], config: FitConfig) -> Found:
    """A shift and a spread over the conductance for each time; every time is fitted on its own.

    when: [change], the number of its time in `times` (s).
    """
    spreads, shifts, effects, notes, measured = [], [], [], [], []
    for number, time in enumerate(times):
        rows = when == number
        if time == 0 or not rows.any():
            continue
        data = changes.at(rows, f"relaxation at {format_si(time, 's', 3)}")
        path = f"device.relaxation.spreads[{len(spreads)}]"
        shift_path = f"device.relaxation.shifts[{len(spreads)}]"
        moment = fit_moment(data, config, path, shift_path)
        measured.append(time)
        spreads.append(moment.spread)
        shifts.append(moment.shift)
        effects.extend(moment.effects)
        notes.extend(moment.notes)
    spec = TabulatedRelaxationSpec(
        times=tuple(measured), spreads=tuple(spreads), shifts=tuple(shifts), is_total=changes.is_total
    )
    last = f"relaxation: nothing was measured after {format_si(measured[-1], 's', 3)}; the model stays there"
    return Found({"relaxation": spec}, effects=tuple(effects), notes=(*notes, last))


def fit_logarithmic(changes: Changes, config: FitConfig) -> Found:
    """Shift a ln t and spread s ln t + b, the same at every conductance, from 1 s on.

    Of whole errors b cannot be told from the programming error that goes with them, which is fitted beside it, as
    a constant; then b is 0. Measurements of one cell depend on one another, which the intervals take into account.
    """
    rows = changes.elapsed >= 1
    times = changes.elapsed[rows].log()
    if len(times.unique()) < 2:
        raise DataError(
            "relaxation: the logarithmic law needs measurements at two times from 1 s on; use over_time='tabulated'"
        )
    data = changes.at(rows, "relaxation")
    size = data.size
    unit = data.in_units_of(size)
    noise = 0.0 if unit.noise is None else unit.noise

    def moments(at: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shift, grown, constant = at[0] * times, at[1] * times, at[2]
        if changes.is_total:
            return shift, grown.square() + constant.square() + noise
        return shift, (grown + constant).clamp(min=0).square() + noise

    def density(at: torch.Tensor) -> torch.Tensor:
        shift, variances = moments(at)
        assert unit.errors is not None
        return -0.5 * ((2 * torch.pi * variances).log() + (unit.errors - shift).square() / variances)

    start = torch.tensor([0.0, 0.3 / times.mean().item(), 0.7], dtype=torch.float64)
    found = maximize(density, start, data.groups, data.what).scaled(torch.full_like(start, size))
    estimate = replace(found, log_likelihood=found.log_likelihood - len(times) * log(size))
    names = ["device.relaxation.shift_slope", "device.relaxation.spread_slope", "device.relaxation.spread"]
    if changes.is_total:
        names[2] = "measured.spread at 1 s"
    shift, variances = moments(estimate.values / size)
    assert unit.errors is not None
    z = (unit.errors - shift) / variances.sqrt()
    residuals = Residuals(
        z,
        z.square(),
        torch.ones_like(z),
        data.conductance,
        variances.sqrt() * size,
        int(data.groups.max()) + 1,
    )
    parameters = make_parameters(names, ["S"] * 3, estimate, config)
    effect = FittedEffect("relaxation", parameters, judge(residuals, estimate, 2))
    return _logarithmic(changes, effect, int((~rows).sum()))


def _logarithmic(changes: Changes, effect: FittedEffect, left_out: int) -> Found:
    slope, grown, constant = (parameter.value for parameter in effect.parameters)
    notes = (
        [f"relaxation: {left_out:,} measurements before 1 s are left out of the law in ln t"]
        if left_out
        else []
    )
    if min(grown, constant) < 0:
        notes.append(
            "relaxation: a spread that shrinks with time does not fit the law in ln t, and counts as none"
        )
    spec = LogarithmicRelaxationSpec(
        shift_slope=slope,
        spread_slope=max(grown, 0.0),
        spread=0.0 if changes.is_total else max(constant, 0.0),
    )
    return Found({"relaxation": spec}, effects=(effect,), notes=tuple(notes))
