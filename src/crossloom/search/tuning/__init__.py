"""Hardware that tunes itself: registers, lines, copies, input modes, and any other knob, over the backend line."""

from crossloom.search.tuning.config import Exhaustive, LayerByLayer, TwoStages
from crossloom.search.tuning.exhaustive import tune_exhaustively
from crossloom.search.tuning.general import Knobs
from crossloom.search.tuning.knapsack import Item, choose_items
from crossloom.search.tuning.mapping_stage import MappingChoice, choose_mapping
from crossloom.search.tuning.options import Option
from crossloom.search.tuning.reference import Reference, choose_reference, make_reference
from crossloom.search.tuning.result import LayerTuning, Scores, TuningResult
from crossloom.search.tuning.tune import tune
from crossloom.search.tuning.two_stages import plan_mapping, tune_in_two_stages

__all__ = [
    "Exhaustive",
    "Item",
    "Knobs",
    "LayerByLayer",
    "LayerTuning",
    "MappingChoice",
    "Option",
    "Reference",
    "Scores",
    "TuningResult",
    "TwoStages",
    "choose_items",
    "choose_mapping",
    "choose_reference",
    "make_reference",
    "plan_mapping",
    "tune",
    "tune_exhaustively",
    "tune_in_two_stages",
]
