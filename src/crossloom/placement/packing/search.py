"""The search: a first packing by simple orders, then one bin fewer, again and again, by ruin and recreate."""

from collections.abc import Callable, Container, Iterator, Sequence
from itertools import chain, islice, product
from math import inf
from random import Random

from crossloom.placement.packing.problem import Layout, Problem

SEED = 20100227
DEAL = 300
"""Rectangles that one greedy pass looks at; more are dealt into several hands of the same mix."""

BLUR = (0.2, 0.5, 1.0)
"""By how much a random order may stray from its rule."""

PATIENCE = 0.02
"""Share of a bin by which a random step may be worse than the last."""

HANDY = 60
"""So many rectangles are placed in a round without making it slow."""

EASY_SLACK, LEAST_SHARE = 0.03, 0.1
"""With less than 3 % of the cells to spare, bins of mixed rectangles are hardly ever found: try less."""

Weight = Callable[[int], float]


def weights(problem: Problem) -> tuple[Weight, ...]:
    """What makes a rectangle big, and so go first: area, width, height, half the perimeter, longer side; its load."""
    heights = [height / problem.num_rows for height in problem.heights]
    widths = [width / problem.num_columns for width in problem.widths]
    by_size = (
        lambda i: heights[i] * widths[i],
        lambda i: widths[i] + heights[i] / 100,
        lambda i: heights[i] + widths[i] / 100,
        lambda i: heights[i] + widths[i],
        lambda i: max(heights[i], widths[i]),
    )
    if problem.loads is None or not problem.loads.most:
        return by_size
    shares = [load / problem.loads.most for load in problem.loads.each]
    return (
        *by_size,
        lambda i: shares[i],
        lambda i: shares[i] + heights[i] * widths[i],
        lambda i: max(shares[i], heights[i] * widths[i]),
    )


def solve(problem: Problem, least: int, effort: int) -> tuple[Layout, list[int]]:
    """Packs into as few bins as it finds, at best `least`; returns also what found no room.

    Rectangles as big as a bin need no search: they get the first bins.
    """
    whole = problem.num_rows * problem.num_columns
    fixed = greedy_layout(problem, [i for i, size in enumerate(problem.sizes) if size == whole], 0, ())
    todo = [i for i, size in enumerate(problem.sizes) if size < whole]
    enough = max(0, least - len(fixed))
    layout = first_layout(problem, todo, fixed, enough)
    surplus = [bin for bin in layout if bin >= problem.num_bins]
    random, rounds = Random(SEED), iter(range(effort))
    left: list[int] = []
    if surplus:
        unused = {bin: [] for bin in problem.forbidden if bin not in layout}
        hopeful = islice(rounds, _rounds_worth_trying(problem, layout, surplus, least, effort))
        layout, left = without(problem, unused | layout, surplus, hopeful, random)
    if not left:
        layout = improve(problem, layout, enough, effort, rounds, random)
    left += [i for bin in fixed if bin >= problem.num_bins for i, _, _ in fixed[bin]]
    return _closed_up(problem, fixed | layout), left


def _closed_up(problem: Problem, layout: Layout) -> Layout:
    """The same, but on the first of the bins that are all alike, and without bins that do not exist."""
    clean = sorted(bin for bin in layout if bin < problem.num_bins and bin not in problem.forbidden)
    first = islice(problem.bins(), len(clean))
    same = {bin: layout[bin] for bin in layout if bin in problem.forbidden}
    return {new: layout[old] for new, old in zip(first, clean, strict=True)} | same


def _rounds_worth_trying(
    problem: Problem, layout: Layout, surplus: Sequence[int], least: int, effort: int
) -> int:
    """None if there cannot be room, fewer if a round would have to place very many rectangles."""
    if least > problem.num_bins or sum(problem.sizes) > problem.num_free:
        return 0
    num_left = sum(len(layout[bin]) for bin in surplus)
    return effort * HANDY // max(HANDY, num_left)


def first_layout(problem: Problem, todo: Sequence[int], taken: Container[int], enough: int) -> Layout:
    """The best of several greedy packings, the first that uses no more than `enough` bins."""
    best: Layout = {}
    best_cost: tuple[float, int] = (inf, 0)
    for weight, way in product(weights(problem), range(2)):
        layout = greedy_layout(problem, sorted(todo, key=weight, reverse=True), way, taken)
        surplus = [bin for bin in layout if bin >= problem.num_bins]
        cost = sum(problem.num_cells_in(layout[bin]) for bin in surplus), len(layout)
        if cost < best_cost:
            best, best_cost = layout, cost
        if best_cost <= (0, enough):
            break
    return best


def greedy_layout(problem: Problem, order: Sequence[int], way: int, taken: Container[int]) -> Layout:
    """Fills bin after bin, except those that are taken.

    Many rectangles are dealt into hands first; the last bin of each hand is shared out again at the end.
    """
    bins: Iterator[int] = (bin for bin in problem.bins() if bin not in taken)
    num_hands = -(-len(order) // DEAL)
    if num_hands < 2:
        return _fill_bins(problem, order, way, bins)
    layout: Layout = {}
    again: set[int] = set()
    for hand in range(num_hands):
        filled = _fill_bins(problem, order[hand::num_hands], way, bins)
        last, placed = filled.popitem()
        bins = chain([last], bins)
        again.update(i for i, _, _ in placed)
        layout |= filled
    return layout | _fill_bins(problem, [i for i in order if i in again], way, bins)


def _fill_bins(problem: Problem, order: Sequence[int], way: int, bins: Iterator[int]) -> Layout:
    layout: Layout = {}
    rest = list(order)
    while rest:
        bin = next(bins)
        placed, rest = problem.fill(bin, rest, way)
        if placed:
            layout[bin] = placed
    return layout


def improve(
    problem: Problem, layout: Layout, enough: int, effort: int, rounds: Iterator, random: Random
) -> Layout:
    """Empties one bin after another until `enough` are left, one resists, or no `rounds` are left."""
    for _ in range(len(layout) - enough):
        emptiest = min(layout, key=lambda bin: (problem.num_cells_in(layout[bin]), bin))
        share = _share_worth_trying(problem, layout)
        smaller, left = without(problem, layout, [emptiest], islice(rounds, int(share * effort)), random)
        if left:
            break
        layout = smaller
    return layout


def _share_worth_trying(problem: Problem, layout: Layout) -> float:
    """Share of the rounds to spend on saving one bin: all, or fewer if next to no cell would be left free."""
    room = (len(layout) - 1) * problem.num_rows * problem.num_columns
    slack = 1 - sum(map(problem.num_cells_in, layout.values())) / room
    return min(1.0, max(LEAST_SHARE, slack / EASY_SLACK))


def without(
    problem: Problem, layout: Layout, drop: Sequence[int], rounds: Iterator, random: Random
) -> tuple[Layout, list[int]]:
    """Tries to spread what lies in the bins `drop` over the others; returns also what it could not place.

    Every round empties one to three bins and fills them anew, together with what is left over, in a random
    order; a round that leaves too many cells over is taken back (ruin and recreate: Schrimpf et al. 2000,
    Journal of Computational Physics 159, 139).
    """
    left = [i for bin in drop for i, _, _ in layout[bin]]
    dropped = set(drop)
    layout = {bin: placed for bin, placed in layout.items() if bin not in dropped}
    if not layout:
        return layout, left
    num_left = problem.num_cells(left)
    best, fewest, best_left = layout, num_left, left
    patience = PATIENCE * problem.num_rows * problem.num_columns
    by = weights(problem)
    for _ in rounds:
        bins = _draw_bins(list(layout), random)
        pool = left + [i for bin in bins for i, _, _ in layout[bin]]
        rest = _blurred(pool, by[int(random.random() * len(by))], random)
        way = int(random.random() * 6)
        filled = {}
        for bin in bins:
            filled[bin], rest = problem.fill(bin, rest, way)
        num_rest = problem.num_cells(rest)
        if num_rest <= num_left + patience * random.random():
            layout, left, num_left = layout | filled, rest, num_rest
            if num_left < fewest:
                best, fewest, best_left = layout, num_left, left
        if not left:
            break
    return {bin: placed for bin, placed in best.items() if placed}, best_left


def _draw_bins(bins: list[int], random: Random) -> list[int]:
    """One to three different bins, mostly two."""
    wanted = (1, 2, 2, 3)[int(random.random() * 4)]
    return [bins.pop(int(random.random() * len(bins))) for _ in range(min(wanted, len(bins)))]


def _blurred(rectangles: list[int], weight: Weight, random: Random) -> list[int]:
    """The rectangles, about from the biggest to the smallest."""
    blur = 2 * BLUR[int(random.random() * len(BLUR))]
    noisy = {i: weight(i) * (1 + blur * (random.random() - 0.5)) for i in rectangles}
    return sorted(rectangles, key=noisy.__getitem__, reverse=True)
