"""Search over everything below: knobs, spaces, samplers, stores, `sweep`.

Names are loaded when they are first used, so that a worker process that only runs an objective starts quickly.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crossloom.search.budget import Budget
    from crossloom.search.chips import over_chips
    from crossloom.search.executors import EXECUTORS, Executor, InProcess, Pool, Processes, Ray
    from crossloom.search.goals import Goal
    from crossloom.search.knobs import Choice, Float, Int, Knob
    from crossloom.search.outcome import Outcome, Point
    from crossloom.search.precision import PrecisionChoice, PrecisionOption, choose_precision
    from crossloom.search.samplers import (
        SAMPLERS,
        ContinuousFidelity,
        GaussianProcess,
        Genetic,
        Grid,
        Proposal,
        Random,
        Sampler,
        Sobol,
        Tpe,
    )
    from crossloom.search.space import Space
    from crossloom.search.store import Store
    from crossloom.search.study import Study
    from crossloom.search.sweeping import sweep

_HOMES = {
    "budget": "Budget",
    "chips": "over_chips",
    "executors": "EXECUTORS Executor InProcess Pool Processes Ray",
    "knobs": "Choice Float Int Knob",
    "outcome": "Outcome Point",
    "precision": "PrecisionChoice PrecisionOption choose_precision",
    "samplers": "SAMPLERS ContinuousFidelity GaussianProcess Genetic Grid Proposal Random Sampler Sobol Tpe",
    "space": "Space",
    "store": "Store",
    "goals": "Goal",
    "study": "Study",
    "sweeping": "sweep",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "EXECUTORS",
    "SAMPLERS",
    "Budget",
    "Choice",
    "ContinuousFidelity",
    "Executor",
    "Float",
    "GaussianProcess",
    "Genetic",
    "Goal",
    "Grid",
    "InProcess",
    "Int",
    "Knob",
    "Outcome",
    "Point",
    "Pool",
    "PrecisionChoice",
    "PrecisionOption",
    "Processes",
    "Proposal",
    "Random",
    "Ray",
    "Sampler",
    "Sobol",
    "Space",
    "Store",
    "Study",
    "Tpe",
    "choose_precision",
    "over_chips",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'crossloom.search' has no attribute {name!r}")
    value = getattr(import_module(f"crossloom.search.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
