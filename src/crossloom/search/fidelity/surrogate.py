"""One goal as a Gaussian process over designs and gaps of fidelity."""

import threading
import warnings
from dataclasses import dataclass

import torch
from botorch.exceptions import BotorchWarning
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.kernels import Kernel
from gpytorch.means import ConstantMean, Mean
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.utils.warnings import NumericalWarning

from crossloom.search.fidelity.kernel import GapMean, fidelity_kernel, full_kernel

_EXACT_NOISE = 1e-5  # variance, of deviation 1: keeps the matrices regular, resolves a third of a percent
_MOST_STEPS = 75  # of a fit, which starts where the priors say
_FITS: dict[tuple, "Fit"] = {}
_FITS_LOCK = threading.Lock()


@dataclass(frozen=True)
class Fit:
    """Hyperparameters: what a fit to the first part of a history found."""

    kernel: Kernel
    mean: Mean
    noise: float


@dataclass(frozen=True)
class Surrogate:
    """A Gaussian process of what was seen. Inputs [point, feature + 1], the gap in the last column; values [point]."""

    fit: Fit
    inputs: torch.Tensor
    values: torch.Tensor
    root: torch.Tensor  # Cholesky factor of the covariance of what was seen
    weights: torch.Tensor

    @classmethod
    def of(cls, fit: Fit, inputs: torch.Tensor, values: torch.Tensor) -> "Surrogate":
        """The process with these hyperparameters, knowing these values."""
        covariance = _covariance(fit.kernel, inputs, inputs)
        covariance = covariance + fit.noise * torch.eye(len(inputs), dtype=inputs.dtype)
        root = torch.linalg.cholesky(covariance)
        rest = (values - _mean(fit.mean, inputs)).unsqueeze(-1)
        return cls(fit, inputs, values, root, torch.cholesky_solve(rest, root)[:, 0])

    def with_pending(self, inputs: torch.Tensor) -> "Surrogate":
        """As if these inputs had been seen to be just what is expected of them."""
        return Surrogate.of(
            self.fit, torch.cat([self.inputs, inputs]), torch.cat([self.values, self.mean(inputs)])
        )

    def mean(self, inputs: torch.Tensor) -> torch.Tensor:
        """Expected values [point]."""
        return _mean(self.fit.mean, inputs) + _covariance(self.fit.kernel, inputs, self.inputs) @ self.weights

    def covariance(self, inputs: torch.Tensor) -> torch.Tensor:
        """Joint covariance [point, point], without noise of observations."""
        half = self._half(inputs)
        return _covariance(self.fit.kernel, inputs, inputs) - half.T @ half

    def full_and_at(self, full: torch.Tensor, at: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Variances [point] in full, [..., point] at other gaps with noise, and covariance [..., point] of the two.

        full: [point, feature + 1].  at: [..., point, feature + 1]; both of the same designs.
        """
        flat, many = at.reshape(-1, at.shape[-1]), full.expand_as(at).reshape(-1, at.shape[-1])
        half_full = self._half(full)
        half_at = self._half(flat)
        spread = half_full.repeat(1, len(flat) // len(full))
        variance_full = _diagonal(self.fit.kernel, full, full) - half_full.square().sum(0)
        variance_at = _diagonal(self.fit.kernel, flat, flat) - half_at.square().sum(0) + self.fit.noise
        covariance = _diagonal(self.fit.kernel, many, flat) - (spread * half_at).sum(0)
        shape = at.shape[:-1]
        return variance_full.clamp(min=1e-12), variance_at.reshape(shape), covariance.reshape(shape)

    def _half(self, inputs: torch.Tensor) -> torch.Tensor:
        cross = _covariance(self.fit.kernel, self.inputs, inputs)
        return torch.linalg.solve_triangular(self.root, cross, upper=False)


def fit_process(inputs: torch.Tensor, values: torch.Tensor, has_fidelity: bool, is_exact: bool) -> Fit:
    """Hyperparameters of the largest posterior density, by BoTorch.

    Kept by the data they were fitted to: a search asks for the same ones many times.
    """
    key = (_key_of(inputs), _key_of(values), has_fidelity, is_exact)
    with _FITS_LOCK:
        if key not in _FITS:
            if len(_FITS) > 64:
                _FITS.pop(next(iter(_FITS)))
            _FITS[key] = _fit(inputs, values, has_fidelity, is_exact)
        return _FITS[key]


def _fit(inputs: torch.Tensor, values: torch.Tensor, has_fidelity: bool, is_exact: bool) -> Fit:
    num_features = inputs.shape[-1] - 1
    model = SingleTaskGP(
        inputs,
        values.unsqueeze(-1),
        train_Yvar=torch.full_like(values, _EXACT_NOISE).unsqueeze(-1) if is_exact else None,
        covar_module=(fidelity_kernel if has_fidelity else full_kernel)(num_features),
        mean_module=GapMean(num_features) if has_fidelity else ConstantMean(),
        outcome_transform=None,
    ).double()
    # The fit draws anew where it starts if it fails: from a generator of its own, so that a search repeats itself.
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", BotorchWarning)
        warnings.simplefilter(
            "ignore", NumericalWarning
        )  # of steps of the fit that go too far, and come back
        torch.manual_seed(0)
        fit_gpytorch_mll(
            ExactMarginalLogLikelihood(model.likelihood, model),
            optimizer_kwargs={"options": {"maxiter": _MOST_STEPS}},
        )
    noise = _EXACT_NOISE if is_exact else model.likelihood.noise.detach().item()  # type: ignore
    return Fit(
        model.covar_module.eval().requires_grad_(False),  # type: ignore
        model.mean_module.requires_grad_(False),
        noise,  # type: ignore
    )


def _covariance(kernel: Kernel, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return kernel(first, second).to_dense()


def _diagonal(kernel: Kernel, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return kernel(first, second, diag=True)  # type: ignore


def _mean(mean: Mean, inputs: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return mean(inputs)  # type: ignore


def _key_of(values: torch.Tensor) -> tuple:
    return tuple(values.shape), values.numpy().tobytes()
