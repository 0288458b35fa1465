"""The command that lets chips tune their own settings."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crossloom.cli import options
from crossloom.cli.outputs import check_file
from crossloom.cli.upkeep import Chips, read_time
from crossloom.errors import ConfigError

if TYPE_CHECKING:
    from crossloom.search.tuning import LayerByLayer, TwoStages


class Method(StrEnum):
    """How chips tune themselves."""

    layer_by_layer = "layer_by_layer"
    two_stages = "two_stages"


def tune_chips(
    chips: Chips,
    output: options.Output = Path("tuned.xloom"),
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="What it did, as .html, .json or .txt.")
    ] = None,
    method: Annotated[
        Method,
        typer.Option(
            help="layer_by_layer: the registers on the chips. two_stages: first the mapping in a simulator, then the "
            "chips, programmed anew, layer by layer."
        ),
    ] = Method.layer_by_layer,
    data: options.Data = None,
    normalize: options.Normalize = None,
    samples: Annotated[
        int,
        typer.Option(
            min=2, metavar="N", help="Tune on so many samples of the train split.", rich_help_panel="Data"
        ),
    ] = 64,
    held_out: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Judge on so many of the test split.", rich_help_panel="Data"),
    ] = 256,
    limit: Annotated[
        str | None,
        typer.Option(
            "--time", metavar="TIME", help="Tune no more layers after so long, such as 90 or 15min."
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Of read noise, and of the input vectors that are taken.")
    ] = 0,
) -> None:
    """Let chips tune their own settings, from their answers to a few samples: CHIPS to a chips file.

    Accuracy before and after is that of samples which took no part in tuning.

    Example: crossloom tune chips.xloom --data mnist -o tuned.xloom --report tuning.html
    """
    check_file(output)
    if report is not None:
        check_file(report, (".html", ".json", ".txt"))
    seconds = None if limit is None else read_time(limit)
    from crossloom.cli.samples import load_tuning
    from crossloom.cli.steps import load_chips
    from crossloom.report import TuningView
    from crossloom.search.tuning import tune

    programmed = load_chips(chips)
    dataset, number = load_tuning(data, normalize, samples, held_out)
    share = (len(dataset) - number) / len(dataset)
    result = tune(programmed, dataset, make_method(method, number, share, seconds, seed))
    if result.chips is None:
        raise ConfigError(f"{method.value} gave no chips to save; choose another --method")
    result.chips.save(output)
    view = TuningView(result, f"{chips.name}, tuned")
    if report is not None:
        view.save(report)
    view.print()
    print(f"chips: {output}" + (f"\nreport: {report}" if report else ""))


def make_method(
    method: Method, num_samples: int, held_out: float, seconds: float | None, seed: int
) -> "LayerByLayer | TwoStages":
    """The configuration of a method. ConfigError for numbers that cannot be."""
    from crossloom.search.tuning import LayerByLayer, TwoStages

    layers = LayerByLayer.parse(
        {"num_samples": num_samples, "held_out": held_out, "max_seconds": seconds, "seed": seed}
    )
    return layers if method is Method.layer_by_layer else TwoStages(layers=layers)
