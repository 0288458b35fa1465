"""Which tile lies where on every macro in use."""

from typing import Any

from crossloom.placement import Placement
from crossloom.spec import MacroAddress


def gather_macros(placement: Placement) -> list[dict[str, Any]]:
    """The macros in use, in order, each with its tiles and the regions that were to stay free."""
    tiles: dict[MacroAddress, list[dict[str, Any]]] = {address: [] for address in placement.macros}
    for (number, replica), site in placement.placed():
        tiles[site.address].append(_tile(placement, number, replica))
    return [_macro(placement, address, held) for address, held in tiles.items()]


def _macro(placement: Placement, address: MacroAddress, tiles: list[dict[str, Any]]) -> dict[str, Any]:
    crossbar = placement.system.macro.crossbar
    taken = sum(tile["num_rows"] * tile["num_columns"] for tile in tiles)
    return {
        "chip": address.chip,
        "core": address.core,
        "macro": address.macro,
        "utilization": taken / (crossbar.num_rows * crossbar.num_columns),
        "tiles": tiles,
        "forbidden": [
            region.model_dump(include={"row", "column", "num_rows", "num_columns"})
            for region in placement.config.forbidden
            if (region.chip, region.core, region.macro) == address
        ],
    }


def _tile(placement: Placement, number: int, replica: int) -> dict[str, Any]:
    tile, site = placement.mapped.tiles[number], placement.site(number, replica)
    return {
        "tile": number,
        "layer": tile.layer,
        "copy": tile.copy,
        "replica": replica,
        "inputs": [tile.input_start, tile.input_stop],
        "outputs": [tile.output_start, tile.output_stop],
        "row": site.row,
        "column": site.column,
        "num_rows": tile.num_rows,
        "num_columns": tile.num_columns,
        "integration_time": tile.integration_time,
    }
