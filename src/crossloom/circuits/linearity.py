"""How straight a converter is: its nonlinearities, and the bits that it is worth."""

import math

import torch


def differential_nonlinearity(transitions: torch.Tensor) -> torch.Tensor:
    """By how much each inner code is too wide, [..., code], in codes of mean width; -1 for one that is missing.

    transitions: [..., transition] in any unit, at least 3.
    """
    widths = transitions.diff(dim=-1)
    return widths / widths.mean(-1, keepdim=True) - 1


def integral_nonlinearity(transitions: torch.Tensor) -> torch.Tensor:
    """How far each transition is above the straight line through the first and the last, [..., transition], in codes.

    transitions: [..., transition] in any unit, at least 2.
    """
    first, last = transitions[..., :1], transitions[..., -1:]
    step = (last - first) / (transitions.shape[-1] - 1)
    line = first + step * torch.arange(
        transitions.shape[-1], dtype=transitions.dtype, device=transitions.device
    )
    return (transitions - line) / step


def ramp_test(transitions: torch.Tensor, code_range: tuple[int, int]) -> torch.Tensor:
    """SINAD in dB, [...], by a ramp: every value of the range comes equally often.

    Noise and distortion are what the best straight line leaves of the codes; the signal is a sine over the whole
    range. An ideal converter of N bits leaves 1/12 (1 - 4^-N), and so has 6.02 N + 1.76 dB, within 0.1 dB from 3
    bits on. Offset and gain are those of the line, and cost only what they make clip; read noise is not in it.

    transitions: [..., transition] in codes, ascending.  code_range: the lowest and the highest code; the ramp
    goes from half a code below the one to half a code above the other. Nothing is sampled: the means are exact.
    """
    half, places = _places(transitions, code_range)
    power = half**2 / 3
    slope = ((half**2 - places.square()) / (4 * half)).sum(-1) / power
    left = _variance((half - places) / (2 * half)) - slope.square() * power
    return 10 * torch.log10(slope.square() * half**2 / 2 / left)


def sine_test(transitions: torch.Tensor, code_range: tuple[int, int]) -> torch.Tensor:
    """SINAD in dB, [...], by a sine over the whole range: the sine-wave test of IEEE 1241, at every phase at once.

    Noise and distortion are what the best sine and constant leave of the codes. A transition at A sin(phi) is passed
    with probability 1/2 - phi / pi, and adds cos(phi) / pi to the mean of code times sine. The peaks of a sine are
    slow, and cost an ideal converter some of 6.02 N + 1.76 dB: 0.25 dB at 4 bits, 0.11 at 8, 0.03 at 12.

    Arguments as for `ramp_test`.
    """
    half, places = _places(transitions, code_range)
    phases = (places / half).asin()
    signal = 2 * (phases.cos().sum(-1) / math.pi).square()
    return 10 * torch.log10(signal / (_variance(0.5 - phases / math.pi) - signal))


def effective_bits(transitions: torch.Tensor, code_range: tuple[int, int]) -> torch.Tensor:
    """Effective number of bits, [...]: (SINAD - 1.76 dB) / 6.02 dB, with the SINAD of `ramp_test`.

    >>> transitions = torch.arange(-127.5, 127.5, dtype=torch.float64)
    >>> round(effective_bits(transitions, (-128, 127)).item(), 3)
    8.001
    """
    return (ramp_test(transitions, code_range) - 1.76) / 6.02


def _places(transitions: torch.Tensor, code_range: tuple[int, int]) -> tuple[float, torch.Tensor]:
    """Half the width of the range, and transitions from its middle, no further than its ends."""
    lowest, highest = code_range
    half, middle = (highest - lowest + 1) / 2, (lowest + highest) / 2
    return half, (transitions - middle).clamp(-half, half)


def _variance(passed: torch.Tensor) -> torch.Tensor:
    """Variance of the code, [...], of a converter whose transitions are passed with these probabilities."""
    number = torch.arange(passed.shape[-1], dtype=passed.dtype, device=passed.device)
    return ((2 * number + 1) * passed).sum(-1) - passed.sum(-1).square()
