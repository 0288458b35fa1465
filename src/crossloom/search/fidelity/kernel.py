"""How a goal depends on the design and on fidelity: what it is in full, plus what cheaper evaluations add to it."""

import torch
from gpytorch.constraints import Positive
from gpytorch.kernels import Kernel, MaternKernel, ScaleKernel
from gpytorch.means import Mean
from gpytorch.priors import GammaPrior, LogNormalPrior


class GapKernel(Kernel):
    """Covariance g(a)^p g(b)^p of a deviation that grows with the gap g, 0 at full fidelity and 1 at the lowest.

    The power p is learned; its prior's median is 1, for which the deviation is proportional to the gap.
    """

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.register_parameter("raw_power", torch.nn.Parameter(torch.zeros(1)))
        self.register_constraint("raw_power", Positive())
        self.register_prior("power_prior", LogNormalPrior(0.0, 0.5), _power_of, _set_power)
        _set_power(self, 1.0)

    def forward(self, x1, x2, diag=False, **_):
        """Covariance [..., n, m] of gaps [..., n, 1] and [..., m, 1]."""
        power = _power_of(self)
        # A gap of zero has no finite slope in its power: lift it a little, far below anything that is measured.
        first, second = (x1[..., 0] + 1e-9) ** power, (x2[..., 0] + 1e-9) ** power
        return first * second if diag else first.unsqueeze(-1) * second.unsqueeze(-2)


def _power_of(kernel: Kernel) -> torch.Tensor:
    return kernel.raw_power_constraint.transform(kernel.raw_power)  # type: ignore


def _set_power(kernel: Kernel, value: float | torch.Tensor) -> None:
    value = torch.as_tensor(value).to(kernel.raw_power)  # type: ignore
    kernel.initialize(raw_power=kernel.raw_power_constraint.inverse_transform(value))  # type: ignore


class GapMean(Mean):
    """A constant, and a slope along the gap: cheaper evaluations are off by something on average too."""

    def __init__(self, gap_column: int) -> None:
        super().__init__()
        self.gap_column = gap_column
        self.constant = torch.nn.Parameter(torch.zeros(1))
        self.slope = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x):
        """Mean [..., n] at inputs [..., n, d + 1]."""
        return self.constant + self.slope * x[..., self.gap_column]


def design_kernel(num_knobs: int) -> Kernel:
    """Matérn 5/2 over a design in the unit cube, one length per knob."""
    # Median length half the cube for few knobs and longer for many, after Hvarfner et al. (ICML 2024).
    return MaternKernel(
        nu=2.5,
        ard_num_dims=num_knobs,
        active_dims=tuple(range(num_knobs)),
        lengthscale_prior=LogNormalPrior(0.5 * torch.tensor(float(num_knobs)).log().item() - 0.5, 1.0),
    )


def fidelity_kernel(num_knobs: int) -> Kernel:
    """k(x, x') + g^p g'^p k_d(x, x') k_g(g, g'), the gap g in the last column.

    Additive as in Kennedy and O'Hagan (Biometrika 2000): at full fidelity the second part vanishes, and designs keep
    their order at low fidelity as far as the data say so.
    """
    shape = MaternKernel(nu=2.5, active_dims=(num_knobs,), lengthscale_prior=LogNormalPrior(0.0, 0.7))
    deviation = GapKernel(active_dims=(num_knobs,)) * design_kernel(num_knobs) * shape
    return ScaleKernel(design_kernel(num_knobs), outputscale_prior=GammaPrior(2.0, 1.5)) + ScaleKernel(
        deviation, outputscale_prior=GammaPrior(1.5, 3.0)
    )


def full_kernel(num_knobs: int) -> Kernel:
    """k(x, x') alone, for what does not depend on fidelity."""
    return ScaleKernel(design_kernel(num_knobs), outputscale_prior=GammaPrior(2.0, 1.5))
