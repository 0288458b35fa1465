"""Systems: chips, their cores, and the links between them."""

from collections.abc import Iterator
from typing import Annotated, NamedTuple

from pydantic import Field

from crossloom.spec.base import Spec
from crossloom.spec.cell import CellSpec, IdealDeviceSpec, Positive
from crossloom.spec.device_presets import DevicePreset
from crossloom.spec.macro import Count, MacroSpec


class MacroAddress(NamedTuple):
    """Where a macro is: its chip, its core on the chip, its number in the core."""

    chip: int
    core: int
    macro: int

    def __str__(self) -> str:
        return f"chip {self.chip}, core {self.core}, macro {self.macro}"


class BufferSpec(Spec):
    """What holds the inputs and sums of a core's macros: `capacity` in bit, None where not published."""

    capacity: Positive | None = None


class CoreSpec(Spec):
    """Macros that share a buffer and a port."""

    num_macros: Count
    macro: MacroSpec
    buffer: BufferSpec = BufferSpec()


class ChipSpec(Spec):
    """One die."""

    num_cores: Count
    core: CoreSpec


class LinkSpec(Spec):
    """What joins the chips: bandwidth in bit/s, energy_per_bit in J. None where not published."""

    bandwidth: Positive | None = None
    energy_per_bit: Positive | None = None


class PrecisionSpec(Spec):
    """The numbers that the system is made for: bits of weights and activations."""

    weight_bits: Annotated[int, Field(ge=2, le=16)]
    activation_bits: Annotated[int, Field(ge=2, le=16)]
    activations_are_signed: bool | None = None


class SystemSpec(Spec):
    """The chips that a model may use, and their links.

    `sources` says where each number comes from: a dotted path (or the beginning of one) and its source.
    """

    name: str
    description: str
    num_chips: Count
    chip: ChipSpec
    link: LinkSpec = LinkSpec()
    precision: PrecisionSpec
    sources: dict[str, str] = Field(default_factory=dict)

    @property
    def macro(self) -> MacroSpec:
        return self.chip.core.macro

    @property
    def macros_per_chip(self) -> int:
        return self.chip.num_cores * self.chip.core.num_macros

    @property
    def num_macros(self) -> int:
        return self.num_chips * self.macros_per_chip

    def addresses(self) -> Iterator[MacroAddress]:
        """Every macro, chip by chip."""
        return (self.address(index) for index in range(self.num_macros))

    def address(self, index: int) -> MacroAddress:
        """The macro number `index`, counted chip by chip and core by core."""
        chip, rest = divmod(index, self.macros_per_chip)
        return MacroAddress(chip, *divmod(rest, self.chip.core.num_macros))

    def with_macro(self, macro: MacroSpec) -> "SystemSpec":
        """The same system of other macros."""
        core = self.chip.core.replace(macro=macro)
        return self.replace(chip=self.chip.replace(core=core))

    def with_cell(self, cell: CellSpec | DevicePreset) -> "SystemSpec":
        """The same system of other cells, or of a published device; sources of the old ones go, the new ones come.

        `load_system("neurram").with_cell(load_device("pcm_nandakumar"))`
        """
        place = "chip.core.macro.crossbar."
        given = cell.sources if isinstance(cell, DevicePreset) else {}
        kept = {path: text for path, text in self.sources.items() if not path.startswith(f"{place}cell.")}
        sources = kept | {place + path: text for path, text in given.items()}
        new = cell.cell if isinstance(cell, DevicePreset) else cell
        crossbar = self.macro.crossbar.replace(cell=new)
        return self.with_macro(self.macro.replace(crossbar=crossbar)).replace(sources=sources)

    def noiseless(self) -> "SystemSpec":
        """The same system with ideal cells, wires, drivers and converters; of as many bits as before."""
        macro = self.macro
        cell = macro.cell.replace(device=IdealDeviceSpec(), iv=None, access=None)
        dac, readout = macro.dac.noiseless(), macro.readout.noiseless()
        crossbar = macro.crossbar.replace(cell=cell, wires=None, is_passive=False)
        return self.with_macro(macro.replace(crossbar=crossbar, dac=dac, readout=readout))
