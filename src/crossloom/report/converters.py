"""What the converters of a run's chips are worth."""

from typing import Any

import torch

from crossloom.backends import SimulatedBackend
from crossloom.circuits import effective_bits
from crossloom.programming import ProgrammedChips


def gather_converters(chips: ProgrammedChips) -> dict[str, Any] | None:
    """Kind, bits, and effective bits (mean, and least) of the converters in use; None where they are ideal.

    Effective bits are those of `effective_bits`, without offset and gain error; None where chips do not tell.
    """
    readout = chips.placement.system.macro.readout
    if readout.code_range is None:
        return None
    found = (
        _effective_bits(chips, readout.code_range)
        if readout.has_own_transitions
        else torch.tensor([readout.bits])
    )
    known = None if found is None else found.double()
    return {
        "kind": readout.adc.kind,
        "bits": readout.bits,
        "effective_bits": None if known is None else known.mean().item(),
        "least_effective_bits": None if known is None else known.min().item(),
    }


def _effective_bits(chips: ProgrammedChips, code_range: tuple[int, int]) -> torch.Tensor | None:
    if not isinstance(chips.backend, SimulatedBackend):
        return None
    found = [chips.backend.transitions(address) for address in chips.placement.macros]
    known = [
        effective_bits(transitions, code_range).cpu() for transitions in found if transitions is not None
    ]
    return torch.cat(known) if known else None


def describe_converters(converters: dict[str, Any] | None) -> str:
    """Kind, bits, and what they are worth, in one line."""
    if converters is None:
        return "ideal: exact values"
    kind = "" if converters["kind"] == "ideal" else f"{converters['kind']}, "
    mean, least = converters["effective_bits"], converters["least_effective_bits"]
    worth = "not known" if mean is None else f"{mean:.1f} effective (least {least:.1f})"
    return f"{kind}{converters['bits']} bits, {worth}"
