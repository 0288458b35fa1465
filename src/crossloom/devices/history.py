"""What cells keep beyond their conductance: how they were written, how long ago, and what effects need."""

from dataclasses import dataclass

import torch

from crossloom.devices.disturb import ReadDisturb
from crossloom.devices.drift import Drift
from crossloom.devices.effect import Effect, Own
from crossloom.devices.endurance import Endurance
from crossloom.devices.heat import Heat
from crossloom.devices.relaxation import Relaxation
from crossloom.devices.telegraph import Telegraph
from crossloom.spec import ROOM_TEMPERATURE, CellSpec, GaussianDeviceSpec


@dataclass(frozen=True)
class History:
    """The tensors in `CellState.own` of cells with effects, each [row, column].

    aim: S, the conductance asked for, or verified before the cell settled.  written: S, where it has settled.
    aged: seconds since it was written, at the reference temperature.  cycles: how often it was written.
    What is seen is `written` through one effect after the other: lasting ones first.
    """

    effects: tuple[Effect, ...]
    endurance: Endurance | None

    def new(self, conductance: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Of cells from the factory: they count as just written."""
        shape = (conductance.shape[0], conductance.shape[1])
        own = {"aim": conductance, "written": conductance, "aged": torch.zeros_like(conductance)}
        own["cycles"] = torch.zeros_like(conductance, dtype=torch.int32)
        for part in (*self.effects, *([self.endurance] if self.endurance else [])):
            own |= part.new(shape, generator)
        for effect in self.effects:
            own |= effect.written(own, torch.ones_like(conductance, dtype=torch.bool), generator)
        return own

    def written(
        self,
        own: Own,
        aim: torch.Tensor,
        settled: torch.Tensor,
        which: torch.Tensor,
        generator: torch.Generator,
    ) -> dict[str, torch.Tensor]:
        """After the cells of the mask `which` were written to `aim` (S), and have come to `settled` so far."""
        after = dict(own)
        after["aim"] = torch.where(which, aim, own["aim"])
        after["written"] = torch.where(which, settled, own["written"])
        after["aged"] = own["aged"].masked_fill(which, 0.0)
        after["cycles"] = own["cycles"] + which
        for effect in self.effects:
            after |= effect.written(after, which, generator)
        return after

    def aged(
        self, own: Own, settled: torch.Tensor, elapsed: float, generator: torch.Generator
    ) -> dict[str, torch.Tensor]:
        """After `elapsed` seconds at the reference temperature, in which cells have come to `settled` (S)."""
        after = {**own, "written": settled, "aged": own["aged"] + elapsed}
        for effect in self.effects:
            after |= effect.aged(after, elapsed, generator)
        return after

    def seen(self, own: Own, lasting_only: bool = False) -> torch.Tensor:
        """The conductance (S, at least 0) with all effects, or with those that the next pulse starts from."""
        conductance = own["written"]
        for effect in self.effects:
            if effect.is_lasting or not lasting_only:
                conductance = effect.seen(conductance, own)
        return conductance.clamp(min=0)


def make_history(spec: GaussianDeviceSpec, cell: CellSpec) -> History | None:
    """What cells of this specification keep; None where their conductance alone says everything."""
    effects: list[Effect] = []
    if spec.relaxation is not None:
        effects.append(Relaxation(spec.relaxation, spec.programming_error))
    if spec.drift is not None:
        effects.append(Drift(spec.drift))
    if spec.read_disturb is not None:
        temperature = spec.temperature.operating if spec.temperature else ROOM_TEMPERATURE
        effects.append(ReadDisturb(spec.read_disturb, cell.g_min, cell.g_max, temperature))
    if spec.telegraph_noise is not None:
        effects.append(Telegraph(spec.telegraph_noise))
    if spec.temperature is not None:
        effects.append(Heat(spec.temperature))
    endurance = Endurance(spec.endurance, cell) if spec.endurance else None
    # An error that depends on where it began must not be taken from where it has come to on the way.
    error = spec.programming_error
    is_needed = effects or endurance or spec.flicker_noise or not (error is None or error.is_constant)
    return History(tuple(effects), endurance) if is_needed else None
