"""From one technology node to another, by a law simple enough to be stated, with the range that it leaves.

With s the ratio of the nodes and v that of their supplies: switched capacitance goes with s, so energy with s v²;
constant supply gives s, and scaling of all voltages with the node (Dennard et al., IEEE J. Solid-State Circuits 9,
256 (1974)) s³: these two are the range. Area goes with s²; analog parts shrink less, so s is the other end of
its range. Delay goes with s.
"""

from itertools import pairwise

from crossloom.cost.amount import Amount, Bounds

# Nominal core supplies, V, at nodes in nm: ITRS 2001-2013 (high performance), rounded to a tenth.
SUPPLIES = (
    (7, 0.7),
    (14, 0.8),
    (22, 0.8),
    (32, 0.9),
    (45, 1.0),
    (65, 1.1),
    (90, 1.2),
    (130, 1.3),
    (180, 1.8),
)


def nominal_supply(node: float) -> float:
    """The nominal supply, V, of a node, m: between those of its neighbours.

    >>> nominal_supply(65e-9), round(nominal_supply(28e-9), 2)
    (1.1, 0.86)
    """
    size = node * 1e9
    if size <= SUPPLIES[0][0]:
        return SUPPLIES[0][1]
    for (low, under), (high, over) in pairwise(SUPPLIES):
        if size <= high + 1e-6:
            return under + (over - under) * (size - low) / (high - low)
    return SUPPLIES[-1][1]


def energy_ratio(shrink: float, supply: float) -> Bounds:
    """How much energy a switched capacitance takes on another node: `shrink` and `supply` are new over old."""
    return _ordered(shrink * supply**2, shrink, shrink**3)


def area_ratio(shrink: float) -> Bounds:
    """How much area it takes there."""
    return _ordered(shrink**2, shrink**2, shrink)


def scale(amount: Amount | None, ratio: Bounds) -> Amount | None:
    """A number of a table, with both its own range and that of the ratio."""
    if amount is None:
        return None
    return Amount.of(Bounds(*(value * factor for value, factor in zip(amount.bounds, ratio, strict=True))))


def _ordered(typical: float, *ends: float) -> Bounds:
    return Bounds(typical, min(typical, *ends), max(typical, *ends))
