"""Points of a Sobol sequence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crossloom.errors import SearchError
from crossloom.search.outcome import Point
from crossloom.search.samplers.sampler import Proposal, Sampler
from crossloom.search.space import Space
from crossloom.seeds import derive_seed


@dataclass(frozen=True)
class Sobol(Sampler):
    """Points that fill the unit cube evenly: the Sobol sequence, scrambled after Owen (torch's engine)."""

    def propose(
        self, space: Space, goals: Mapping[str, str], history: Sequence[Point], number: int, seed: int
    ) -> list[Proposal]:
        """The next points of the sequence; in a finite space some may repeat earlier ones."""
        return [
            Proposal(space.from_unit(shares)) for shares in sobol_shares(space, len(history), number, seed)
        ]

    def check(self, space: Space, goals: Mapping[str, str]) -> None:
        """SearchError when there are more knobs than the sequence has dimensions."""
        from torch.quasirandom import SobolEngine

        if len(space.knobs) > SobolEngine.MAXDIM:
            raise SearchError(f"Sobol serves {SobolEngine.MAXDIM} knobs, got {len(space.knobs)}; use Random")


def sobol_shares(space: Space, start: int, number: int, seed: int) -> list[list[float]]:
    """Places `start` to `start + number` of the sequence [number][knob], in the unit cube."""
    import torch
    from torch.quasirandom import SobolEngine

    engine = SobolEngine(len(space.knobs), scramble=True, seed=derive_seed(seed, "sobol") % 2**31)
    return engine.fast_forward(start).draw(number, dtype=torch.float64).tolist()
