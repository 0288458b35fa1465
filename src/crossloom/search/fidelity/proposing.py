"""From a history to proposals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from crossloom.search.fidelity.belief import Belief
from crossloom.search.fidelity.bounds import is_unbeaten
from crossloom.search.fidelity.choosing import choose, sampled_bounds, shortlist
from crossloom.search.fidelity.designs import Design, neighbours, spread, unique
from crossloom.search.fidelity.evidence import Evidence
from crossloom.search.fidelity.features import encode
from crossloom.search.outcome import Point
from crossloom.search.samplers import Proposal
from crossloom.search.space import Space
from crossloom.seeds import derive_generator, derive_seed

if TYPE_CHECKING:
    from crossloom.search.samplers import ContinuousFidelity

Goals = Mapping[str, str]

_NUM_LEVELS = 8  # fidelities tried for each design on the shortlist
_SHORTLIST = 96
_LEAST = 4  # finished points before anything can be learned


def propose(
    sampler: ContinuousFidelity,
    space: Space,
    goals: Goals,
    history: Sequence[Point],
    number: int,
    seed: int,
) -> list[Proposal]:
    """First designs as long as there are any, then by information."""
    reached: dict[str, float] = {}
    for point in history:
        fidelity = 1.0 if point.state == "failed" else point.fidelity
        reached[space.key(point.values)] = max(reached.get(space.key(point.values), 0.0), fidelity)
    planned = initial(sampler, space, seed)
    first = [one for one in planned if one.fidelity > reached.get(space.key(one.values), 0.0)]
    if first:
        return first[:number]
    evidence = Evidence.of(space, goals, history)
    if len(evidence.keys) < _LEAST:
        return _more(sampler, space, history, number, seed)
    return _by_information(sampler, space, goals, evidence, number, derive_seed(seed, len(history)))


def initial(sampler: ContinuousFidelity, space: Space, seed: int) -> list[Proposal]:
    """Designs over the whole space at the lowest fidelity; every fourth half-way up too, and every 16th in full."""
    number = sampler.num_initial or 2 * len(space.knobs) + 2
    found = []
    for index, design in enumerate(spread(space, number, derive_seed(seed, "initial") % 2**31)):
        wanted = [sampler.lowest, *([sampler.lowest**0.5] * (index % 4 == 0)), *([1.0] * (index % 16 == 0))]
        found += [Proposal(design, level) for level in snap(sampler, wanted).unique().tolist()]
    return found


def recommend(
    sampler: ContinuousFidelity, space: Space, goals: Goals, history: Sequence[Point]
) -> list[Proposal]:
    """Designs seen that no other is expected to beat in all goals, even if they turn out a sigma better."""
    evidence = Evidence.of(space, goals, history)
    if len(evidence.keys) < _LEAST:
        return []
    belief = Belief.of(sampler, space, goals, evidence)
    rows = evidence.first_of_each()
    means, spreads = belief.means(evidence.features[rows]), belief.spreads(evidence.features[rows])
    may_lead = is_unbeaten(means + spreads, means)
    return [Proposal(evidence.designs[row]) for row, may in zip(rows, may_lead.tolist(), strict=True) if may]


def _by_information(
    sampler: ContinuousFidelity, space: Space, goals: Goals, evidence: Evidence, number: int, seed: int
) -> list[Proposal]:
    belief = Belief.of(sampler, space, goals, evidence)
    generator = derive_generator(seed, "fronts")
    designs, floors = _candidates(sampler, space, belief, evidence, generator)
    features = encode(space, designs)
    bounds = sampled_bounds(belief, features, sampler.bound, sampler.num_samples, generator)
    short = shortlist(belief, features, floors, bounds, _SHORTLIST)
    if not len(short):
        return []
    features, floors, bounds = features[short], floors[short], bounds[:, short]
    fidelities = _levels(sampler, len(short), generator)
    proposals: list[Proposal] = []
    while len(proposals) < number:
        pick = choose(belief, features, fidelities, floors, bounds)
        if pick is None:
            break
        proposals.append(Proposal(designs[int(short[pick.design])], pick.fidelity))
        floors[pick.design] = pick.fidelity
        if len(proposals) < number:
            row = features[pick.design : pick.design + 1]
            belief = belief.with_pending(row, torch.tensor([pick.fidelity], dtype=torch.float64))
    return proposals


def _candidates(
    sampler: ContinuousFidelity,
    space: Space,
    belief: Belief,
    evidence: Evidence,
    generator: torch.Generator,
) -> tuple[list[Design], torch.Tensor]:
    """Designs that can still be evaluated, and the fidelity at which each was."""
    half = sampler.num_candidates // 2
    anew = spread(space, half, int(torch.randint(2**31, (1,), generator=generator)))
    near = neighbours(space, _leaders(space, belief, evidence), half, generator)
    pending = [item.values for item in evidence.pending]
    designs = unique(space, [*evidence.designs, *pending, *anew, *near])
    reached = evidence.best_fidelities(space)
    kept = [design for design in designs if space.key(design) not in evidence.avoided]
    floors = [reached.get(space.key(design), 0.0) for design in kept]
    return kept, torch.tensor(floors, dtype=torch.float64)


def _leaders(space: Space, belief: Belief, evidence: Evidence) -> list[Design]:
    """Designs seen whose expected full goals are on the front."""
    rows = evidence.first_of_each()
    means = belief.means(evidence.features[rows])
    is_leader = is_unbeaten(means, means)
    return [evidence.designs[row] for row, leads in zip(rows, is_leader.tolist(), strict=True) if leads]


def _levels(sampler: ContinuousFidelity, number: int, generator: torch.Generator) -> torch.Tensor:
    """Fidelities [level, design]: one drawn from every part of the range of logarithms, and 1."""
    if sampler.lowest == 1:
        return torch.ones(1, number, dtype=torch.float64)
    parts = torch.arange(_NUM_LEVELS - 1, dtype=torch.float64).unsqueeze(-1)
    place = (parts + torch.rand(_NUM_LEVELS - 1, number, dtype=torch.float64, generator=generator)) / (
        _NUM_LEVELS - 1
    )
    drawn = sampler.lowest ** (1 - place)
    drawn[0] = sampler.lowest
    return torch.cat([snap(sampler, drawn), torch.ones(1, number, dtype=torch.float64)])


def snap(sampler: ContinuousFidelity, fidelities: torch.Tensor | list[float]) -> torch.Tensor:
    """The nearest fidelities, in their logarithms, that can be asked for."""
    found = torch.as_tensor(fidelities, dtype=torch.float64)
    if sampler.levels is None:
        return found
    levels = torch.tensor([*sampler.levels, 1.0], dtype=torch.float64)
    return levels[(found.log().unsqueeze(-1) - levels.log()).abs().argmin(-1)]


def _more(
    sampler: ContinuousFidelity, space: Space, history: Sequence[Point], number: int, seed: int
) -> list[Proposal]:
    """More designs at the lowest fidelity, where too few of the first ones could be evaluated."""
    tried = {space.key(point.values) for point in history}
    designs = spread(space, len(tried) + 8 * number, derive_seed(seed, "more") % 2**31)
    lowest = float(snap(sampler, [sampler.lowest]))
    left = [design for design in designs if space.key(design) not in tried]
    return [Proposal(design, lowest) for design in left[:number]]
