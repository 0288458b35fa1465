"""Outer products of inputs and errors: of a whole batch in one matrix product, exact or as coincidences of pulses."""

import torch


def outer_product(inputs: torch.Tensor, errors: torch.Tensor) -> torch.Tensor:
    """The gradient sum_v errors[v] inputs[v]^T, [output, input], of `inputs` [vector, input] and `errors`
    [vector, output]."""
    return errors.T @ inputs


def coincidences(
    inputs: torch.Tensor,
    errors: torch.Tensor,
    steps_per_unit: float,
    num_slots: int,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """How often pulses on input and output lines coincide, and ask a weight to rise and to fall, [output, input] each.

    In each of `num_slots` slots every line carries a pulse with a probability proportional to its number, so that their
    difference is on average -steps_per_unit sum_v errors[v] inputs[v]^T, as long as no probability reaches 1: that is
    the stochastic update of Gokmen and Vlasov (Front. Neurosci. 10, 333 (2016), eq. 2). Probabilities are
    balanced between the two sides by their largest numbers ("update management", Gokmen et al., Front. Neurosci. 11,
    538 (2017)).
    """
    largest_input, largest_error = inputs.abs().max().clamp(min=1e-30), errors.abs().max().clamp(min=1e-30)
    amplitude = (steps_per_unit / num_slots) ** 0.5
    balance = (largest_error / largest_input).sqrt()
    rows = _pulses(inputs * (amplitude * balance), num_slots, generator)
    columns = _pulses(errors * (amplitude / balance), num_slots, generator)
    both, net = columns.abs().T @ rows.abs(), columns.T @ rows
    return (both - net) / 2, (both + net) / 2


def _pulses(means: torch.Tensor, num_slots: int, generator: torch.Generator) -> torch.Tensor:
    """Signed pulses of mean `means` [vector, line] in each slot, [vector * slot, line]."""
    drawn = torch.rand(num_slots, *means.shape, generator=generator, dtype=means.dtype)
    return ((drawn < means.abs()) * means.sign()).flatten(0, 1)


def round_at_random(values: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Whole numbers whose mean is `values`: the nearest two, drawn by how near they are."""
    drawn = torch.rand(values.shape, generator=generator, dtype=values.dtype)
    return (values + drawn).floor()
