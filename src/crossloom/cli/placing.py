"""The commands that make a placement faster, and say what happens when."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crossloom.cli import options
from crossloom.cli.costs import Table
from crossloom.cli.outputs import check_file

if TYPE_CHECKING:
    from crossloom.placement import Violation

_Source = Annotated[
    Path, typer.Argument(metavar="PLACEMENT", help="A file that `compile` or `replicate` wrote.")
]


def replicate_layers(
    placement: _Source,
    output: options.Output = Path("replicated.xloom"),
    macros: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Use at most so many macros.", show_default="all")
    ] = None,
    table: Table = None,
) -> None:
    """Place slow layers several times, on the macros that are left: more samples a second from the same system.

    Example: crossloom replicate placement.xloom --macros 64 -o faster.xloom
    """
    check_file(output)
    from crossloom.cost import schedule
    from crossloom.pipeline import replicate
    from crossloom.placement import Placement, check_placement
    from crossloom.units import format_si

    given = Placement.load(placement)
    faster = replicate(given, table, macros)
    before, after = (schedule(each, table, num_samples=1).interval for each in (given, faster))
    faster.save(output)
    print(faster.summary())
    print(f"one sample every {format_si(after, 's', 3)}, {format_si(before, 's', 3)} before")
    print(_verdict(check_placement(faster)))
    print(f"placement: {output}")


def schedule_samples(
    placement: _Source,
    samples: Annotated[int, typer.Option(min=1, metavar="N", help="Samples that follow one another.")] = 8,
    width: Annotated[int, typer.Option(min=40, metavar="N", help="Characters of a line of the chart.")] = 100,
    table: Table = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="A file (.xloom) to write as well.")
    ] = None,
) -> None:
    """Draw when every macro, link and the digital unit works, and check that the schedule is legal.

    Example: crossloom schedule placement.xloom --samples 8
    """
    if output is not None:
        check_file(output)
    from crossloom.cost import schedule
    from crossloom.placement import Placement, check_schedule

    found = schedule(Placement.load(placement), table, samples)
    print(found.summary(), found.drawing(width), _verdict(check_schedule(found)), sep="\n")
    if output is not None:
        found.save(output)
        print(f"schedule: {output}")


def _verdict(violations: "tuple[Violation, ...]") -> str:
    return "checked: legal" if not violations else "\n".join(map(str, violations))
