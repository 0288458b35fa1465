"""Update rules: how the gradients of a batch become pulses."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from crossloom.spec import by_kind
from crossloom.training.on_chip.rules.in_place import InPlace
from crossloom.training.on_chip.rules.mixed_precision import MixedPrecision, MixedPrecisionLearner
from crossloom.training.on_chip.rules.rule import Learner, UpdateRule
from crossloom.training.on_chip.rules.sign import SignUpdate
from crossloom.training.on_chip.rules.tiki_taka import TikiTaka, TikiTakaLearner, symmetry_point

Rule = Annotated[
    SignUpdate | MixedPrecision | TikiTaka | InPlace, Field(discriminator="kind"), BeforeValidator(by_kind)
]

__all__ = [
    "InPlace",
    "Learner",
    "MixedPrecision",
    "MixedPrecisionLearner",
    "Rule",
    "SignUpdate",
    "TikiTaka",
    "TikiTakaLearner",
    "UpdateRule",
    "symmetry_point",
]
