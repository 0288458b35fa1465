"""What cannot be of a converter or a driver is refused in one line that says what to do."""

import pytest

from crossloom.errors import SpecError
from crossloom.spec import DacSpec, IdealAdc, RampAdc, ReadoutSpec, SarAdc, load_system

MACRO = "chip.core.macro"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"adc": "sar"}, "a sar converter needs codes: give bits"),
        ({"differential_nonlinearity": 0.1}, "need a converter of at most 12 bits, got bits = None"),
        ({"bits": 13, "differential_nonlinearity": 0.1}, "at most 12 bits, got bits = 13: lower bits"),
        ({"bits": 13, "adc": {"kind": "sar", "capacitor_mismatch": 0.1}}, "at most 12 bits"),
        ({"bits": 13, "adc": {"kind": "ramp", "nonlinearity": (0, 1)}}, "at most 12 bits"),
        ({"bits": 1, "is_signed": False, "differential_nonlinearity": 0.1}, "one bit has no code between"),
        ({"bits": 6, "adc": "flash"}, "'ideal', 'ramp', 'sar'"),
        ({"bits": 6, "adc": {"kind": "ramp", "nonlinearity": (0.1,)}}, "at least 2"),
        ({"bits": 6, "adc": {"kind": "ramp", "nonlinearity": (0.0, float("nan"))}}, "finite"),
        ({"bits": 6, "adc": {"kind": "ramp", "slope": 0.1}}, "did you mean slope_error"),
        ({"bits": 6, "adc": {"kind": "ramp", "slope_error": -0.1}}, "greater than or equal to 0"),
        ({"bits": 6, "adc": {"kind": "ramp", "columns_per_ramp": 0}}, "got 0"),
        ({"bits": 6, "adc": {"kind": "sar", "capacitor_mismatch": 1.5}}, "less than or equal to 1"),
        ({"bits": 6, "adc": {"kind": "sar", "comparator_offset": -1}}, "greater than or equal to 0"),
        ({"bits": 6, "differential_nonlinearity": float("inf")}, "finite"),
    ],
    ids=str,
)
def test_a_converter_that_cannot_be_is_refused(fields, message):
    with pytest.raises(SpecError, match=message) as refused:
        ReadoutSpec(**fields)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"nonlinearity": (0.1, 0.2)}, "its first value must be 0, got 0.1"),
        ({"nonlinearity": (0,)}, "at least 2"),
        ({"nonlinearity": (0, float("nan"))}, "finite"),
        ({"level_error": 0.1}, "give bits of at most 12, got bits = None"),
        ({"level_error": 0.1, "bits": 20}, "got bits = 20"),
        ({"level_error": -0.1, "bits": 2}, "greater than or equal to 0"),
    ],
    ids=str,
)
def test_a_driver_that_cannot_be_is_refused(fields, message):
    with pytest.raises(SpecError, match=message) as refused:
        DacSpec(is_signed=True, **fields)
    assert "\n" not in str(refused.value)


def test_a_wide_converter_may_have_offset_and_gain_error():
    assert not ReadoutSpec(
        bits=24, offset=1.0, gain_error=0.1, adc=SarAdc(comparator_offset=1)
    ).has_own_transitions


def test_a_kind_of_converter_may_be_given_by_name_or_from_a_file():
    assert ReadoutSpec(bits=6, adc="ramp").adc == RampAdc()
    system = load_system("isaac", {f"{MACRO}.readout.adc": {"kind": "sar", "capacitor_mismatch": 0.01}})
    assert system.macro.readout.adc == SarAdc(capacitor_mismatch=0.01)
    assert load_system("isaac").macro.readout.adc == IdealAdc()


def test_what_is_wrong_is_told_by_name():
    readout = ReadoutSpec(
        bits=6, offset=0.0, gain_error=0.1, adc=RampAdc(nonlinearity=(0, 0), slope_error=0.1)
    )
    on = {name for name, is_on in readout.imperfections().items() if is_on}
    assert on == {"gain_error", "adc.slope_error"}
    dac = DacSpec(bits=2, is_signed=True, nonlinearity=(0, 0.1), level_error=0.0)
    assert dict(dac.imperfections()) == {"dac.nonlinearity": True, "dac.level_error": False}


def test_without_noise_a_converter_keeps_its_bits_and_its_range():
    integrator = load_system("tsinghua_c200").macro.readout.integrator
    readout = ReadoutSpec(
        bits=4, offset=1.0, adc=SarAdc(capacitor_mismatch=0.1), integrator=integrator, columns_per_adc=8
    )
    assert readout.noiseless() == ReadoutSpec(bits=4, integrator=integrator, columns_per_adc=8)
