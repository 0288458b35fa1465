"""What BoTorch computes for us: models of the goals, and how much a point promises."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from crossloom.search.fronts import losses_of
from crossloom.search.libraries import import_library
from crossloom.search.outcome import Point
from crossloom.search.samplers.features import features_of, free_features
from crossloom.search.space import Space

_NUM_SAMPLES = 128
_BLOCK = 128


@contextmanager
def one_thread(seed: int) -> Iterator[None]:
    """Small models run faster on one thread; the seed serves all draws inside, and outside nothing changes."""
    sampling = import_library("botorch.utils.sampling")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with sampling.manual_seed(seed % 2**31), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of jitter on flat models and of line searches that end early
            yield
    finally:
        torch.set_num_threads(threads)


def prepare_acquisition(
    space: Space, goals: Mapping[str, str], done: Sequence[Point], pending: Sequence[Mapping[str, Any]]
) -> Any:
    """qLogNEI of one goal, qLogNEHVI of several, over features of points; float64."""
    inputs = as_features(space, [point.values for point in done])
    outputs = -torch.from_numpy(losses_of(goals, done))
    model = _fit(inputs, outputs, _variances(goals, done))
    waiting = as_features(space, pending) if pending else None
    sampler = import_library("botorch.sampling").SobolQMCNormalSampler(torch.Size([_NUM_SAMPLES]), seed=0)
    known = {"model": model, "X_baseline": inputs, "sampler": sampler, "X_pending": waiting}
    if len(goals) == 1:
        noisy = import_library("botorch.acquisition.logei").qLogNoisyExpectedImprovement
        return noisy(prune_baseline=True, **known)
    multi = import_library("botorch.acquisition.multi_objective.logei")
    multi.__dict__["_load_attempted"] = (
        True  # else it compiles an extension at its first use, for two minutes
    )
    pareto = import_library("botorch.utils.multi_objective.pareto").is_non_dominated
    infer = import_library("botorch.utils.multi_objective.hypervolume").infer_reference_point
    reference = infer(outputs[pareto(outputs)], max_ref_point=outputs.quantile(0.1, dim=0))
    return multi.qLogNoisyExpectedHypervolumeImprovement(ref_point=reference, prune_baseline=True, **known)


def as_features(space: Space, points: Sequence[Mapping[str, Any]]) -> torch.Tensor:
    """Features [point, feature] of points, float64."""
    return torch.tensor(features_of(space, points), dtype=torch.float64)


@torch.no_grad()
def score(acquisition: Any, space: Space, candidates: Sequence[Mapping[str, Any]]) -> torch.Tensor:
    """The logarithm of what each candidate promises [candidate]."""
    inputs = as_features(space, candidates).unsqueeze(1)
    return torch.cat([acquisition(block) for block in inputs.split(_BLOCK)])


def refine(acquisition: Any, space: Space, values: dict[str, Any]) -> dict[str, Any]:
    """The point with its continuous knobs moved uphill by gradients; everything else stays."""
    free = free_features(space)
    if not free:
        return values
    start = as_features(space, [values])
    columns = [column for column, _ in free]
    fixed = {i: float(start[0, i]) for i in range(start.shape[1]) if i not in columns}
    found, _ = import_library("botorch.optim").optimize_acqf(
        acquisition,
        bounds=torch.tensor([[0.0], [1.0]], dtype=torch.float64).expand(2, start.shape[1]).contiguous(),
        q=1,
        num_restarts=1,
        batch_initial_conditions=start.unsqueeze(0),
        fixed_features=fixed or None,
        options={"maxiter": 50},
    )
    moved = {name: space.knobs[name].from_unit(float(found[0, column])) for column, name in free}
    return {**values, **moved}


def _fit(inputs: torch.Tensor, outputs: torch.Tensor, variances: torch.Tensor | None) -> Any:
    models = import_library("botorch.models")
    standardize = import_library("botorch.models.transforms.outcome").Standardize
    parts = [
        models.SingleTaskGP(
            inputs,
            outputs[:, goal : goal + 1],
            None if variances is None else variances[:, goal : goal + 1],
            outcome_transform=standardize(m=1),
        )
        for goal in range(outputs.shape[1])
    ]
    fit = import_library("botorch.fit").fit_gpytorch_mll
    likelihood = import_library("gpytorch.mlls").ExactMarginalLogLikelihood
    for part in parts:
        fit(likelihood(part.likelihood, part))
    return parts[0] if len(parts) == 1 else models.ModelListGP(*parts)


def _variances(goals: Mapping[str, str], done: Sequence[Point]) -> torch.Tensor | None:
    """Squared standard errors [point, goal]; None when a point lacks one: then noise is fitted."""
    errors = [[p.outcome.errors.get(name) for name in goals] for p in done if p.outcome is not None]
    if any(error is None for row in errors for error in row):
        return None
    squares = torch.tensor(errors, dtype=torch.float64).square()
    return squares.clamp(min=float(squares.max()) * 1e-6 or 1e-12)
