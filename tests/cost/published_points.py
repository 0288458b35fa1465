"""Published operating points beside what the component tables give: `python tests/cost/published_points.py`."""

from dataclasses import dataclass

from crossloom.cost import load_table, peak
from crossloom.spec import SystemSpec, load_system

NEURRAM = {(3, 1): (2.122, 43.08), (5, 3): (1.165, 23.09), (8, 6): (0.418, 8.26)}
"""(output bits, input bits): TOPS, TOPS/W; Wan et al. 2022, 10.1038/s41586-022-04992-8."""


@dataclass(frozen=True)
class PublishedPoint:
    """One published figure, and ours.

    is_derived: a constant of our table comes from this very figure, so that it agrees without saying anything.
    """

    system: str
    point: str
    figure: str
    published: float
    modelled: float
    is_derived: bool = False

    @property
    def deviation(self) -> float:
        """Ours less the published one, as a share of it."""
        return self.modelled / self.published - 1


def published_points() -> list[PublishedPoint]:
    """All of them."""
    return [*_isaac(), *_puma(), *_neurram()]


def table_of(points: list[PublishedPoint]) -> str:
    """The table of the page on costs."""
    rows = [
        f"| {item.system} | {item.point} | {item.figure} | {item.published:.4g} | {item.modelled:.4g} | "
        f"{'derived' if item.is_derived else f'{item.deviation:+.1%}'} |"
        for item in points
    ]
    return "\n".join(
        ["| system | point | figure | published | modelled | deviation |", "|---|---|---|---|---|---|", *rows]
    )


def _isaac() -> list[PublishedPoint]:
    # Shafiee et al. 2016, 10.1109/ISCA.2016.12: Table 1, and 479 GOPS/mm2 in its text
    best, point = peak(load_system("isaac"), load_table("isaac")), "16-bit weights and inputs"
    return [
        PublishedPoint("isaac", point, "TOPS", 41.3, best.throughput / 1e12),
        PublishedPoint("isaac", point, "W", 65.8, best.power),
        PublishedPoint("isaac", point, "TOPS/W", 41.3 / 65.8, best.operations_per_joule / 1e12),
        PublishedPoint("isaac", point, "mm²", 85.4, best.area * 1e6),
        PublishedPoint("isaac", point, "TOPS/mm²", 0.479, best.operations_per_area / 1e18),
    ]


def _puma() -> list[PublishedPoint]:
    # Ankit et al. 2019, 10.1145/3297858.3304049: a 16-bit 128 x 128 product on 8 crossbars
    best = peak(puma_unit(), load_table("puma"))
    seconds = 2 * 128 * 128 / best.throughput
    return [
        PublishedPoint("puma", "one 16-bit MVM", "ns", 2304, seconds * 1e9, is_derived=True),
        PublishedPoint("puma", "one 16-bit MVM", "nJ", 43.97, best.power * seconds * 1e9),
    ]


def puma_unit() -> SystemSpec:
    """One matrix unit of PUMA: eight crossbars like those of ISAAC."""
    unit = {
        "name": "puma",
        "chip.num_cores": 1,
        "chip.core.num_macros": 8,
        "chip.core.macro.dac.cycle_time": None,
    }
    return load_system("isaac", unit)


def _neurram() -> list[PublishedPoint]:
    points, system, table = [], load_system("neurram"), load_table("neurram")
    for (output_bits, input_bits), (tops, efficiency) in NEURRAM.items():
        best = peak(system, table, output_bits=output_bits, input_bits=input_bits)
        point = f"{output_bits}-bit outputs, {input_bits}-bit inputs"
        points += [
            PublishedPoint("neurram", point, "TOPS", tops, best.throughput / 1e12),
            PublishedPoint("neurram", point, "TOPS/W", efficiency, best.operations_per_joule / 1e12),
        ]
    return points


if __name__ == "__main__":
    print(table_of(published_points()))
