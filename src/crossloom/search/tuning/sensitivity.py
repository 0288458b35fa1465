"""How much each layer's error hurts the outputs of the network."""

from collections.abc import Mapping
from dataclasses import replace

import torch

from crossloom.calibration import Arrival, propagate
from crossloom.programming import LayerCorrection, ProgrammedChips
from crossloom.progress import track
from crossloom.search.tuning.scoring import output_error

_TINY = 1e-30


def hurts(
    ideal: ProgrammedChips, noisy: ProgrammedChips, samples: tuple[torch.Tensor, ...], seed: int
) -> Mapping[str, float]:
    """Error of the outputs (NMSE) per error of a layer's values (NMSE), for every layer on the chips.

    One network evaluation a layer: all layers answer as ideal chips do, one as noisy ones. Both hold one placement.
    """
    names = list(ideal.placement.mapped.schemes)
    clean = _first(propagate(ideal, samples, names, lambda arrival: arrival.answer(LayerCorrection()), seed))
    found = {}
    for name in track(names, "finding what hurts", len(names)):
        errors: list[float] = []

        def visit(arrival: Arrival, name: str = name, errors: list[float] = errors) -> torch.Tensor:
            answered = arrival.answer(LayerCorrection())
            if arrival.node.name != name:
                return answered
            disturbed = replace(arrival, chips=noisy).answer(LayerCorrection())
            errors.append(output_error(disturbed - arrival.bias, answered - arrival.bias))
            return disturbed

        outputs = _first(propagate(ideal, samples, names, visit, seed))
        found[name] = output_error(outputs, clean) / max(errors[0], _TINY) if errors and errors[0] else 0.0
    return found


def _first(outputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    return outputs[0]
