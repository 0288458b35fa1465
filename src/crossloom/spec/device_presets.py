"""Published devices by name: their window, what is known of them, and where each number comes from."""

import tomllib
from importlib.resources import files
from typing import Annotated, Self

from pydantic import Field, model_validator

from crossloom.errors import SpecError
from crossloom.registry import did_you_mean
from crossloom.spec.base import Spec
from crossloom.spec.cell import CellSpec

_PRESETS = files("crossloom.spec.presets").joinpath("devices")


class DevicePreset(Spec):
    """A published device.

    sources: a dotted path into `cell` (or the beginning of one) and where its numbers come from.
    """

    name: Annotated[str, Field(min_length=1)]
    description: str
    cell: CellSpec
    sources: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sources_are_of_the_cell(self) -> Self:
        wrong = [path for path in self.sources if not path.startswith("cell.")]
        if wrong:
            raise ValueError(f"need sources of cell.…, got {', '.join(wrong)}")
        return self


def list_devices() -> list[str]:
    """The names of all published devices that ship with crossloom."""
    return sorted(
        item.name.removesuffix(".toml") for item in _PRESETS.iterdir() if item.name.endswith(".toml")
    )


def load_device(name: str) -> DevicePreset:
    """A published device by name. SpecError, with the nearest names, when there is none.

    >>> load_device("milo2021").cell.g_max
    0.000225
    """
    if name not in list_devices():
        raise SpecError(f"no device is called {name!r}; {did_you_mean(name, list_devices())}")
    return DevicePreset.parse(tomllib.loads(_PRESETS.joinpath(f"{name}.toml").read_text("utf-8")))
