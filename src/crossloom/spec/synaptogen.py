"""Synaptogen: cells whose every cycle is drawn from the statistics of measured ReRAM devices."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from crossloom.spec.base import Spec
from crossloom.spec.numbers import Positive
from crossloom.spec.packed import Matrix, Row

NUM_FEATURES = 4


class SynaptogenFit(Spec):
    """What was fitted to measured cycles of one technology. Polynomials stand from their highest power down.

    Features are y = (log10 of the resistance in ohm after RESET, SET voltage, resistance after SET, RESET voltage).

    conducting, insulating: currents (A) over voltage (V) of the two ends that every state is a mixture of.
    read_voltage: V; the voltage of static conductance.
    full_reset_voltage, reset_exponent: U_max and eta of I = a |U_max - U|^eta + c, the curve of a RESET.
    innovation: L of the vector autoregression x_n = L e + sum_i A_i x_(n-i), 4 x 4.
    regression: A_p ... A_1, 4 x 4 each, the oldest first.
    quantiles: per feature the polynomial that takes the normal x to the shape of the measured distribution.
    shares, means, roots: mixture of Gaussians from which a device draws the means and scales of its features:
        share, mean (8) and lower root of the covariance (8 x 8) of every component.
    """

    conducting: Annotated[Row, Field(min_length=2)]
    insulating: Annotated[Row, Field(min_length=2)]
    read_voltage: Positive
    full_reset_voltage: Positive
    reset_exponent: Positive
    innovation: Matrix
    regression: Annotated[tuple[Matrix, ...], Field(min_length=1)]
    quantiles: Matrix
    shares: Annotated[tuple[Positive, ...], Field(min_length=1)]
    means: Matrix
    roots: tuple[Matrix, ...]

    @model_validator(mode="after")
    def _shapes_fit(self) -> Self:
        features, count = NUM_FEATURES, len(self.shares)
        for name, matrix, shape in (
            ("innovation", self.innovation, (features, features)),
            *((f"regression {i}", matrix, (features, features)) for i, matrix in enumerate(self.regression)),
            ("quantiles", self.quantiles, (features, len(self.quantiles[0]) if self.quantiles else 1)),
            ("means", self.means, (count, 2 * features)),
            *((f"root {k}", matrix, (2 * features, 2 * features)) for k, matrix in enumerate(self.roots)),
        ):
            widths = {len(row) for row in matrix}
            if len(matrix) != shape[0] or widths != {shape[1]}:
                raise ValueError(
                    f"need {name} of {shape[0]} x {shape[1]}, got {len(matrix)} rows of {widths}"
                )
        if len(self.roots) != count:
            raise ValueError(f"need one root per share, got {len(self.roots)} for {count}")
        return self

    @model_validator(mode="after")
    def _cycles_settle(self) -> Self:
        import numpy as np

        order, features = len(self.regression), NUM_FEATURES
        step = np.eye(order * features, k=features)
        step[-features:] = np.concatenate([np.asarray(lag) for lag in self.regression], 1)
        radius = float(np.abs(np.linalg.eigvals(step)).max())
        if radius >= 1:
            raise ValueError(
                f"need cycles that settle: spectral radius of regression below 1, got {radius:.4g}"
            )
        return self

    @model_validator(mode="after")
    def _no_current_without_voltage(self) -> Self:
        if self.conducting[-1] or self.insulating[-1]:
            raise ValueError("need polynomials without a constant: no current flows at 0 V")
        return self


class SynaptogenDeviceSpec(Spec):
    """Cells of measured statistics; how they switch is in `crossloom.devices.synaptogen`.

    fit: "published" for the one that ships with Synaptogen (512 measured devices, doi 10.1109/TED.2024.3427616),
        or numbers of one's own.
    read_voltage: V, at which cells are read one by one.
    bandwidth: Hz, of thermal and shot noise in a read; None for reads without noise.
    temperature: K.
    voltage_step: V, by which the RESET voltage rises while a chip brings a cell to its target by itself; None
        for a voltage that rises smoothly.
    max_cycles: how often such a chip cycles a cell whose states do not reach its target; a choice, not measured.
    """

    kind: Literal["synaptogen"] = "synaptogen"
    fit: Literal["published"] | SynaptogenFit = "published"
    read_voltage: Positive = 0.2
    bandwidth: Positive | None = 1e8
    temperature: Positive = 300.0
    voltage_step: Positive | None = None
    max_cycles: Annotated[int, Field(ge=1)] = 4
