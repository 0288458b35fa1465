"""Component tables: what each part of a chip takes. Facts, each with its source."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from crossloom.artefacts import saved
from crossloom.cost.adc import AdcCosts, Count, Positive
from crossloom.cost.amount import Amount
from crossloom.cost.scaling import area_ratio, energy_ratio, nominal_supply, scale
from crossloom.spec import Spec

Component = Literal[
    "cells", "dac", "integrator", "adc", "shift_and_add", "buffer", "link", "digital", "leakage"
]
Place = Literal["cell", "row", "column", "macro", "core", "chip"]
Action = Literal[
    "drive",
    "row_integration",
    "column_integration",
    "conversion",
    "cycle",
    "mvm",
    "input_bit",
    "output_bit",
    "link_bit",
    "operation",
]


class PartSpec(Spec):
    """One part of a chip.

    component: what it counts as in a report.  per: what there is one of it for.  action: what it takes `energy` for.
    energy: J per action.  power: W of each, at any time that the chip is on.  area: m² of each.  is_fallback: of an
    integrator, that C V² of the system's own is taken instead of `energy`, where the system gives its capacitance.

    Actions: `drive`, a pulse on a row; `row_integration` and `column_integration`, a row or a converted column in one
    integration, pulse or none; `conversion`; `cycle` and `mvm`, of a macro; `input_bit` and `output_bit` that a macro
    takes and gives; `link_bit`; `operation` of the digital unit.
    """

    component: Component
    per: Place | None = None
    action: Action | None = None
    energy: Amount | None = None
    power: Amount | None = None
    area: Amount | None = None
    is_fallback: bool = False

    @model_validator(mode="after")
    def _numbers_belong_to_something(self) -> Self:
        if (self.action is None) != (self.energy is None):
            raise ValueError("energy and action need each other: give both, or neither")
        if self.per is None and (self.power is not None or self.area is not None):
            raise ValueError("power and area need per: say what there is one of it for")
        if self.is_fallback and self.component != "integrator":
            raise ValueError("is_fallback is for integrators alone: leave it out")
        return self


class CellCosts(Spec):
    """The cells. Their energy is V² g t of every driven cell, from the conductances that are there.

    read_voltage: V of the largest pulse, where the system does not say.  read_energy: J per cell and driven pulse, in
    place of V² g t, for studies that give no conductances.  write_voltage: V, where the cells do not say.  area: m² of
    one.
    """

    read_voltage: Positive | None = None
    read_energy: Amount | None = None
    write_voltage: Positive | None = None
    area: Amount | None = None


class TimingSpec(Spec):
    """How long things take.

    read_time: s of one integration, where the system has neither an integrator nor a cycle time.
    cycle_overhead: s that every conversion of a macro adds.
    overlaps: whether columns are converted while the next cycle is read.
    cycles_per_conversion: input cycles that are added up as charge, the heavier ones by repeating them, and
        converted once.
    digital_rate: operations per second of the digital unit.  link_bandwidth: bit/s of a chip's link, where the system
        does not say. None takes no time.
    """

    read_time: Positive | None = None
    cycle_overhead: Annotated[float, Field(ge=0)] = 0.0
    overlaps: bool = False
    cycles_per_conversion: Count = 1
    digital_rate: Positive | None = None
    link_bandwidth: Positive | None = None


@saved
class ComponentTable(Spec):
    """What every part of a chip takes.

    node: m, such as 65e-9.  supply: V; None for the nominal one of the node.  based_on: the table, or the TOML file
    beside this one, that gives what this one does not, scaled to this node.  notes: what a reader of reports made with
    it should know.  `sources` says where each number comes from: a dotted path, or the beginning of one, and a source.
    """

    name: Annotated[str, Field(min_length=1)]
    description: str
    node: Annotated[float, Field(gt=0, lt=1e-4)]
    supply: Positive | None = None
    based_on: str | None = None
    cells: CellCosts = CellCosts()
    adc: AdcCosts | None = None
    timing: TimingSpec = TimingSpec()
    parts: dict[str, PartSpec] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sources: dict[str, str] = Field(default_factory=dict)

    @property
    def nominal_supply(self) -> float:
        """The supply, V."""
        return self.supply or nominal_supply(self.node)

    def scaled(self, node: float, supply: float | None = None) -> "ComponentTable":
        """The same components on another node, m, with another supply, V: see `crossloom.cost.scaling` for the law.

        Voltages and times of cells stay, and links, which drive pads and boards, stay altogether; times of converters
        and of the digital unit go with the node.
        """
        shrink = node / self.node
        energies = energy_ratio(shrink, (supply or nominal_supply(node)) / self.nominal_supply)
        areas = area_ratio(shrink)
        parts = {
            name: part
            if part.component == "link"
            else part.replace(
                energy=scale(part.energy, energies),
                power=scale(part.power, energies),
                area=scale(part.area, areas),
            )
            for name, part in self.parts.items()
        }
        rate = self.timing.digital_rate
        return self.replace(
            node=node,
            supply=supply,
            parts=parts,
            adc=None if self.adc is None else _scaled_adc(self.adc, shrink, energies, areas),
            cells=self.cells.replace(area=scale(self.cells.area, areas)),
            timing=self.timing.replace(digital_rate=None if rate is None else rate / shrink),
        )


def _scaled_adc(adc: AdcCosts, shrink: float, energies, areas) -> AdcCosts:
    given = [name for name in ("figure_of_merit", "conversion", "step") if name in type(adc).model_fields]
    scaled = {name: scale(getattr(adc, name), energies) for name in (*given, "power")}
    step_time = None if adc.step_time is None else adc.step_time * shrink
    return adc.replace(step_time=step_time, area=scale(adc.area, areas), **scaled)
