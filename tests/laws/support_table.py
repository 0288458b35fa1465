"""Writes docs/effects.md from what the composition matrix finds: python tests/laws/support_table.py"""

import sys
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from laws.effects import EFFECTS, changes

PAGE = Path(__file__).parents[2] / "docs" / "effects.md"
_INTRODUCTION = """# Effects, and how they combine

Every nonideality of a simulated chip is a field of its specification, and any subset of them may be switched on: all
meet in one forward function. This table was not written by hand: `python tests/laws/support_table.py` switches on each
effect alone and with every other one (a 30 x 12 layer on small crossbars, chips of seed 2, a day after programming)
and looks whether the answer changes. `make test` does the same, and fails where one of two effects drops the other.

| effect | field of `chip.core.macro` | alone | with every other |
|---|---|---|---|
"""
_END = """
Where cells are not ohmic, or idle rows are gated off between wires with resistance, every cycle of every input vector
is solved as a circuit ([crossbars](crossbars.md)), which takes about two seconds for 64 vectors on 64 x 64 cells: all
the rest multiplies by one matrix. Noise behind wires is exact to first order only
([decision 0009](decisions/0009-noise-goes-through-wires.md)). Read disturb shows when next something happens to a macro
(time, a read, a write), so that a run meets the same cells from its first sample to its last.
"""


def rows() -> dict[str, tuple[bool, list[str]]]:
    """For every effect: whether it does anything alone, and the effects beside which it does nothing."""
    dropped: dict[str, list[str]] = {name: [] for name in EFFECTS}
    for one, other in combinations(EFFECTS, 2):
        if not changes(one, [other]):
            dropped[one].append(other)
        if not changes(other, [one]):
            dropped[other].append(one)
    return {name: (changes(name), dropped[name]) for name in EFFECTS}


def page(found: dict[str, tuple[bool, list[str]]]) -> str:
    """The whole page."""
    lines = []
    for name, (alone, dropped) in found.items():
        others = f"all {len(EFFECTS) - 1}" if not dropped else f"not with {', '.join(dropped)}"
        where = EFFECTS[name].where.replace("cell.", "crossbar.cell.")
        lines.append(f"| {name} | `{where}` | {'changes the answer' if alone else 'no change'} | {others} |")
    return _INTRODUCTION + "\n".join(lines) + "\n" + _END


if __name__ == "__main__":
    PAGE.write_text(page(rows()))
