"""Where results go: checked before any work is done."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from crossloom.errors import ConfigError

if TYPE_CHECKING:
    from crossloom.report import Report


def check_file(path: Path, suffixes: tuple[str, ...] = ()) -> Path:
    """A file that can be written. ConfigError when it is a folder, cannot be, or has another suffix."""
    if path.is_dir():
        raise ConfigError(f"-o {path} is a folder; give a file")
    if suffixes and path.suffix.lower() not in suffixes:
        raise ConfigError(f"-o {path}: need a file called {' or '.join(f'*{suffix}' for suffix in suffixes)}")
    check_folder(path.absolute().parent)
    return path


def check_folder(path: Path) -> Path:
    """A folder that is there or can be made. ConfigError when it is a file or cannot be written to."""
    nearest = path.absolute()
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir():
        raise ConfigError(f"-o {path}: {nearest} is a file; give another folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError(f"-o {path}: no permission to write in {nearest}; give another place")
    return path


def finish_report(report: "Report", folder: Path) -> None:
    """Save the report as HTML and JSON, show it, and say where it lies."""
    report.save(folder / "report.html")
    report.save(folder / "report.json")
    report.print()
    files = ", ".join(sorted(path.name for path in folder.glob("*.xloom")))
    print(f"\nfiles in {folder}: {files}, report.json\nreport: {folder / 'report.html'}")
