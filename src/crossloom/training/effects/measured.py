"""The noise that chips make, layer by layer: what `OutputNoise` injects."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, pi, sqrt

import torch

from crossloom.circuits import cycle_weights
from crossloom.errors import ConfigError
from crossloom.hardware import Draw, InputFormat
from crossloom.programming import ProgrammedChips, check_lasting
from crossloom.runtime import Batch, LayerOnChips, LayerProbe, run

_NUM_TERMS, _SMALL = 20, 0.15


def measure_output_noise(
    chips: ProgrammedChips, inputs: Batch, num_runs: int = 8, seed: int = 0
) -> dict[str, float]:
    """Standard deviation of what a conversion of each layer draws anew, in codes, by the layer's name.

    The chips run `inputs` once, and every mapped layer answers the inputs that it met `num_runs` more times, each with
    noise of its own. Variances over these runs are averaged over conversions, and freed of what rounding adds and
    hides. Conversions at the ends of the range show less noise than they have: chips that clip much are taken
    for quieter than they are. Where converters are ideal, the unit is a level.

    Raises ConfigError for fewer than two runs, DataError when inputs do not fit the model, RunError for no chips.
    """
    if num_runs < 2:
        raise ConfigError(f"num_runs: need at least 2 to tell noise from the answer, got {num_runs}")
    seen: dict[str, list[_Spread]] = defaultdict(list)
    meters = _meters(chips) if isinstance(chips, ProgrammedChips) else {}

    def measure(probe: LayerProbe) -> None:
        seen[probe.layer].append(meters[probe.layer].measure(probe.inputs, num_runs, seed + 1))

    run(chips, inputs, hooks=dict.fromkeys(meters, measure), seed=seed, probe_samples=0)
    return {layer: meters[layer].sigma(spreads) for layer, spreads in seen.items()}


@dataclass(frozen=True)
class _Spread:
    """variance: summed over `number` conversions."""

    variance: float
    number: int


@dataclass(frozen=True)
class _Meter:
    """One layer on its chips.

    scale: by how much the variance of a conversion grows in a decoded sum.  has_codes: whether converters round.
    """

    layer: LayerOnChips
    scale: float
    has_codes: bool

    def measure(self, values: torch.Tensor, num_runs: int, first_run: int) -> _Spread:
        """The variance over runs of what the tiles answer to these inputs of the layer."""
        codes = self.layer.codes(values, self.layer.order(values, None, len(values)))
        answers = []
        for number in range(num_runs):
            parts, _ = self.layer.parts(codes, Draw(first_run + number))
            units = [1.0 if self.has_codes else part.scale for part in parts]
            sums = [part.sums.double() / unit for part, unit in zip(parts, units, strict=True)]
            answers.append(torch.cat([part.flatten() for part in sums]))
        variance = torch.stack(answers).var(0)
        return _Spread(variance.sum().item(), variance.numel())

    def sigma(self, spreads: list[_Spread]) -> float:
        """Standard deviation before rounding, of one conversion."""
        number = sum(spread.number for spread in spreads)
        variance = sum(spread.variance for spread in spreads) / max(number, 1) / self.scale
        return before_rounding(variance) if self.has_codes else sqrt(variance)


def _meters(chips: ProgrammedChips) -> Mapping[str, _Meter]:
    placement = chips.placement
    check_lasting(placement, "measure_output_noise")
    macro, mapped = placement.system.macro, placement.mapped
    corrections = {} if chips.corrections is None else chips.corrections.layers
    meters = {}
    for node in mapped.quantized.graph.matrices:
        if node.name not in mapped.schemes:
            continue
        scheme = mapped.schemes[node.name]
        layer = LayerOnChips(placement, node, chips.backend, corrections.get(node.name))
        inputs = InputFormat(scheme.input_mode, layer.layer.input_bits, layer.layer.input_is_signed)
        cycles = cycle_weights(inputs, macro.dac).square().sum().item()
        planes = sum(value**2 for value in scheme.coefficients)
        reference = scheme.num_reference_outputs * sum(scheme.coefficients) ** 2
        has_codes = macro.readout.code_range is not None
        meters[node.name] = _Meter(layer, cycles * (planes + reference), has_codes)
    return meters


def before_rounding(variance: float) -> float:
    """The standard deviation of Gaussian noise, in codes, that gives rounded codes this variance.

    For sums that lie anywhere between two codes, noise of sigma gives codes of variance

        V = sigma^2 + 1/12 - sum_m exp(-4 pi^2 m^2 sigma^2) / (2 pi^2 m^2),

    from E[frac (1 - frac)] of the difference of two draws, which is sigma / sqrt(pi) for small sigma.
    """
    low, high = 0.0, sqrt(variance) + variance * sqrt(pi)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _rounded_variance(middle) < variance else (low, middle)
    return (low + high) / 2


def _rounded_variance(sigma: float) -> float:
    if sigma < _SMALL:
        return sigma / sqrt(pi)
    waves = (exp(-((2 * pi * m * sigma) ** 2)) / (2 * (pi * m) ** 2) for m in range(1, _NUM_TERMS))
    return sigma**2 + 1 / 12 - sum(waves)
