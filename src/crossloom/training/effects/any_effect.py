"""Effects by their kind: what a configuration holds, and how it comes back from JSON."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny

from crossloom.registry import Registry
from crossloom.spec import by_kind
from crossloom.training.effects.converters import ConverterClipping, ConverterOffsets
from crossloom.training.effects.drop_connect import DropConnect
from crossloom.training.effects.effect import Effect
from crossloom.training.effects.ir_drop import IrDrop
from crossloom.training.effects.output_noise import OutputNoise
from crossloom.training.effects.programming_errors import ProgrammingErrors
from crossloom.training.effects.read_noise import ReadNoise
from crossloom.training.effects.stuck_cells import StuckCells
from crossloom.training.effects.weight_noise import WeightNoise

known_effects: Registry[type[Effect]] = Registry("effect", "crossloom.effects")
for _effect in (
    WeightNoise,
    DropConnect,
    ProgrammingErrors,
    StuckCells,
    IrDrop,
    ReadNoise,
    OutputNoise,
    ConverterOffsets,
    ConverterClipping,
):
    known_effects.register(_effect.model_fields["kind"].default, _effect)


def _of_kind(value: Any) -> Any:
    """A bare name, or plain data with a `kind`, becomes the effect of that kind; an effect stays what it is."""
    plain = by_kind(value)
    if not isinstance(plain, Mapping):
        return plain
    if "kind" not in plain:
        raise ValueError(f"an effect needs its kind: one of {', '.join(known_effects.names())}")
    return known_effects[plain["kind"]].parse(plain)


AnyEffect = Annotated[SerializeAsAny[Effect], BeforeValidator(_of_kind)]
