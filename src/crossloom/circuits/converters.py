"""What the converters of one macro are: drawn once, when a chip is made."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from crossloom.circuits.transitions import draw_transitions, draw_widths
from crossloom.spec import RampAdc, ReadoutSpec, SarAdc

Draws = Callable[[str], torch.Generator]


@dataclass(frozen=True)
class Converters:
    """offset: [column], codes.  gain: [column], relative to nominal.  transitions: [set, transition], codes, float64.

    None where nothing is off. Columns in line share a set of transitions, `ReadoutSpec.columns_per_transitions` each.
    A converter gives `lowest + number of transitions below (gain * value + offset)`.
    """

    offset: torch.Tensor | None = None
    gain: torch.Tensor | None = None
    transitions: torch.Tensor | None = None


def draw_converters(readout: ReadoutSpec, num_columns: int, draws: Draws) -> Converters:
    """The converters of a macro. `draws` gives a generator for each thing that is drawn, by name.

    Every effect has draws of its own: switching one on leaves all others as they were.
    """
    drawn = _normal(2, num_columns, draws("converters"))[
        :, _owners(num_columns, readout.columns_per_adc or 1)
    ]
    offset = drawn[0] * readout.offset if readout.offset else None
    gain = 1 + drawn[1] * readout.gain_error if readout.gain_error else None
    adc = readout.adc
    if isinstance(adc, RampAdc | SarAdc) and adc.comparator_offset:
        owners = _owners(num_columns, readout.columns_per_adc or 1)
        own = adc.comparator_offset * _normal(1, num_columns, draws("comparators"))[0, owners]
        offset = -own if offset is None else offset - own
    if isinstance(adc, RampAdc) and adc.slope_error:
        owners = _owners(num_columns, adc.columns_per_ramp or num_columns)
        slope = 1 + adc.slope_error * _normal(1, num_columns, draws("ramps"))[0, owners]
        gain = slope if gain is None else gain * slope
    return Converters(offset, gain, _transitions(readout, num_columns, draws))


def transitions_of(
    transitions: torch.Tensor, columns_each: int | None, columns: torch.Tensor
) -> torch.Tensor:
    """The transitions of these columns, [column, transition]; [1, transition] where all share one set."""
    return (
        transitions if columns_each is None or len(transitions) == 1 else transitions[columns // columns_each]
    )


def _transitions(readout: ReadoutSpec, num_columns: int, draws: Draws) -> torch.Tensor | None:
    if not readout.has_own_transitions:
        return None
    num_sets = -(-num_columns // (readout.columns_per_transitions or num_columns))
    transitions = draw_transitions(readout, num_sets, draws("transitions"))
    if not readout.differential_nonlinearity:
        return transitions.contiguous()
    moved = draw_widths(readout.differential_nonlinearity, num_sets, transitions.shape[1], draws("widths"))
    return (transitions + moved).cummax(1).values


def _owners(num_columns: int, columns_each: int) -> torch.Tensor:
    """The first column of those that share with each one, [column]."""
    return torch.arange(num_columns) // columns_each * columns_each


def _normal(num_kinds: int, num_columns: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(
        num_kinds, num_columns, generator=generator, device=generator.device, dtype=torch.float64
    )
