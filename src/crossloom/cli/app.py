"""The commands together, and what becomes of errors."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from crossloom import __version__
from crossloom.cli import costs, flow, hardware, placing, searching, tuning, upkeep
from crossloom.cli.demo import demo
from crossloom.errors import CrossloomError

BAD_INPUT, INTERRUPTED = 2, 130
_UsageError: type[Exception] = typer.BadParameter.__mro__[
    1
]  # typer may bring a click of its own, so it is asked

app = typer.Typer(
    name="crossloom",
    help="From a trained network to answers from memristor chips, simulated or on the bench.",
    epilog="Start with `crossloom demo`, or `crossloom systems`. Exit codes: 0 done, 2 bad input, 1 a fault of "
    "crossloom's own, 130 interrupted.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _name, _command in {
    "systems": hardware.systems,
    "devices": hardware.devices,
    "show": hardware.show,
    "compile": flow.compile_model,
    "replicate": placing.replicate_layers,
    "schedule": placing.schedule_samples,
    "program": flow.program_chips,
    "calibrate": upkeep.calibrate_chips,
    "advance": upkeep.advance_chips,
    "run": flow.run_model,
    "report": flow.report_result,
    "tune": tuning.tune_chips,
    "cost": costs.cost_chips,
    "sweep": searching.sweep_space,
    "demo": demo,
}.items():
    app.command(_name)(_command)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"crossloom {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    pass


def main(args: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code: 0 done, 2 bad input, 130 interrupted.

    args: without the program's name; None takes those of the process. Errors that are not crossloom's own pass
    through with their traceback, so that the process ends with 1.
    """
    given = list(sys.argv[1:] if args is None else args)
    try:
        code = typer.main.get_command(app)(given or ["--help"], prog_name="crossloom", standalone_mode=False)
    except CrossloomError as error:
        return _refuse(str(error))
    except _UsageError as error:  # a wrong option or argument
        return _refuse(f"{error.format_message().rstrip('.')}; see crossloom --help")  # type: ignore[attr-defined]
    except OSError as error:
        if error.filename is None:
            raise
        return _refuse(f"{error.filename}: {error.strerror}")
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        print("interrupted; nothing half-written", file=sys.stderr)
    return int(code or 0)


def _refuse(message: str) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return BAD_INPUT
