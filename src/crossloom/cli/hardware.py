"""The commands that only look: systems, devices, show."""

from pathlib import Path
from typing import Annotated

import typer

from crossloom.cli import options


def systems() -> None:
    """List the systems that crossloom knows."""
    from rich.console import Console
    from rich.table import Table

    from crossloom.spec import list_systems, load_system

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("system", "chips", "macros", "crossbar", "cells", "bits w/a"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "system" else "right")
    table.add_column("description")
    for name in list_systems():
        system = load_system(name)
        crossbar, precision = system.macro.crossbar, system.precision
        num_cells = system.num_macros * crossbar.num_rows * crossbar.num_columns
        table.add_row(
            name,
            str(system.num_chips),
            f"{system.num_macros:,}",
            f"{crossbar.num_rows}×{crossbar.num_columns}",
            _count(num_cells),
            f"{precision.weight_bits}/{precision.activation_bits}",
            system.description,
        )
    Console().print(table)
    print("\nbits w/a: of weights and activations. Every number and its source: crossloom show NAME")


def devices() -> None:
    """List the published cells that crossloom knows."""
    from rich.console import Console
    from rich.table import Table

    from crossloom.spec import list_devices, load_device
    from crossloom.units import format_si

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("device", "window"):
        table.add_column(heading, no_wrap=True)
    table.add_column("description")
    for name in list_devices():
        device = load_device(name)
        window = f"{format_si(device.cell.g_min, 'S')} to {format_si(device.cell.g_max, 'S')}"
        table.add_row(name, window, device.description)
    Console().print(table)
    print(
        "\nIn Python: system.with_cell(load_device(NAME)). Every number has its source: load_device(NAME).sources"
    )


def _count(number: int) -> str:
    return f"{number / 1e6:.1f} M" if number >= 1e6 else f"{number:,}"


def show(
    thing: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE", help="A preset, a system in a TOML file, or a file of crossloom's."
        ),
    ],
    overrides: options.Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, SI units.")] = False,
    as_toml: Annotated[bool, typer.Option("--toml", help="A system as TOML, to change and use.")] = False,
) -> None:
    """Show every number of a system and its source, or what a saved file holds.

    Example: crossloom show tsinghua_c200 --toml > mine.toml
    """
    from crossloom.cli.showing import describe_system, to_toml
    from crossloom.errors import ConfigError

    if as_json and as_toml:
        raise ConfigError("give --json or --toml, not both")
    if Path(thing).is_file() and Path(thing).suffix != ".toml":
        if as_toml or overrides:
            raise ConfigError(f"{thing} is no system: --toml and --set do not go with it")
        _show_file(Path(thing), as_json)
        return
    from crossloom.cli.choices import read_system

    system = read_system(thing, overrides)
    if as_json:
        print(system.model_dump_json(indent=2))
    else:
        print(to_toml(system) if as_toml else describe_system(system), end="")


def _show_file(path: Path, as_json: bool) -> None:
    import json

    from crossloom.artefacts import load_artefact
    from crossloom.cost import CostReport
    from crossloom.graph import Graph
    from crossloom.mapping import MappedGraph
    from crossloom.pipeline import Waterfall
    from crossloom.placement import Placement
    from crossloom.programming import ProgrammedChips, ProgrammingReport
    from crossloom.quant import QuantizedGraph
    from crossloom.runtime import RunResult
    from crossloom.search import Study
    from crossloom.search.tuning import TuningResult

    kinds = (
        Placement,
        ProgrammedChips,
        RunResult,
        Graph,
        QuantizedGraph,
        MappedGraph,
        ProgrammingReport,
        Waterfall,
        CostReport,
        TuningResult,
        Study,
    )
    artefact = load_artefact(path, kinds)
    facts = {"file": str(path), "kind": type(artefact).__name__, "summary": artefact.summary()}
    print(json.dumps(facts, indent=2) if as_json else f"{path}: {facts['kind']}\n{facts['summary']}")
