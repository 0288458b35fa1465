"""The command that says what a sample costs."""

from pathlib import Path
from typing import Annotated

import typer

from crossloom.cli import options
from crossloom.cli.outputs import check_file
from crossloom.errors import ConfigError

Table = Annotated[
    str | None,
    typer.Option(
        "--table",
        metavar="NAME|FILE",
        help="What components take: a table that comes with crossloom, or a TOML file of your own.",
        show_default="that of the system",
    ),
]


def cost_chips(
    source: Annotated[
        Path,
        typer.Argument(metavar="PLACEMENT|CHIPS", help="A file that `compile`, `program` or `run` wrote."),
    ],
    result: Annotated[
        Path | None,
        typer.Option(
            "--result", "-r", metavar="RESULT", help="Account for what this run did, on these CHIPS."
        ),
    ] = None,
    table: Table = None,
    output: options.Output = Path("cost.html"),
) -> None:
    """Say what a sample costs: energy, latency, area and throughput, by layer and by component.

    Without --result the cost is estimated before any run; with it, it is accounted from the run's own counts. The
    output is a report (.html, .json, .txt) or the figures to load again (.xloom).

    Example: crossloom cost out/net/chips.xloom --result out/net/result.xloom -o cost.html
    """
    check_file(output, (".html", ".json", ".txt", ".xloom"))
    from crossloom.artefacts import load_artefact
    from crossloom.cost import account, estimate
    from crossloom.placement import Placement
    from crossloom.programming import ProgrammedChips
    from crossloom.report import CostView
    from crossloom.runtime import RunResult

    known = load_artefact(source, (Placement, ProgrammedChips))
    chips = known if isinstance(known, ProgrammedChips) else None
    if result is None:
        placement = chips.placement if chips else Placement.from_saved(known)
        cost = estimate(placement, table)
    elif chips:
        cost = account(chips, RunResult.load(result), table)
    else:
        raise ConfigError(
            f"{source} is a placement: --result needs the chips that ran, a file of `crossloom program`"
        )
    view = CostView(cost)
    (cost if output.suffix.lower() == ".xloom" else view).save(output)
    view.print()
    print(f"cost: {output}")
