"""The verb: chips find their own settings on data."""

from collections.abc import Mapping
from typing import Any

from crossloom.errors import ConfigError, RunError
from crossloom.programming import ProgrammedChips, Strategy
from crossloom.search.tuning.config import Exhaustive, LayerByLayer, TwoStages
from crossloom.search.tuning.exhaustive import tune_exhaustively
from crossloom.search.tuning.general import Knobs, tune_knobs
from crossloom.search.tuning.layer_by_layer import tune_layer_by_layer
from crossloom.search.tuning.result import TuningResult
from crossloom.search.tuning.samples import Data
from crossloom.search.tuning.two_stages import tune_in_two_stages


def tune(
    chips: ProgrammedChips,
    data: Data,
    knobs: LayerByLayer | TwoStages | Exhaustive | Knobs | Mapping[str, Any] | None = None,
    *,
    strategy: Strategy | None = None,
) -> TuningResult:
    """Tune programmed chips, simulated, recorded or real alike; `result.chips` run as found.

    Args:
        data: a `Dataset`, whose labels give accuracies, or inputs as for `run`. Some samples tune, others judge.
        knobs: the way: `LayerByLayer()` unless given; `TwoStages()` chooses copies and input modes too; a mapping of
            names to `Float`, `Int` and `Choice`, or `Knobs` of them, searches anything; `Exhaustive()` is a reference.
        strategy: how chips are programmed anew, where knobs ask for it; as for `program`.

    Raises DataError when data do not fit or are too few, SearchError for unknown knobs, with the nearest names,
    CapacityError when no mapping fits, before any MVM or pulse.
    """
    if not isinstance(chips, ProgrammedChips):
        raise RunError(
            f"need ProgrammedChips, got a {type(chips).__name__}; program them first: program(placement, backend)"
        )
    knobs = LayerByLayer() if knobs is None else knobs
    if isinstance(knobs, LayerByLayer):
        return tune_layer_by_layer(chips, data, knobs)
    if isinstance(knobs, TwoStages):
        return tune_in_two_stages(chips, data, knobs, strategy)
    if isinstance(knobs, Exhaustive):
        return tune_exhaustively(chips, data, knobs)
    if isinstance(knobs, Mapping):
        knobs = Knobs(knobs)
    if not isinstance(knobs, Knobs):
        raise ConfigError(
            f"knobs: need LayerByLayer, TwoStages, Exhaustive, Knobs or a mapping, got a {type(knobs).__name__}"
        )
    return tune_knobs(chips, data, knobs, strategy)
