"""What pulses do: the nominal step, its growth with voltage, and how the effect spreads."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from crossloom.errors import DataError
from crossloom.fitting.config import FitConfig
from crossloom.fitting.fit import FittedEffect
from crossloom.fitting.found import Found, make_parameters
from crossloom.fitting.judging import Residuals, judge
from crossloom.fitting.likelihood import Estimate, maximize
from crossloom.fitting.reading import Table
from crossloom.spec import PulseSpec, SpreadSpec

_CLEAR, _LARGE = 4.0, 0.1


@dataclass(frozen=True)
class Pulses:
    """Pulses as they were applied, each [pulse].

    change: S.  before: S.  share: width over the nominal one, above 0 sets.  voltage: V, or None.
    noise: S², of two reads; None when not known.  groups: the cell.
    width, max_width: nominal and widest, s.
    """

    change: torch.Tensor
    before: torch.Tensor
    share: torch.Tensor
    voltage: torch.Tensor | None
    noise: torch.Tensor | None
    groups: torch.Tensor
    width: float
    max_width: float

    @property
    def nominal_voltage(self) -> float | None:
        return None if self.voltage is None else self.voltage.median().item()

    @property
    def has_voltages(self) -> bool:
        return self.voltage is not None and len(self.voltage.unique()) > 1


def gather_pulses(table: Table, read_noise: SpreadSpec | None) -> Pulses:
    """The pulses of a table. DataError when none has a width."""
    values = {name: torch.from_numpy(column) for name, column in table.values.items()}
    before, after, widths = values["conductance_before"], values["conductance_after"], values["width"]
    given = widths[widths != 0].abs()
    if not len(given):
        raise DataError(f"{table.name}, column width: every pulse has the width 0; give signed widths")
    width = given.median().item()
    noise = None if read_noise is None else read_noise.at(before).square() + read_noise.at(after).square()
    cells = table.labels.get("cell", np.arange(table.num_rows))
    return Pulses(
        change=after - before,
        before=before,
        share=widths / width,
        voltage=values.get("voltage"),
        noise=noise,
        groups=torch.from_numpy(cells),
        width=width,
        max_width=given.max().item(),
    )


def fit_pulses(pulses: Pulses, config: FitConfig) -> Found:
    """step, pulse_spread and, where voltages differ, voltage_scale: change = step x (1 + spread z), x the nominal
    effect of width and voltage.

    Reads add noise to both ends: that of the read noise, else (where effects differ in size, so that it can be told
    apart) a constant that is fitted. DataError when pulses do nothing, or the opposite of their sign.
    """
    size = pulses.change.square().mean().sqrt().item()
    if size == 0:
        raise DataError("pulses: no pulse changed anything; leave them out")
    model = _Model(pulses, size)
    estimate = _fit(model)
    step, spread = estimate.values[:2].tolist()
    if step <= 0:
        raise DataError(
            f"pulses: those of positive width change the conductance by {step:.3g} S; need widths above 0 for set, "
            "below 0 for reset"
        )
    parameters = make_parameters(*model.names(), estimate, config)
    residuals = model.residuals(estimate)
    effect = FittedEffect("pulse response", parameters, judge(residuals, estimate, 1))
    response = PulseSpec(
        width=pulses.width,
        step=step,
        max_width=pulses.max_width,
        voltage=pulses.nominal_voltage,
        max_voltage=None if pulses.voltage is None else pulses.voltage.max().item(),
        voltage_scale=estimate.values[2].item() if pulses.has_voltages else None,
    )
    notes = tuple(_notes(pulses, model, estimate, residuals.standardised))
    return Found({"pulse_spread": spread}, response, (effect,), notes)


@dataclass(frozen=True)
class _Model:
    """Densities of the changes; parameters (step, spread (, voltage scale) (, noise of reads)) in units of `size`."""

    pulses: Pulses
    size: float

    @property
    def fits_noise(self) -> bool:
        effects = self.pulses.share.abs()
        return self.pulses.noise is None and (self.pulses.has_voltages or len(effects.unique()) > 1)

    def names(self) -> tuple[list[str], list[str]]:
        """Names of the parameters, and their units."""
        voltage = [("pulse.voltage_scale", "V")] * self.pulses.has_voltages
        noise = [("measured.read_noise of pulses", "S")] * self.fits_noise
        both = [("pulse.step", "S"), ("device.pulse_spread", ""), *voltage, *noise]
        return [name for name, _ in both], [unit for _, unit in both]

    def units(self) -> torch.Tensor:
        """SI per unit of every parameter."""
        return torch.tensor(
            [self.size if unit == "S" else 1.0 for unit in self.names()[1]], dtype=torch.float64
        )

    def growth(self, scale: torch.Tensor) -> torch.Tensor:
        """What `PulseSpec.growth` says, differentiable by its scale (V)."""
        voltage, nominal = self.pulses.voltage, self.pulses.nominal_voltage
        assert voltage is not None
        assert nominal is not None
        rest = (-2 * voltage / scale).expm1() / (-2 * nominal / scale).expm1()
        return ((voltage - nominal) / scale).exp() * rest

    def moments(self, at: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and variance of every change."""
        effect = at[0] * self.pulses.share * (self.growth(at[2]) if self.pulses.has_voltages else 1.0)
        variance = (at[1] * effect).square()
        if self.fits_noise:
            variance = variance + 2 * at[-1].square()
        elif self.pulses.noise is not None:
            variance = variance + self.pulses.noise / self.size**2
        return effect, variance

    def density(self, at: torch.Tensor) -> torch.Tensor:
        effect, variance = self.moments(at)
        distance = self.pulses.change / self.size - effect
        return -0.5 * ((2 * torch.pi * variance).log() + distance.square() / variance)

    def residuals(self, estimate: Estimate) -> Residuals:
        effect, variance = self.moments(estimate.values / self.units())
        z = (self.pulses.change / self.size - effect) / variance.sqrt()
        num_cells = int(self.pulses.groups.max()) + 1
        return Residuals(
            z,
            z.square(),
            torch.ones_like(z),
            effect.abs() * self.size,
            variance.sqrt() * self.size,
            num_cells,
        )

    def starts(self) -> Iterator[torch.Tensor]:
        """Where to begin: steps by least squares, for voltage scales over two decades."""
        nominal = self.pulses.nominal_voltage or 1.0
        scales = (
            [nominal * factor for factor in (0.03, 0.1, 0.3, 1.0)] if self.pulses.has_voltages else [nominal]
        )
        change = self.pulses.change / self.size
        for scale in scales:
            given = torch.tensor(scale, dtype=torch.float64)
            effect = self.pulses.share * (self.growth(given) if self.pulses.has_voltages else 1.0)
            step = (effect * change).sum() / effect.square().sum()
            left = (change - step * effect).square().mean().sqrt().clamp(min=1e-6)
            spread = left / (step * effect).square().mean().sqrt().clamp(min=1e-6)
            parts = [step, spread, *[given] * self.pulses.has_voltages, *[0.3 * left] * self.fits_noise]
            yield torch.stack(parts)


def _fit(model: _Model) -> Estimate:
    """From the best place to begin, and back in SI."""
    heights = [(model.density(start).sum().nan_to_num(nan=-torch.inf), start) for start in model.starts()]
    start = max(heights, key=lambda pair: pair[0].item())[1]
    found = maximize(model.density, start, model.pulses.groups, "pulses")
    logarithm = len(model.pulses.change) * np.log(model.size)
    # Spreads and the voltage scale enter so that either sign fits: the positive one is given.
    values = torch.cat([found.values[:1], found.values[1:].abs()])
    found = replace(found, values=values, log_likelihood=found.log_likelihood - logarithm)
    return found.scaled(model.units())


def _notes(pulses: Pulses, model: _Model, estimate: Estimate, standardised: torch.Tensor) -> Iterator[str]:
    if pulses.noise is None:
        told = (
            "is fitted as a constant"
            if model.fits_noise
            else "is part of pulse_spread, for all pulses are alike"
        )
        yield f"pulse response: without repeated reads, the noise of a read {told}"
    if pulses.voltage is None or not pulses.has_voltages:
        yield "pulse response: all pulses have one voltage, so that voltage_scale is not determined"
    sets, resets = pulses.share > 0, pulses.share < 0
    if not (sets.any() and resets.any()):
        missing = "reset" if sets.any() else "set"
        yield f"pulse response: there are no {missing} pulses; the model takes them to be as strong as the others"
    elif _differs(standardised[sets], -standardised[resets]):
        means = [
            (pulses.change[which].mean() / pulses.share[which].mean()).item() for which in (sets, resets)
        ]
        yield (
            f"pulse response: set pulses change {means[0]:.3g} S per nominal width and reset pulses {means[1]:.3g} S; "
            "the model has one step for both"
        )
    correlation = _correlation_with_conductance(pulses, model, estimate, standardised)
    if abs(correlation) > _LARGE and abs(correlation) * len(standardised) ** 0.5 > _CLEAR:
        yield (
            f"pulse response: pulses do {'more' if correlation > 0 else 'less'} the higher the conductance is before "
            f"(correlation {correlation:+.2f}); the model's step is the same everywhere"
        )


def _correlation_with_conductance(
    pulses: Pulses, model: _Model, estimate: Estimate, standardised: torch.Tensor
) -> float:
    """Of what a pulse does beyond the expected with the conductance before it.

    A read that is too high makes the change too small: that share of the correlation is taken off.
    """
    sign = pulses.share.sign()
    centred = pulses.before - pulses.before.mean()
    noise = torch.zeros_like(centred) if pulses.noise is None else pulses.noise / 2
    if model.fits_noise:
        noise = noise + estimate.values[-1].square()
    _, variance = model.moments(estimate.values / model.units())
    expected = -(sign * noise / (variance.sqrt() * model.size)).mean()
    covariance = (sign * standardised * centred).mean() - expected
    return (covariance / centred.square().mean().sqrt()).item()


def _differs(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two means clearly differ."""
    doubt = (one.var() / len(one) + other.var() / len(other)).sqrt()
    return bool((one.mean() - other.mean()).abs() > _CLEAR * doubt)
