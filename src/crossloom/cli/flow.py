"""The commands of the flow: compile, program, run, report."""

from pathlib import Path
from typing import Annotated

import typer

from crossloom.cli import options
from crossloom.cli.models import is_model
from crossloom.cli.outputs import check_file, check_folder, finish_report
from crossloom.errors import ConfigError


def compile_model(
    model: options.Model,
    system: options.System = None,
    overrides: options.Overrides = None,
    output: options.Output = Path("placement.xloom"),
    data: options.Data = None,
    normalize: options.Normalize = None,
    samples: options.Samples = 128,
    weight_bits: options.WeightBits = None,
    activation_bits: options.ActivationBits = None,
    encoding: options.Encoding = None,
    slicing: options.Slicing = None,
    bits_per_cell: options.BitsPerCell = None,
    input_mode: options.InputMode = None,
    copies: options.Copies = 1,
    reprogram: options.Reprogram = False,
    exact: options.Exact = None,
) -> None:
    """Trace, quantise, map and place a model on a system: MODEL to a placement file.

    Example: crossloom compile net.onnx --system tsinghua_c200 --data mnist
    """
    from crossloom.cli.choices import Choices, read_system
    from crossloom.cli.steps import make_placement

    check_file(output)
    choices = Choices(
        weight_bits, activation_bits, encoding, slicing, bits_per_cell, input_mode, copies, reprogram, exact
    )
    placement = make_placement(model, read_system(system, overrides), choices, data, normalize, samples)
    placement.save(output)
    print(f"{placement.summary()}\nplacement: {output}")


def program_chips(
    placement: Annotated[
        Path, typer.Argument(metavar="PLACEMENT", help="A file that `crossloom compile` wrote.")
    ],
    output: options.Output = Path("chips.xloom"),
    seed: options.Seed = 0,
    memory: options.Memory = None,
) -> None:
    """Program simulated chips: a placement file to a chips file.

    Example: crossloom program placement.xloom --seed 1
    """
    from crossloom.cli.steps import program_simulated
    from crossloom.placement import Placement

    check_file(output)
    chips = program_simulated(Placement.load(placement), seed, memory)
    chips.save(output)
    print(f"{chips.summary()}\nchips: {output}")


def run_model(
    source: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|CHIPS", help="A model, as for `compile`, or a file that `program` wrote."
        ),
    ],
    system: options.System = None,
    overrides: options.Overrides = None,
    output: options.Folder = None,
    seed: options.Seed = 0,
    draws: options.Draws = 1,
    batch_size: options.BatchSize = None,
    mode: options.Mode = options.ModeName.chip,
    data: options.Data = None,
    split: options.Split = options.SplitName.test,
    limit: options.Limit = None,
    labels: options.Labels = None,
    normalize: options.Normalize = None,
    samples: options.Samples = 128,
    weight_bits: options.WeightBits = None,
    activation_bits: options.ActivationBits = None,
    encoding: options.Encoding = None,
    slicing: options.Slicing = None,
    bits_per_cell: options.BitsPerCell = None,
    input_mode: options.InputMode = None,
    copies: options.Copies = 1,
) -> None:
    """Answer samples on the chips and report: a model from end to end, or chips that are programmed already.

    The folder gets report.html, report.json and result.xloom, and placement.xloom and chips.xloom of a model.

    Example: crossloom run resnet32.onnx --system tsinghua_c200 --data cifar10 --limit 1000
    """
    from crossloom.cli.choices import Choices, read_system

    folder = check_folder(output or Path("out") / Path(source.replace(":", ".")).stem)
    choices = Choices(weight_bits, activation_bits, encoding, slicing, bits_per_cell, input_mode, copies)
    if not is_model(source) and (system, overrides, draws, choices) != (None, None, 1, Choices()):
        raise ConfigError(
            f"{source} is compiled and programmed: leave out --system, --set, --draws and the like"
        )
    spec = read_system(system, overrides) if is_model(source) else None

    from crossloom.cli.samples import load_samples
    from crossloom.cli.steps import (
        answer,
        fit_samples,
        load_chips,
        make_placement,
        program_simulated,
        run_draws,
    )

    dataset = load_samples(data, split, normalize, limit, labels)
    if spec is None:
        chips = load_chips(Path(source))
        dataset, size = fit_samples(chips.placement, dataset, batch_size)
    else:
        placement = make_placement(source, spec, choices, data, normalize, samples)
        dataset, size = fit_samples(placement, dataset, batch_size)
        placement.save(folder / "placement.xloom")
        chips = program_simulated(placement, seed)
        chips.save(folder / "chips.xloom")
    report = answer(chips, dataset, size, mode.value, seed, folder)
    finish_report(report, folder)
    if draws > 1:
        print(run_draws(chips, dataset, size, mode.value, range(seed, seed + draws), folder))


def report_result(
    chips: Annotated[Path, typer.Argument(metavar="CHIPS", help="A file that `program` or `run` wrote.")],
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="The file result.xloom that `run` wrote.")],
    output: options.Output = Path("report.html"),
    data: options.AnsweredData = None,
    split: options.Split = options.SplitName.test,
    labels: options.Labels = None,
    normalize: options.Normalize = None,
) -> None:
    """Report again what chips answered: as .html, .json or .txt, by the output's suffix.

    With neither --data nor --labels, answers are compared with those of the float network.

    Example: crossloom report out/net/chips.xloom out/net/result.xloom --data mnist -o report.html
    """
    from crossloom.cli.samples import labels_for
    from crossloom.cli.steps import load_chips
    from crossloom.report import Report
    from crossloom.runtime import RunResult

    check_file(output, (".html", ".json", ".txt"))
    answered = RunResult.load(result)
    programmed = load_chips(chips)
    known = labels_for(answered, data, split, normalize, labels)
    report = Report(programmed.placement, programmed, answered, known)
    report.save(output)
    report.print()
    print(f"\nreport: {output}")
