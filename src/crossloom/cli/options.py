"""The options that commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class EncodingName(StrEnum):
    """How signed numbers become conductances."""

    differential_pair = "differential_pair"
    offset_column = "offset_column"


class SlicingName(StrEnum):
    """How a weight is cut into digits."""

    whole = "whole"
    sign_magnitude = "sign_magnitude"
    twos_complement = "twos_complement"


class InputModeName(StrEnum):
    """How a number becomes pulses on a row."""

    bit_serial = "bit_serial"
    pulse = "pulse"
    multi_level = "multi_level"


class ModeName(StrEnum):
    """Where layers run."""

    chip = "chip"
    integer = "integer"
    float = "float"


class SplitName(StrEnum):
    """A part of a data set."""

    train = "train"
    test = "test"


_DATA, _CHOICES = "Data", "Quantisation and mapping (default: what the system is made for)"
_PLACEMENT = "Placement"

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A .onnx or .pt2 file, or package.module:function that returns an nn.Module."
    ),
]
System = Annotated[
    str | None,
    typer.Option(
        "--system", "-s", metavar="NAME|FILE", help="A preset (see `crossloom systems`) or a TOML file."
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change a number of the system, as `num_chips=4`; may be repeated. None: off.",
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        "-d",
        metavar="PATH|NAME",
        help="CIFAR-10, MNIST, EMNIST, .npz or .safetensors; or a set's name in $CROSSLOOM_DATA, the default.",
        rich_help_panel=_DATA,
    ),
]
AnsweredData = Annotated[
    str | None,
    typer.Option(
        "--data", "-d", metavar="PATH|NAME", help="What was answered, for its labels.", rich_help_panel=_DATA
    ),
]
Normalize = Annotated[
    str | None,
    typer.Option(
        metavar="MEAN/STD",
        help="What the model was trained with: `0.13/0.31`, or a number per channel: `0.49,0.48,0.45/0.2,0.2,0.2`.",
        rich_help_panel=_DATA,
    ),
]
Samples = Annotated[
    int,
    typer.Option(
        min=1, metavar="N", help="Calibrate on so many samples of the train split.", rich_help_panel=_DATA
    ),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Class numbers: .npy, .npz, .safetensors, or text, one a line.",
        rich_help_panel=_DATA,
    ),
]
Split = Annotated[SplitName, typer.Option(help="Which part of the data to answer.", rich_help_panel=_DATA)]
WeightBits = Annotated[
    int | None, typer.Option(min=2, max=16, metavar="N", help="Bits of a weight.", rich_help_panel=_CHOICES)
]
ActivationBits = Annotated[
    int | None,
    typer.Option(min=2, max=16, metavar="N", help="Bits of a layer's input.", rich_help_panel=_CHOICES),
]
Encoding = Annotated[
    EncodingName | None,
    typer.Option(metavar="NAME", help="differential_pair or offset_column.", rich_help_panel=_CHOICES),
]
Slicing = Annotated[
    SlicingName | None,
    typer.Option(metavar="NAME", help="whole, sign_magnitude or twos_complement.", rich_help_panel=_CHOICES),
]
BitsPerCell = Annotated[
    int | None,
    typer.Option(
        min=1, max=16, metavar="N", help="Bits of a slice, unless it is whole.", rich_help_panel=_CHOICES
    ),
]
InputMode = Annotated[
    InputModeName | None,
    typer.Option(metavar="NAME", help="bit_serial, pulse or multi_level.", rich_help_panel=_CHOICES),
]
Copies = Annotated[
    int,
    typer.Option(
        min=1, max=64, metavar="N", help="Each tile so often, to average errors.", rich_help_panel=_CHOICES
    ),
]
Reprogram = Annotated[
    bool,
    typer.Option(
        "--reprogram",
        help="Write a system that is too small anew several times a batch; wears cells, and cannot be run yet.",
        rich_help_panel=_PLACEMENT,
    ),
]
Exact = Annotated[
    float | None,
    typer.Option(
        min=0.001,
        metavar="SECONDS",
        help="Let CP-SAT look for fewer macros so long, and prove how few there must be.",
        rich_help_panel=_PLACEMENT,
    ),
]
Seed = Annotated[
    int, typer.Option(min=0, metavar="N", help="Other seeds, other simulated chips and other read noise.")
]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="The most that programming and runs shall take beside the network, as 4GiB; no answer depends on it.",
        show_default="as much as all cells take",
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")]
Folder = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="DIR", help="Folder of the results.", show_default="out/NAME"),
]
Limit = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Answer only the first so many samples.", rich_help_panel=_DATA),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Samples that go through together; no answer depends on it, except in chips written in rounds.",
        show_default="64",
    ),
]
Draws = Annotated[
    int,
    typer.Option(
        min=1,
        metavar="N",
        help="Sets of chips to program, with seeds from --seed on: mean and spread of accuracy.",
    ),
]
Mode = Annotated[ModeName, typer.Option(help="Where layers run.")]
