"""On-chip learning: networks that learn in their cells, by pulses."""

from crossloom.training.on_chip.array import LearningArray
from crossloom.training.on_chip.config import OnChipConfig
from crossloom.training.on_chip.layers import OnChipLayer
from crossloom.training.on_chip.learn import learn_on_chip
from crossloom.training.on_chip.network import OnChipNetwork
from crossloom.training.on_chip.outer import coincidences, outer_product
from crossloom.training.on_chip.pairs import PairLayout, WeightScale
from crossloom.training.on_chip.result import LearningPoint, OnChipResult
from crossloom.training.on_chip.rules import (
    InPlace,
    Learner,
    MixedPrecision,
    SignUpdate,
    TikiTaka,
    UpdateRule,
)

__all__ = [
    "InPlace",
    "Learner",
    "LearningArray",
    "LearningPoint",
    "MixedPrecision",
    "OnChipConfig",
    "OnChipLayer",
    "OnChipNetwork",
    "OnChipResult",
    "PairLayout",
    "SignUpdate",
    "TikiTaka",
    "UpdateRule",
    "WeightScale",
    "coincidences",
    "learn_on_chip",
    "outer_product",
]
