"""Maximum likelihood: Newton's method on automatic derivatives, and errors that hold for wrong models too."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from crossloom.errors import DataError

Density = Callable[[torch.Tensor], torch.Tensor]

_MAX_STEPS = 200
_ENOUGH = 1e-9
_FEW = 10


@dataclass(frozen=True)
class Estimate:
    """Where a likelihood is highest.

    values: [parameter].  covariance: [parameter, parameter], of `values`.  log_likelihood: natural.
    degrees_of_freedom: independent measurements less parameters.
    is_robust: whether the covariance holds for measurements that are not Gaussian or not independent.
    """

    values: torch.Tensor
    covariance: torch.Tensor
    log_likelihood: float
    degrees_of_freedom: int
    is_robust: bool

    @property
    def errors(self) -> torch.Tensor:
        """Standard errors, [parameter]."""
        return self.covariance.diagonal().clamp(min=0).sqrt()

    def scaled(self, factors: torch.Tensor) -> "Estimate":
        """The same in other units: every value times its factor, [parameter]."""
        covariance = self.covariance * factors[:, None] * factors
        return replace(self, values=self.values * factors, covariance=covariance)


def maximize(
    log_density: Density,
    start: torch.Tensor,
    groups: torch.Tensor,
    what: str,
    num_errors: float | None = None,
) -> Estimate:
    """Maximise the sum over rows of `log_density` (parameters [parameter] to [row]) from `start`.

    Where the density is not finite no step goes, so a spread stays positive without a transformation.
    groups: [row], 0 to n - 1; rows of one group (a cell) may depend on one another. The covariance is
    H^-1 (sum of s s^T over groups) H^-1 with the observed information H and a group's score s (White,
    Econometrica 50, 1 (1982)), times n / (n - parameters): it holds for measurements that are not Gaussian,
    and for cells that were measured several times. No standard error is below that of H^-1, which takes the model
    at its word: few groups make the other too small. With fewer than 10 groups more than parameters it is H^-1
    alone, and every one of `num_errors` (None: one a row) counts as independent. `what` names the fit in errors.

    DataError when there are too few measurements, or when they do not determine every parameter.
    """
    num_groups, num_parameters = int(groups.max()) + 1, len(start)
    is_robust = num_groups >= num_parameters + _FEW
    freedom = (num_groups if is_robust else round(num_errors or len(groups))) - num_parameters
    if freedom < 1:
        raise DataError(
            f"{what}: need more than {num_parameters} measurements for {num_parameters} parameters, got "
            f"{freedom + num_parameters}; measure more cells, or fit with a lower degree"
        )
    values = _climb(log_density, start, what)
    inverse = _invert(_derivatives(log_density, values)[1], what)
    if is_robust:
        scores = _scores(log_density, values)
        summed = torch.zeros(num_groups, num_parameters, dtype=scores.dtype).index_add_(0, groups, scores)
        robust = inverse @ (summed.T @ summed) @ inverse * (num_groups / freedom)
        wider = (inverse.diagonal() / robust.diagonal()).clamp(min=1).sqrt()
        inverse = robust * wider[:, None] * wider
    return Estimate(values, inverse, log_density(values).sum().item(), freedom, is_robust)


def _climb(log_density: Density, start: torch.Tensor, what: str) -> torch.Tensor:
    """Newton steps, damped until each one rises."""
    values, height, damping = start, log_density(start).sum(), 1e-3
    if not height.isfinite():
        raise DataError(f"{what}: the fit finds no place to start from; see whether the columns are right")
    for _ in range(_MAX_STEPS):
        slope, curvature = _derivatives(log_density, values)
        while True:
            step = _damped_step(curvature, slope, damping)
            gain = (step @ slope).item()
            tried = log_density(values + step).sum()
            if gain < _ENOUGH:
                return values + step if tried >= height else values
            if tried.isfinite() and tried > height:
                break
            damping = max(damping, 1e-6) * 8
        values, height, damping = values + step, tried, damping / 16
    raise DataError(f"{what}: the fit has not converged; fit with a lower degree")


def _derivatives(log_density: Density, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The slope [parameter] of the log-likelihood, and its curvature [parameter, parameter], above 0 at a maximum."""
    at = values.clone().requires_grad_()
    (slope,) = torch.autograd.grad(log_density(at).sum(), at, create_graph=True)
    rows = [torch.autograd.grad(part, at, retain_graph=True)[0] for part in slope]
    return slope.detach(), -torch.stack(rows)


def _scores(log_density: Density, values: torch.Tensor) -> torch.Tensor:
    """The slope of every row, [row, parameter]: derivatives by the rows' weights of the slope of a weighted sum."""
    at = values.clone().requires_grad_()
    density = log_density(at)
    weights = torch.ones_like(density, requires_grad=True)
    (slope,) = torch.autograd.grad((density * weights).sum(), at, create_graph=True)
    columns = [torch.autograd.grad(part, weights, retain_graph=True)[0] for part in slope]
    return torch.stack(columns, 1)


def _damped_step(curvature: torch.Tensor, slope: torch.Tensor, damping: float) -> torch.Tensor:
    """A step uphill: along every principal axis at least as cautious as the curvature asks for."""
    amounts, axes = torch.linalg.eigh(curvature)
    floor = amounts.abs().max().clamp(min=1e-12) * 1e-12
    return axes @ ((axes.T @ slope) / (amounts.abs().clamp(min=floor) * (1 + damping)))


def _invert(curvature: torch.Tensor, what: str) -> torch.Tensor:
    """The inverse of the observed information, balanced first so that units do not matter."""
    scales = curvature.diagonal().abs().clamp(min=1e-300).rsqrt()
    balanced = curvature * scales[:, None] * scales
    if torch.linalg.eigvalsh(balanced).min() < 1e-10:
        raise DataError(
            f"{what}: the data do not determine all {len(curvature)} parameters; "
            "measure at more conductances, or fit with a lower degree"
        )
    return torch.linalg.inv(balanced) * scales[:, None] * scales
