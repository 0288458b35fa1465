"""The command that searches over chips, mappings and bits."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crossloom.cli.outputs import check_file

if TYPE_CHECKING:
    from crossloom.cli.sweep_file import SweepFile
    from crossloom.search import Study

_SUFFIXES = (".html", ".json", ".txt", ".xloom")


def _print_example(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.resources import files

        typer.echo(files("crossloom.cli").joinpath("example_sweep.toml").read_text("utf-8"), nl=False)
        raise typer.Exit


def sweep_space(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SPACE.toml",
            help="What to search. With --show also a store, or a study in a .xloom file.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A report (.html, .json, .txt), or the study to load again (.xloom).",
            show_default="NAME.html",
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(metavar="FILE|URL", help="Where finished points are kept.", show_default="NAME.sqlite"),
    ] = None,
    points: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="So many points in all, in place of the file's budget."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="So many points at the same time, in place of the file's."),
    ] = None,
    example: Annotated[
        bool,
        typer.Option(
            "--example", callback=_print_example, is_eager=True, help="Print a file to begin with, and exit."
        ),
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="Run nothing: report what is known so far.")] = False,
) -> None:
    """Search over chips, mappings and bits, as a TOML file says, and report what was found.

    Every finished point is kept in the store: after Ctrl-C, however long ago, the same command goes on.

    The file names model, system and data as `run` does, goals, sampler, budget, and in its table of knobs what may be
    turned, by paths like quant.weight_bits or system.chip.core.macro.readout.bits: see --example.

    Example: crossloom sweep bits.toml --workers 2 -o bits.html
    """
    if output is not None:
        check_file(output, _SUFFIXES)
    study, place = _read(source, store) if show else _run(source, output, store, points, workers)
    target = output or Path(f"{study.name}.html")
    _finish(study, check_file(target, _SUFFIXES))
    kept = [] if place is None else [f"store: {place}"]
    print("\n".join([*kept, f"{'study' if target.suffix.lower() == '.xloom' else 'report'}: {target}"]))


def _run(
    source: str, output: Path | None, store: str | None, points: int | None, workers: int | None
) -> "tuple[Study, str]":
    """Search until the budget is spent; all that can be refused is refused before."""
    from crossloom.cli.sweep_file import read_sweep

    file = read_sweep(Path(source))
    place = _place(file, store)
    check_file(output or Path(f"{file.name}.html"))
    from crossloom.cli.candidate import Candidate, judge
    from crossloom.cli.sweep_choices import make_sampler, make_space
    from crossloom.search import Budget, sweep

    space, sampler = make_space(file), make_sampler(file.sampler)
    budget = Budget(points=points) if points else Budget.parse(file.budget)
    sampler.check(space, file.goals)
    Candidate(file).check(space)
    try:
        study = sweep(
            partial(judge, settings=file.settings()),
            space,
            file.goals,
            sampler=sampler,
            budget=budget,
            workers=workers or file.workers,
            executor=file.executor,
            store=place,
            name=file.name,
            seed=file.seed,
        )
    except KeyboardInterrupt as error:  # it says how much is kept, and where
        print(str(error).replace("the same call", "the same command"), file=sys.stderr)
        raise
    return study, place


def _place(file: "SweepFile", store: str | None) -> str:
    """Where the points are kept; a file that can be written, or a database's URL."""
    place = store or file.store or f"{file.name}.sqlite"
    if "://" not in place:
        check_file(Path(place))
    return place


def _read(source: str, store: str | None) -> "tuple[Study, str | None]":
    """What is known of a study: by its file, its store, or as it was saved."""
    from crossloom.search import Study

    if source.endswith(".xloom"):
        return Study.load(source), None
    if not source.endswith(".toml"):
        return Study.from_store(source), None
    from crossloom.cli.sweep_file import read_sweep

    file = read_sweep(Path(source))
    place = store or file.store or f"{file.name}.sqlite"
    return Study.from_store(place, file.name), place


def _finish(study: "Study", target: Path) -> None:
    """Save the study or its report, and show it."""
    from crossloom.report import StudyView

    view = StudyView(study)
    (study if target.suffix.lower() == ".xloom" else view).save(target)
    view.print()
    if not any(point.state == "done" for point in study.points):
        print("note: no point is done", file=sys.stderr)
