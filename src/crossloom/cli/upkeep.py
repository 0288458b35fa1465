"""The commands for programmed chips: calibrate, advance."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from crossloom.cli import options
from crossloom.cli.outputs import check_file
from crossloom.errors import ConfigError

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


class Ranges(StrEnum):
    """How integration times are chosen on the chips."""

    max = "max"
    percentile = "percentile"
    three_sigma = "three_sigma"
    mse = "mse"


class Drift(StrEnum):
    """What one scale is for."""

    layer = "layer"
    system = "system"


Chips = Annotated[Path, typer.Argument(metavar="CHIPS", help="A file that `program` or `run` wrote.")]


def calibrate_chips(
    chips: Chips,
    output: options.Output = Path("calibrated.xloom"),
    data: options.Data = None,
    normalize: options.Normalize = None,
    samples: options.Samples = 128,
    ranges: Annotated[Ranges | None, typer.Option(help="Choose integration times on the chips.")] = None,
    drift: Annotated[Drift | None, typer.Option(help="One scale per layer, or for the system.")] = None,
    columns: Annotated[bool, typer.Option(help="Gain and offset of every column.")] = True,
    channels: Annotated[bool, typer.Option(help="Mean and deviation of channels as in float.")] = False,
) -> None:
    """Measure chips beside exact arithmetic, and make good what the digital unit can: CHIPS to a chips file.

    Example: crossloom calibrate chips.xloom --data mnist --drift layer
    """
    check_file(output)
    from crossloom.calibration import CalibrationConfig, calibrate, fixed_batch
    from crossloom.cli.samples import load_calibration
    from crossloom.cli.steps import load_chips

    choices = {"ranges": ranges and ranges.value, "drift": drift and drift.value}
    config = CalibrationConfig.parse(
        {**choices, "columns": columns, "channels": channels, "num_samples": samples}
    )
    programmed = load_chips(chips)
    size = fixed_batch(programmed.placement.mapped)
    batches = load_calibration(data, normalize, samples, size)
    import torch

    found = calibrate(programmed, torch.cat(batches), config)
    programmed.with_calibration(found).save(output)
    print(f"{found.summary()}\nchips: {output}")


def advance_chips(
    chips: Chips,
    elapsed: Annotated[str, typer.Argument(metavar="TIME", help="Such as 90, 15min, 3h or 30d; seconds.")],
    output: options.Output = Path("aged.xloom"),
) -> None:
    """Let time pass for chips: CHIPS to a chips file.

    Example: crossloom advance chips.xloom 30d
    """
    check_file(output)
    seconds = read_time(elapsed)
    from crossloom.cli.steps import load_chips
    from crossloom.programming import advance

    aged = advance(load_chips(chips), seconds)
    aged.save(output)
    print(f"{aged.summary()}\nchips: {output}")


def read_time(text: str) -> float:
    """Seconds of a number with or without a unit. ConfigError for anything else.

    >>> read_time("90"), read_time("1.5h"), read_time("30d")
    (90.0, 5400.0, 2592000.0)
    """
    found = re.fullmatch(r"(\d+\.?\d*(?:[eE][+-]?\d+)?)\s*(s|min|h|d)?", text.strip())
    if found is None:
        raise ConfigError(f"need a time such as 90, 15min, 3h or 30d, got {text!r}")
    return float(found[1]) * _SECONDS[found[2] or "s"]
