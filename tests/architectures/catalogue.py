"""All architectures, and what becomes of each on the chips."""

from dataclasses import dataclass
from functools import cache

import torch
from architecture import Architecture
from attentive import ATTENTIVE
from convolutional import CONVOLUTIONAL
from dense import DENSE
from others import OTHERS, RECURRENT

import crossloom as xl
from crossloom.mapping import NodeCoverage, coverage, share_in_memory

ALL = {each.name: each for each in (*CONVOLUTIONAL, *ATTENTIVE, *DENSE, *OTHERS, *RECURRENT)}


@dataclass(frozen=True)
class Compiled:
    """An architecture on the ideal system."""

    architecture: Architecture
    model: torch.nn.Module
    placement: xl.Placement
    rows: tuple[NodeCoverage, ...]

    @property
    def share(self) -> float:
        """Of all multiplications, those in memory."""
        return share_in_memory(self.rows)


@cache
def compiled(name: str) -> Compiled:
    """Trace, quantise, map and place; once for all tests of a process."""
    architecture = ALL[name]
    model = architecture.model()
    placement = xl.compile(
        model, xl.load_system("ideal"), [architecture.batch()], dynamic=architecture.dynamic or None
    )
    return Compiled(architecture, model, placement, coverage(placement.mapped))
