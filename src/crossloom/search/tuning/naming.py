"""Knobs by name: fields of the system, choices of mapping and programming, registers of layers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Protocol, runtime_checkable

from crossloom.calibration import choose_integration_times
from crossloom.errors import SearchError
from crossloom.hardware import Backend
from crossloom.mapping import LayerMappingConfig, MappedGraph, MappingConfig, map_graph
from crossloom.pipeline import simulate
from crossloom.placement import Placement, place
from crossloom.programming import ProgrammedChips, Strategy, program, usual_strategy
from crossloom.registry import did_you_mean
from crossloom.search import Knob
from crossloom.search.tuning.registers import REGISTERS, check_register, with_registers
from crossloom.search.tuning.samples import Samples
from crossloom.spec import SystemSpec

_SETTINGS = tuple(LayerMappingConfig.model_fields)


@runtime_checkable
class Remade(Protocol):
    """A simulated backend: one that can be made again with other specifications, from its seed."""

    kind: str
    seed: int


@dataclass(frozen=True)
class Names:
    """All knobs that some chips have.

    `system.<path>`: a field of the specification, of simulated chips alone.  `mapping.<field>`, and
    `mapping.layers.<layer>.<field>` for one layer: as in `MappingConfig`.  `programming.<field>`: of the strategy.
    `layers.<layer>.integration_time`, `layers.<layer>.read_voltage`: registers, which ask for no programming.
    """

    chips: ProgrammedChips = field(repr=False)
    samples: Samples = field(repr=False)
    strategy: Strategy

    def known(self) -> list[str]:
        """Every name."""
        layers = list(self.chips.placement.mapped.schemes)
        names = [f"mapping.{name}" for name in _SETTINGS]
        names += [f"mapping.layers.{layer}.{name}" for layer in layers for name in _SETTINGS]
        names += [f"layers.{layer}.{name}" for layer in layers for name in REGISTERS]
        names += [f"programming.{name}" for name in _strategy_fields(self.strategy)]
        if _is_simulated(self.chips.backend):
            names += [f"system.{path}" for path in _paths(self.chips.placement.system.model_dump())]
        return names

    def check(self, knobs: Mapping[str, Knob]) -> None:
        """SearchError, with the nearest names, for what is no knob of these chips; and for values that are none of a
        register's."""
        known = set(self.known())
        for name, knob in knobs.items():
            if name in known:
                if name.startswith("layers."):
                    check_register(name, knob, self.chips.placement.system)
                continue
            if str(name).startswith("system.") and not _is_simulated(self.chips.backend):
                raise SearchError(
                    f"{name}: the specification of real chips is a fact; tune mapping, programming or layers"
                )
            raise SearchError(f"there is no knob {str(name)!r}; {did_you_mean(str(name), self.known())}")

    def applied(self, values: Mapping[str, Any]) -> ProgrammedChips:
        """Chips with these values; programmed anew where more than registers changed."""
        chips = self.chips
        if any(not name.startswith("layers.") for name in values):
            chips = self._programmed(values)
        registers = [name for name in values if name.startswith("layers.")]
        return with_registers(chips, {name: values[name] for name in registers}) if registers else chips

    def _programmed(self, values: Mapping[str, Any]) -> ProgrammedChips:
        placement, backend = self.chips.placement, self.chips.backend
        changes = _under(values, "system.")
        if changes:
            assert isinstance(backend, Remade)
            system, actual = (_changed(spec, changes) for spec in (placement.system, backend.spec))
            backend = simulate(actual, backend.seed)
        else:
            system = placement.system
        if changes or _under(values, "mapping."):
            placement = self._placed(_mapping(placement.mapped, _under(values, "mapping.")), system)
        return program(placement, backend, _strategy(self.strategy, _under(values, "programming.")))

    def _placed(self, config: MappingConfig, system: SystemSpec) -> Placement:
        before = self.chips.placement
        mapped = map_graph(before.mapped.quantized, config, system.macro)
        kept = {} if system != before.system else _times_kept(before.mapped, mapped)
        mapped = choose_integration_times(mapped, [self.samples])
        return place(mapped.with_integration_times(kept), before.config, system)


def make_names(chips: ProgrammedChips, samples: Samples, strategy: Strategy | None) -> Names:
    """The knobs of these chips."""
    return Names(chips, samples, strategy or usual_strategy(chips.backend))


def _is_simulated(backend: Backend) -> bool:
    return isinstance(backend, Remade) and backend.kind == "simulated"


def _paths(fields: Mapping[str, Any], start: str = "") -> list[str]:
    """The dotted paths of all plain values."""
    found = []
    for name, value in fields.items():
        if isinstance(value, Mapping):
            found += _paths(value, f"{start}{name}.")
        found.append(f"{start}{name}")
    return found


def _under(values: Mapping[str, Any], start: str) -> dict[str, Any]:
    return {name.removeprefix(start): value for name, value in values.items() if name.startswith(start)}


def _changed(system: SystemSpec, changes: Mapping[str, Any]) -> SystemSpec:
    plain = system.model_dump()
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = plain
        for name in parents:
            place = place[name]
        place[last] = value
    return SystemSpec.parse(plain)


def _mapping(mapped: MappedGraph, changes: Mapping[str, Any]) -> MappingConfig:
    """The configuration with these choices for all layers, then those of single layers."""
    common = {name: value for name, value in changes.items() if name in _SETTINGS}
    layers = {}
    for layer in mapped.schemes:
        own = {name: getattr(mapped.config.for_layer(layer), name) for name in _SETTINGS}
        layers[layer] = LayerMappingConfig(**{**own, **common, **_under(changes, f"layers.{layer}.")})
    return MappingConfig(layers=layers, digital=mapped.config.digital)


def _times_kept(before: MappedGraph, after: MappedGraph) -> dict[int, float]:
    """Times of tiles whose layer lies as it did, copies of tiles aside."""
    same = {
        name
        for name, scheme in after.schemes.items()
        if replace(scheme, copies=before.schemes[name].copies) == before.schemes[name]
    }
    times = {(tile.layer, tile.block): tile.integration_time for tile in before.tiles}
    return {
        number: times[tile.layer, tile.block]
        for number, tile in enumerate(after.tiles)
        if tile.layer in same
        and (tile.layer, tile.block) in times
        and after.config.for_layer(tile.layer).is_range_left_to_data
    }


def _strategy_fields(strategy: Strategy) -> list[str]:
    if is_dataclass(strategy):
        return [item.name for item in fields(strategy)]
    return list(getattr(type(strategy), "model_fields", {}))


def _strategy(strategy: Strategy, changes: Mapping[str, Any]) -> Strategy:
    if not changes:
        return strategy
    if is_dataclass(strategy):
        return replace(strategy, **changes)  # type: ignore[return-value]
    return strategy.replace(**changes)  # type: ignore[attr-defined]
