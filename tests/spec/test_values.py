"""Specifications and choices are frozen values."""

import pickle

import pytest
from pydantic import ValidationError

from crossloom.errors import ConfigError, SpecError
from crossloom.mapping import MappingConfig, SignMagnitude
from crossloom.placement import PlacementConfig
from crossloom.quant import QuantConfig
from crossloom.spec import (
    BitSerial,
    CellSpec,
    DacSpec,
    GaussianDeviceSpec,
    IntegratorSpec,
    ReadoutSpec,
    SpreadSpec,
    load_system,
)


def test_a_specification_cannot_be_changed():
    system = load_system("ideal")
    with pytest.raises(ValidationError):
        system.num_chips = 9
    with pytest.raises(ValidationError):
        system.macro.cell.g_max = 1.0
    assert system.num_chips == 8


def test_a_changed_copy_is_checked_anew():
    cell = CellSpec(g_min=1e-6, g_max=2e-6)
    assert cell.replace(g_max=3e-6).g_max == 3e-6
    assert cell.g_max == 2e-6
    with pytest.raises(SpecError, match="g_min < g_max"):
        cell.replace(g_max=1e-7)
    with pytest.raises(SpecError, match="no field"):
        cell.replace(g_maximum=1e-7)


def test_a_copy_can_take_other_specifications():
    cell = CellSpec(g_min=0, g_max=1).replace(device=GaussianDeviceSpec(variation=0.1))
    assert cell.device == GaussianDeviceSpec(variation=0.1)


def test_equal_values_are_equal():
    assert load_system("ideal") == load_system("ideal")
    assert CellSpec(g_min=0, g_max=1) != CellSpec(g_min=0, g_max=2)
    assert hash(BitSerial()) == hash(BitSerial(bits_per_pulse=1))


def test_a_wrong_choice_is_a_config_error_and_a_wrong_fact_a_spec_error():
    for wrong in (
        lambda: QuantConfig(weight_bits=0),
        lambda: QuantConfig(weight_bit=4),
        lambda: QuantConfig(percentile=50),
        lambda: MappingConfig(copies=0),
        lambda: MappingConfig(integration_time=0),
        lambda: MappingConfig(slicing=SignMagnitude(), layers={"a": {"copis": 1}}),
        lambda: MappingConfig(encoding={"kind": "ternary"}),
        lambda: PlacementConfig(effort=-1),
        lambda: PlacementConfig(forbidden=({"chip": 0, "num_rows": 0, "num_columns": 1},)),
        lambda: SignMagnitude(bits_per_cell=0),
    ):
        with pytest.raises(ConfigError):
            wrong()
    for wrong in (lambda: CellSpec(g_min=1, g_max=0), lambda: DacSpec(), lambda: BitSerial(bits_per_pulse=0)):
        with pytest.raises(SpecError):
            wrong()


def test_an_unknown_field_deep_inside_is_named_with_its_path_and_the_nearest():
    with pytest.raises(ConfigError, match=r"layers\.conv\.copis is no field here; did you mean copies"):
        MappingConfig(layers={"conv": {"copis": 2}})
    with pytest.raises(ConfigError, match=r"forbidden\.0\.colum .*did you mean column"):
        PlacementConfig(forbidden=[{"chip": 0, "num_rows": 1, "num_columns": 1, "colum": 2}])


def test_a_wrong_inner_value_has_the_errors_of_the_outer_kind():
    """A choice that holds a fact complains as a choice."""
    with pytest.raises(ConfigError, match=r"input_mode\.bit_serial\.bits_per_pulse"):
        MappingConfig(input_mode={"kind": "bit_serial", "bits_per_pulse": 0})


def test_a_layers_own_choices_take_the_place_of_the_common_ones():
    config = MappingConfig(copies=2, layers={"conv": {"row_copies": 3}})
    assert (config.for_layer("conv").copies, config.for_layer("conv").row_copies) == (1, 3)
    assert (config.for_layer("other").copies, config.for_layer("other").row_copies) == (2, 1)


def test_a_bare_number_is_a_constant_spread():
    assert GaussianDeviceSpec(read_noise=1e-6).read_noise == SpreadSpec(coefficients=(1e-6,))
    assert GaussianDeviceSpec(read_noise=0).read_noise.is_zero


def test_a_spread_is_its_polynomial_and_never_negative():
    spread = SpreadSpec(coefficients=(1.0, -2.0, 1.0), scale=2.0)
    assert spread.at(4.0) == pytest.approx(1.0)
    assert spread.at(2.0) == pytest.approx(0.0)
    assert SpreadSpec(coefficients=(-1.0,)).at(3.0) == 0.0


def test_code_ranges_follow_bits_and_sign():
    assert ReadoutSpec(bits=4).code_range == (-8, 7)
    assert ReadoutSpec(bits=4, is_signed=False).code_range == (0, 15)
    assert ReadoutSpec(bits=1, is_signed=False).code_range == (0, 1)
    assert ReadoutSpec().code_range is None


def test_without_an_integrator_the_integration_time_is_the_gain():
    macro = load_system("ideal").macro
    assert macro.gain(0.37, 1e-6) == 0.37
    assert macro.readout.max_time is None


def test_an_integrator_gives_the_gain_of_its_physics():
    integrator = IntegratorSpec(capacitance=2e-12, full_scale=2.0, time_step=1e-7, max_time=10)
    macro = load_system("ideal").macro.replace(
        readout=ReadoutSpec(bits=5, integrator=integrator), dac=DacSpec(is_signed=True, read_voltage=0.2)
    )
    charge = 0.2 * 3e-6 * 4 * 1e-7
    assert macro.gain(4, 3e-6) == pytest.approx(charge / (2e-12 * 2.0) * 15)


def test_specifications_survive_being_sent_to_another_process():
    system = load_system("tsinghua_c200")
    assert pickle.loads(pickle.dumps(system)) == system
