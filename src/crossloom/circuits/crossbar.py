"""Crossbars for people who think in circuits."""

from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np
import torch

from crossloom.circuits.curves import Curve, Ohmic, in_series, make_curve
from crossloom.circuits.wires import effective_conductance, segments
from crossloom.circuits.wires.bias import Bias
from crossloom.circuits.wires.effective import check_conductance
from crossloom.circuits.wires.gradients import differentiable_currents
from crossloom.circuits.wires.newton import TOLERANCE, Solution, solve
from crossloom.errors import ConfigError
from crossloom.spec import CrossbarSpec, IvSpec, PolynomialIvSpec, SinhIvSpec, TableIvSpec, Wires

Array = TypeVar("Array", np.ndarray, torch.Tensor)


class Crossbar:
    """A crossbar of given conductances: `crossbar @ voltages` are its currents.

    `voltages` [..., row] in V give currents [..., column] in A, of the same kind: NumPy arrays for NumPy arrays,
    tensors for tensors. (So inputs stand on the right, whatever their number, and rows are their last axis.)

        >>> import numpy as np
        >>> from crossloom.spec import Wires
        >>> crossbar = Crossbar(np.full((2, 3), 1e-4), Wires(1.0, 1.0))
        >>> (crossbar @ np.array([0.2, 0.0]) * 1e6).round(3)
        array([19.988, 19.984, 19.982])
    """

    def __init__(
        self,
        conductance: np.ndarray | torch.Tensor,
        spec: Wires | CrossbarSpec | None = None,
        curve: Curve | IvSpec | None = None,
    ) -> None:
        """
        conductance: S, [row, column].  spec: the wires, or a crossbar whose wires, I-V curve, access resistance and
        gating count; None for wires without resistance.  curve: of the cells, in place of what `spec` says; what
        lies in series with them stays.

        Raises ConfigError, naming the place, for conductances that are negative, not finite or none at all, and
        where they do not fit `spec`.
        """
        self._given = conductance
        self.conductance = _tensor("conductance", conductance)
        check_conductance(self.conductance)
        if self.conductance.dim() != 2:
            raise ConfigError(
                f"conductance: need one crossbar, [row, column], got {list(self.conductance.shape)}"
            )
        self.wires, self.curve, self.is_gated = _parts(spec, curve)
        if isinstance(spec, CrossbarSpec):
            _check_size(self.conductance, spec)
        self._effective: torch.Tensor | None = None

    @property
    def is_linear(self) -> bool:
        """Whether one matrix says it all."""
        return isinstance(self.curve, Ohmic) and (self.wires.is_zero or not self.is_gated)

    @property
    def effective(self) -> Any:
        """The matrix by which it multiplies, S, [row, column], like `conductance`. ConfigError when not linear."""
        if not self.is_linear:
            raise ConfigError(
                "effective: this crossbar is not linear (cells are not ohmic, or idle rows are cut off); "
                "use @ or solve"
            )
        return _like(self._matrix(), self._given)

    def _matrix(self) -> torch.Tensor:
        assert isinstance(self.curve, Ohmic)
        if self._effective is None or self.conductance.requires_grad:
            self._effective = effective_conductance(self.curve.static(self.conductance), self.wires)
        return self._effective

    def __matmul__(self, voltages: Array) -> Array:
        given = _tensor("voltages", voltages)
        bias = self._bias(given)
        if self.is_linear:
            currents = given.to(self.conductance.dtype) @ self._matrix()
        else:
            currents = differentiable_currents(self.curve, self.conductance, self._ends(), bias)
            currents = currents.unflatten(0, given.shape[:-1]) if given.dim() > 1 else currents.squeeze(0)
        return _like(currents, voltages)

    def solve(self, voltages: np.ndarray | torch.Tensor | Bias, tolerance: float = TOLERANCE) -> Solution:
        """Currents, and voltages and currents of all nodes and cells, in float64 and without gradients.

        voltages: V, [row] or [vector, row], or all that is done to the lines. The parts of the solution are arrays
        for arrays, and have no axis for vectors where `voltages` have none.

        Raises ConvergenceError where the residual stays above `tolerance`.
        """
        if isinstance(voltages, Bias):
            return solve(self.curve, self.conductance, self._ends(), voltages, None, tolerance, True)
        given = _tensor("voltages", voltages)
        bias = self._bias(given)
        if given.dim() > 2:
            raise ConfigError(f"voltages: need [row] or [vector, row], got {list(given.shape)}")
        solution = solve(self.curve, self.conductance, self._ends(), bias, None, tolerance, True)
        parts = (getattr(solution, field.name) for field in fields(solution))
        return Solution(*(_like(part if given.dim() == 2 else part[0], voltages) for part in parts))

    def _ends(self) -> Any:
        return segments(self.wires, self.conductance.shape[0], self.conductance.shape[1])

    def _bias(self, voltages: torch.Tensor) -> Bias:
        """All lines while these voltages [..., row] are read; ConfigError unless they fit."""
        if not voltages.dim() or voltages.shape[-1] != len(self.conductance):
            raise ConfigError(
                f"voltages: need [..., row] with {len(self.conductance)} rows, got {list(voltages.shape)}"
            )
        bias = Bias(voltages.reshape(-1, voltages.shape[-1]))
        bias.check((self.conductance.shape[0], self.conductance.shape[1]))
        return replace(bias, active=bias.word_lines != 0) if self.is_gated else bias


def _parts(spec: Wires | CrossbarSpec | None, curve: Curve | IvSpec | None) -> tuple[Wires, Curve, bool]:
    if not (spec is None or isinstance(spec, Wires | CrossbarSpec)):
        raise ConfigError(f"spec: need Wires or a CrossbarSpec, got a {type(spec).__name__}")
    if not (curve is None or isinstance(curve, PolynomialIvSpec | SinhIvSpec | TableIvSpec | Curve)):
        raise ConfigError(
            f"curve: need an IvSpec, or an object with current(conductance, voltage), got a {type(curve).__name__}"
        )
    cell = spec.cell if isinstance(spec, CrossbarSpec) else None
    access = None if cell is None else cell.access
    wires = spec.wires if isinstance(spec, CrossbarSpec) else spec
    if curve is None:
        curve = make_curve(None if cell is None else cell.iv, access)
    elif isinstance(curve, PolynomialIvSpec | SinhIvSpec | TableIvSpec):
        curve = make_curve(curve, access)
    elif access is not None:
        curve = in_series(curve, access.resistance)
    return wires or Wires(), curve, access is not None and access.is_gated


def _check_size(conductance: torch.Tensor, spec: CrossbarSpec) -> None:
    if conductance.shape[0] > spec.num_rows or conductance.shape[1] > spec.num_columns:
        raise ConfigError(
            f"conductance: need at most {spec.num_rows} x {spec.num_columns} cells, got {list(conductance.shape)}"
        )


def _tensor(name: str, values: Any) -> torch.Tensor:
    if isinstance(values, torch.Tensor):
        return values
    if isinstance(values, np.ndarray):
        if values.dtype.kind not in "fiub":
            raise ConfigError(f"{name}: need real numbers, got an array of {values.dtype}")
        is_single = values.dtype.kind == "f" and values.dtype.itemsize <= 4
        return torch.from_numpy(np.array(values, dtype=np.float32 if is_single else np.float64))
    raise ConfigError(f"{name}: need a NumPy array or a tensor, got {type(values).__name__}")


def _like(values: torch.Tensor, like: Any) -> Any:
    return values if isinstance(like, torch.Tensor) else values.detach().cpu().numpy()
