"""From the strings of the command line to overrides and configurations."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crossloom.errors import ConfigError, SpecError
from crossloom.spec import SystemSpec, load_system

if TYPE_CHECKING:
    from crossloom.mapping import MappingConfig
    from crossloom.placement import PlacementConfig
    from crossloom.quant import QuantConfig

_WORD = re.compile(r"[A-Za-z_][\w-]*")


@dataclass(frozen=True)
class Choices:
    """What the user chose of quantisation, mapping and placement; None leaves it to the system."""

    weight_bits: int | None = None
    activation_bits: int | None = None
    encoding: str | None = None
    slicing: str | None = None
    bits_per_cell: int | None = None
    input_mode: str | None = None
    copies: int = 1
    reprogram: bool = False
    exact: float | None = None

    def placement(self) -> "PlacementConfig":
        """The configuration of the placement."""
        from crossloom.placement import PlacementConfig

        return PlacementConfig(reprogram=self.reprogram, exact=self.exact)

    def quant(self) -> "QuantConfig":
        """The configuration of the quantiser."""
        from crossloom.quant import QuantConfig

        return QuantConfig(weight_bits=self.weight_bits, activation_bits=self.activation_bits)

    def mapping(self) -> "MappingConfig":
        """The configuration of the mapping. ConfigError when choices contradict each other."""
        from crossloom.mapping import MappingConfig

        is_sliced = self.slicing not in (None, "whole")
        if self.bits_per_cell is not None and not is_sliced:
            raise ConfigError("--bits-per-cell needs --slicing sign_magnitude or twos_complement")
        width = {} if self.bits_per_cell is None else {"bits_per_cell": self.bits_per_cell}
        chosen = {
            "encoding": _kind(self.encoding),
            "slicing": _kind(self.slicing),
            "input_mode": _kind(self.input_mode),
        }
        if is_sliced:
            chosen["slicing"] = {"kind": str(self.slicing), **width}
        return MappingConfig.parse({**chosen, "copies": self.copies})


def _kind(name: str | None) -> dict[str, Any] | None:
    return None if name is None else {"kind": str(name)}


def read_system(name: str | None, overrides: Sequence[str] | None) -> SystemSpec:
    """The system of `--system` with the changes of `--set`. SpecError as for `load_system`."""
    if name is None:
        raise SpecError("which hardware? give --system with a preset (see crossloom systems) or a TOML file")
    return load_system(name, parse_overrides(overrides or ()))


def parse_overrides(texts: Sequence[str]) -> dict[str, Any]:
    """`a.b=c` as {"a.b": c}, with c in TOML, a bare word, or none.

    >>> parse_overrides(["num_chips=4", "chip.core.macro.pairing=columns", "chip.core.macro.readout.bits=none"])
    {'num_chips': 4, 'chip.core.macro.pairing': 'columns', 'chip.core.macro.readout.bits': None}
    """
    return dict(_parse_override(text) for text in texts)


def _parse_override(text: str) -> tuple[str, Any]:
    path, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not all(_WORD.fullmatch(name) for name in path.split(".")):
        raise SpecError(f"--set: need PATH=VALUE, such as num_chips=4, got {text!r}")
    if value.lower() == "none":
        return path, None
    try:
        return path, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        if _WORD.fullmatch(value):
            return path, value
        raise SpecError(
            f"--set {path}: need a TOML value (4, 2e-6, true, [1, 2]) or a word, got {value!r}"
        ) from None


def parse_normalize(text: str) -> tuple[list[float], list[float]]:
    """Means and standard deviations.

    >>> parse_normalize("0.5,0.25")
    ([0.5], [0.25])
    >>> parse_normalize("0.1,0.2,0.3/1,1,2")
    ([0.1, 0.2, 0.3], [1.0, 1.0, 2.0])
    """
    halves = text.split("/") if "/" in text else text.split(",")
    try:
        mean, std = ([float(number) for number in half.split(",")] for half in halves)
    except ValueError:
        raise ConfigError(
            f"--normalize: need MEAN/STD, such as 0.13/0.31 or 0.5,0.4,0.4/0.2,0.2,0.2, got {text!r}"
        ) from None
    return mean, std
