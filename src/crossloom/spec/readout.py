"""What turns a column's current into a code."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from crossloom.spec.adc import MAX_BITS, Adc, IdealAdc, RampAdc
from crossloom.spec.base import Spec
from crossloom.spec.numbers import Count, NonNegative, Positive


class IntegratorSpec(Spec):
    """Charge integration: n * time_step seconds onto `capacitance` farad; `full_scale` volt is the top code."""

    capacitance: Positive
    full_scale: Positive
    time_step: Positive
    max_time: Count


class ReadoutSpec(Spec):
    """What turns a column's current into a code: `clamp(round(gain * S))`, where nothing is wrong with it.

    bits: of the code; None for an ideal converter that gives the exact value.
    is_signed: codes from -2^(bits-1) to 2^(bits-1) - 1, else from 0 to 2^bits - 1.
    integrator: None when the range can be set freely: then the integration time n *is* the gain.
    adc: the kind of converter, with what is wrong with its parts.
    offset: standard deviation over converters of the offset, in codes, drawn once per chip.
    gain_error: the same for the gain, as a share.
    differential_nonlinearity: standard deviation over codes of a code's width, in codes, drawn once per chip,
        beside what `adc` says. The end points stay: those are for offset and gain.
    columns_per_adc: columns that take turns at one converter, and share what is wrong with it; None when not
        published: one each.
    """

    bits: Annotated[int, Field(ge=1, le=32)] | None = None
    is_signed: bool = True
    integrator: IntegratorSpec | None = None
    adc: Adc = IdealAdc()
    offset: NonNegative | None = None
    gain_error: NonNegative | None = None
    differential_nonlinearity: NonNegative | None = None
    columns_per_adc: Count | None = None

    @model_validator(mode="after")
    def _an_integrator_needs_codes(self) -> Self:
        if self.integrator is not None and self.bits is None:
            raise ValueError("an integrator needs a converter: give bits, or leave the integrator out")
        return self

    @model_validator(mode="after")
    def _there_is_a_code_above_zero(self) -> Self:
        if self.is_signed and self.bits == 1:
            raise ValueError(
                "one bit of a signed converter is its sign alone: give bits >= 2, or is_signed = false"
            )
        return self

    @model_validator(mode="after")
    def _transitions_need_codes(self) -> Self:
        if self.bits is None and self.adc.kind != "ideal":
            raise ValueError(f"a {self.adc.kind} converter needs codes: give bits, or leave adc out")
        if self.has_own_transitions and (self.bits is None or self.bits > MAX_BITS):
            raise ValueError(
                f"transitions out of place need a converter of at most {MAX_BITS} bits, got bits = {self.bits}: "
                "lower bits, or leave out differential_nonlinearity, nonlinearity and capacitor_mismatch"
            )
        if self.differential_nonlinearity and self.bits == 1:
            raise ValueError(
                "one bit has no code between two transitions: leave out differential_nonlinearity"
            )
        return self

    @property
    def code_range(self) -> tuple[int, int] | None:
        """The lowest and the highest code; None when the converter is ideal."""
        if self.bits is None:
            return None
        return (
            (-(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1) if self.is_signed else (0, 2**self.bits - 1)
        )

    @property
    def max_time(self) -> int | None:
        """The largest integration time that the register holds; None when any positive number will do."""
        return self.integrator.max_time if self.integrator else None

    @property
    def has_own_transitions(self) -> bool:
        """Whether transitions lie elsewhere than those of an ideal converter, beyond offset and gain."""
        return bool(self.differential_nonlinearity) or self.adc.has_own_transitions

    @property
    def columns_per_transitions(self) -> int | None:
        """Columns that share one set of transitions: those of a ramp, or of a converter; None for all."""
        return self.adc.columns_per_ramp if isinstance(self.adc, RampAdc) else self.columns_per_adc or 1

    def imperfections(self) -> Mapping[str, bool]:
        """Whether each thing that may be wrong with the converters is switched on, by name."""
        names = ("offset", "gain_error", "differential_nonlinearity")
        return {**{name: bool(getattr(self, name)) for name in names}, **self.adc.imperfections()}

    def noiseless(self) -> "ReadoutSpec":
        """The same readout with ideal converters of as many bits."""
        return self.replace(adc=IdealAdc(), offset=None, gain_error=None, differential_nonlinearity=None)
