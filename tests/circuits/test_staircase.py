"""Looking only near a value finds what searching all transitions finds."""

from dataclasses import replace

import pytest
import torch

from crossloom.circuits import ideal_transitions, make_staircase
from crossloom.circuits.transitions import draw_transitions, draw_widths
from crossloom.spec import RampAdc, ReadoutSpec, SarAdc

BITS = (2, 4, 8, 12)


def transitions_for(bits: int, size: float, outputs: int, seed: int = 0) -> torch.Tensor:
    readout = ReadoutSpec(bits=bits, adc=SarAdc(capacitor_mismatch=size / 2 ** (bits / 2)))
    generator = torch.Generator().manual_seed(seed)
    moved = draw_widths(size / 2 ** (bits / 2), outputs, 2**bits - 1, generator)
    return (draw_transitions(readout, outputs, generator) + moved).cummax(1).values


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("outputs", [1, 5])
@pytest.mark.parametrize("bits", BITS)
def test_looking_near_finds_what_searching_finds(bits, outputs, dtype):
    """20,000 values, some far beyond the range, and every level itself, from one level near to six."""
    code_range, seen = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1), set()
    generator = torch.Generator().manual_seed(0)
    for size in (0.0, 0.2, 0.5, 1.0, 2.0):
        transitions = transitions_for(bits, size, outputs)
        fast = make_staircase(transitions, code_range, dtype)
        spread = 2.0 ** (bits - 1) * torch.randn(4000, 5, generator=generator, dtype=dtype)
        far = torch.tensor([1e9, -1e9]).to(dtype).view(-1, 1).expand(-1, 5)
        exact = transitions.to(dtype).T.expand(-1, 5)
        sums = torch.cat([spread, far, exact[torch.isfinite(exact).all(1)]])
        assert torch.equal(fast.codes(sums), replace(fast, num_near=None).codes(sums))
        seen.add(fast.num_near)
    assert 1 in seen
    assert len(seen) > 1


def test_levels_far_off_are_searched():
    transitions = transitions_for(8, 0.1, 3)
    transitions[0, -1] = torch.inf
    staircase = make_staircase(transitions, (0, 255), torch.float32)
    assert staircase.num_near is None
    codes = staircase.codes(torch.full((1, 3), 1e6))
    assert codes.tolist() == [[254, 255, 255]]


def test_a_ramp_of_a_large_bow_is_searched():
    transitions = draw_transitions(
        ReadoutSpec(bits=8, adc=RampAdc(nonlinearity=(0, 20, 0))), 1, torch.Generator()
    )
    assert make_staircase(transitions, (-128, 127), torch.float32).num_near is None
    bent = make_staircase(transitions, (-128, 127), torch.float64)
    values = torch.linspace(-140, 140, 500, dtype=torch.float64).view(-1, 1)
    assert torch.equal(bent.codes(values).flatten(), (values > transitions).sum(1) - 128.0)


def test_positions_are_converted_by_the_levels_of_their_output():
    transitions = transitions_for(6, 0.5, 4)
    staircase = make_staircase(transitions, (-32, 31), torch.float32)
    sums = 20 * torch.randn(7, 4, 3, 2, generator=torch.Generator().manual_seed(1))
    flat = sums.permute(0, 2, 3, 1).reshape(-1, 4)
    assert torch.equal(staircase.codes(sums).permute(0, 2, 3, 1).reshape(-1, 4), staircase.codes(flat))


def test_without_levels_or_codes_there_is_no_staircase():
    assert make_staircase(None, (-8, 7), torch.float32) is None
    assert make_staircase(ideal_transitions((-8, 7)).unsqueeze(0), None, torch.float32) is None
