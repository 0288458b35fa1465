"""The same regions asked several times in one call, at other settings of their readout: a sweep."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from crossloom.hardware import MvmCommand
from crossloom.spec import MacroSpec


def rounds_of(commands: tuple[MvmCommand, ...]) -> list[tuple[MvmCommand, ...]]:
    """The commands as rounds over the same regions, which differ in integration time and read voltage alone.

    Empty when they are no such rounds, or there is but one.
    """
    places = [(command.address, command.region) for command in commands]
    if not commands or places[0] not in places[1:]:
        return []
    plain = [replace(command, integration_time=1.0, read_voltage=None) for command in commands]
    size = plain.index(plain[0], 1) if plain[0] in plain[1:] else len(plain)
    if size == len(plain) or len(plain) % size:
        return []
    if any(plain[start : start + size] != plain[:size] for start in range(size, len(plain), size)):
        return []
    return [commands[start : start + size] for start in range(0, len(commands), size)]


def gain_ratios(
    macro: MacroSpec, first: Sequence[MvmCommand], commands: Sequence[MvmCommand]
) -> torch.Tensor:
    """By how much the gain of every output is larger than in the first round, float64 [output]."""

    def gain(command: MvmCommand) -> float:
        return macro.gain(command.integration_time, command.level_step, command.read_voltage)

    ratios = [gain(now) / gain(then) for then, now in zip(first, commands, strict=True)]
    widths = torch.tensor([command.num_outputs for command in commands])
    return torch.tensor(ratios, dtype=torch.float64).repeat_interleave(widths)
