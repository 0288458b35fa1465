"""Statistics of channels: mean and deviation of every output as the float network has them."""

import torch

from crossloom.calibration import CalibrationConfig, calibrate
from crossloom.programming import advance
from crossloom.runtime import run
from crossloom.windows import Window
from flows import noisy_system, normal, program_graph
from small_graphs import chain_graph, convolution_graph

CHANNELS = CalibrationConfig(columns=False, channels=True, num_samples=64)
SYSTEM = noisy_system(readout={"offset": 3.0, "gain_error": 0.1})
IMAGES = normal(48, 3, 6, 6)
CONVOLUTION = convolution_graph(
    normal(4, 3, 3, 3, seed=5), (6, 6), Window((3, 3), (1, 1), (1, 1), (1, 1)), 1, normal(4, seed=6)
)


def statistics(values: torch.Tensor) -> torch.Tensor:
    rows = values.double().movedim(1, -1).flatten(0, -2)
    return torch.stack([rows.mean(0), rows.std(0)])


def test_channels_get_the_mean_and_deviation_of_the_float_network():
    """On the samples that were fitted: exactly, but for float32."""
    chips = program_graph(CONVOLUTION, IMAGES, SYSTEM)
    calibration = calibrate(chips, IMAGES, CHANNELS)
    assert [fit.is_applied for fit in calibration.fits] == [True]
    fitted = IMAGES[: round(48 * 0.75)]
    wanted = statistics(run(chips, fitted, mode="float").outputs)
    before = statistics(run(chips, fitted).outputs)
    after = statistics(run(chips.with_calibration(calibration), fitted).outputs)
    torch.testing.assert_close(after, wanted, rtol=1e-4, atol=1e-4)
    assert (before - wanted).abs().max() > 0.05


def test_later_layers_are_fitted_behind_corrected_ones():
    """After heavy drift a second layer alone could not make good what the first one lost behind its rectifier."""
    from test_calibrate import drifting_system

    graph = chain_graph(normal(16, 20, seed=1), normal(6, 16, seed=2))
    data, fresh = normal(64, 20, seed=3), normal(200, 20, seed=4)
    chips = advance(program_graph(graph, data, drifting_system(0.1)), 1e6)
    calibration = calibrate(chips, data, CHANNELS)
    assert len(calibration.fits) == 2
    exact = run(chips, fresh, mode="float").outputs
    errors = [
        (run(one, fresh).outputs - exact).square().sum() / exact.square().sum()
        for one in (chips, chips.with_calibration(calibration))
    ]
    integer = (run(chips, fresh, mode="integer").outputs - exact).square().sum() / exact.square().sum()
    assert errors[0] > 0.5
    assert errors[1] < 1.5 * integer + 0.01


def test_a_channel_that_never_changes_keeps_its_scale():
    weight = normal(5, 8)
    weight[2] = 0
    chips = program_graph(chain_graph(weight), normal(64, 8, seed=3), SYSTEM)
    calibration = calibrate(chips, normal(64, 8, seed=3), CHANNELS)
    assert run(chips.with_calibration(calibration), normal(9, 8)).outputs.isfinite().all()
