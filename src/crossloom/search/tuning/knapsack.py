"""Which option for every layer: least harm in sum, within a capacity. A multiple-choice knapsack, solved exactly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crossloom.errors import CapacityError
from crossloom.search.libraries import import_library


@dataclass(frozen=True)
class Item:
    """One option of one layer: how much it harms, and how much of the capacity it takes."""

    harm: float
    size: float


def choose_items(groups: Mapping[str, Sequence[Item]], capacity: float) -> Mapping[str, int]:
    """The number of the option that each group takes: sum of harm least, sum of sizes at most `capacity`.

    By integer programming, to the optimum (scipy's HiGHS). Raises CapacityError when even the smallest options do not
    fit, MissingDependencyError without scipy.
    """
    if not groups:
        return {}
    needed = sum(min(item.size for item in items) for items in groups.values())
    if needed > capacity:
        raise CapacityError(
            f"the smallest options take {needed:,.0f} cells of {capacity:,.0f}; use a larger system or fewer layers"
        )
    taken = _solve(groups, capacity)
    return {name: next(options) for name, options in zip(groups, taken, strict=True)}


def _solve(groups: Mapping[str, Sequence[Item]], capacity: float):
    """An iterator for every group over the numbers of the options that are taken: one each."""
    import numpy

    optimize = import_library("scipy.optimize")
    items = [item for group in groups.values() for item in group]
    lengths = [len(group) for group in groups.values()]
    owners = numpy.repeat(numpy.arange(len(lengths)), lengths)
    one_each = numpy.equal.outer(numpy.arange(len(lengths)), owners).astype(float)
    sizes = numpy.array([item.size for item in items])
    harms = numpy.array([item.harm for item in items])
    scale = max(abs(harms).max(), 1e-300)
    answer = optimize.milp(
        harms / scale,
        integrality=numpy.ones(len(items)),
        bounds=optimize.Bounds(0, 1),
        constraints=[
            optimize.LinearConstraint(one_each, 1, 1),
            optimize.LinearConstraint(sizes[None] / capacity, -numpy.inf, 1.0),
        ],
        options={"mip_rel_gap": 0.0},
    )
    if answer.x is None:
        raise CapacityError(f"no choice of options fits {capacity:,.0f} cells ({answer.message})")
    chosen = numpy.split(answer.x.round().astype(int), numpy.cumsum(lengths)[:-1])
    return [iter(part.nonzero()[0].tolist()) for part in chosen]
