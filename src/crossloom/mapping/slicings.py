"""How a weight is cut into digits that fit cells: w = sum_p coefficient_p * digit_p."""

from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import BeforeValidator, Field

from crossloom.artefacts import saved
from crossloom.spec import Config, by_kind

BitsPerCell = Annotated[int, Field(ge=1, le=16)]


class Digits(NamedTuple):
    """digits: [plane, ...] integers.  coefficients: one per plane.  digit_range: lowest and highest digit."""

    digits: torch.Tensor
    coefficients: tuple[int, ...]
    digit_range: tuple[int, int]


@saved
class Whole(Config):
    """The whole weight is one digit."""

    kind: Literal["whole"] = "whole"

    def cut(self, weight: torch.Tensor, bits: int) -> Digits:
        """The digits of integer weights of `bits` bits, the sign's included."""
        largest = 2 ** (bits - 1) - 1
        return Digits(weight.unsqueeze(0), (1,), (-largest, largest))


@saved
class SignMagnitude(Config):
    """Digits of `bits_per_cell` bits of the magnitude, each with the weight's sign, lowest first."""

    kind: Literal["sign_magnitude"] = "sign_magnitude"
    bits_per_cell: BitsPerCell = 1

    def cut(self, weight: torch.Tensor, bits: int) -> Digits:
        """The digits of integer weights of `bits` bits, the sign's included."""
        digits, coefficients = _planes(weight.abs(), bits - 1, self.bits_per_cell)
        largest = 2 ** min(self.bits_per_cell, bits - 1) - 1
        return Digits(digits * weight.sign(), coefficients, (-largest, largest))


@saved
class TwosComplement(Config):
    """Digits of `bits_per_cell` bits of the low bits, lowest first, then the sign bit, which counts below zero."""

    kind: Literal["twos_complement"] = "twos_complement"
    bits_per_cell: BitsPerCell = 1

    def cut(self, weight: torch.Tensor, bits: int) -> Digits:
        """The digits of integer weights of `bits` bits, the sign's included."""
        top = 2 ** (bits - 1)
        negative = (weight < 0).to(weight.dtype)
        digits, coefficients = _planes(weight + top * negative, bits - 1, self.bits_per_cell)
        largest = 2 ** min(self.bits_per_cell, bits - 1) - 1
        return Digits(torch.cat([digits, negative.unsqueeze(0)]), (*coefficients, -top), (0, largest))


Slicing = Annotated[
    Whole | SignMagnitude | TwosComplement, Field(discriminator="kind"), BeforeValidator(by_kind)
]


def _planes(magnitude: torch.Tensor, bits: int, width: int) -> tuple[torch.Tensor, tuple[int, ...]]:
    shifts = range(0, bits, width)
    shaped = torch.tensor(shifts, device=magnitude.device).view(-1, *[1] * magnitude.dim())
    digits = (magnitude.unsqueeze(0) >> shaped) & (2**width - 1)
    return digits.to(magnitude.dtype), tuple(2**shift for shift in shifts)
