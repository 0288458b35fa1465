"""One layer as it meets effects, written out: integers, cells, matrix, sums; and a system that has every one."""

from collections.abc import Sequence

import torch

from crossloom.circuits import effective_array
from crossloom.hardware import DenseCodes, Wiring
from crossloom.spec import MacroSpec
from crossloom.training.effects import (
    CellEffect,
    Conversion,
    ConverterClipping,
    ConverterOffsets,
    DropConnect,
    Effect,
    IrDrop,
    MatrixEffect,
    OutputNoise,
    ProgrammingErrors,
    ReadNoise,
    StuckCells,
    SumEffect,
    WeightNoise,
)
from flows import MACRO, noisy_system

EFFECTS = {
    effect.kind: effect  # type: ignore[attr-defined]
    for effect in (
        WeightNoise(sigma=0.06),
        DropConnect(probability=0.2),
        ProgrammingErrors(),
        StuckCells(low=0.1, high=0.1),
        IrDrop(),
        ReadNoise(),
        OutputNoise(sigma=0.5),
        ConverterOffsets(),
        ConverterClipping(full_scale=0.5),
    )
}
WIRING = Wiring("rows")
NUM_INPUTS, NUM_OUTPUTS, LARGEST = 20, 8, 7
GAIN = 0.3

SYSTEM = noisy_system(
    {f"{MACRO}.pairing": "rows", f"{MACRO}.crossbar.wires": {"word_line": 20.0, "bit_line": 20.0}},
    {"bits": 4, "offset": 0.5, "gain_error": 0.05},
    programming_error={"coefficients": (1e-6, 0.05)},
    read_noise={"coefficients": (1e-6, 0.05)},
)
LEVEL_STEP = (SYSTEM.macro.cell.g_max - SYSTEM.macro.cell.g_min) / LARGEST


def integers(num_outputs: int = NUM_OUTPUTS, num_inputs: int = NUM_INPUTS, seed: int = 0) -> torch.Tensor:
    """[output, input]; none is 0, so that it is clear which cell of a pair answers."""
    generator = torch.Generator().manual_seed(seed)
    magnitude = torch.randint(1, LARGEST + 1, (num_outputs, num_inputs), generator=generator)
    sign = torch.randint(0, 2, magnitude.shape, generator=generator) * 2 - 1
    return (magnitude * sign).float()


def inputs(num_vectors: int = 32, seed: int = 1) -> torch.Tensor:
    """Ternary, as in a bit-serial cycle."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-1, 2, (num_vectors, NUM_INPUTS), generator=generator).float()


def cells(matrix: torch.Tensor, g_min: float, level_step: float = LEVEL_STEP) -> torch.Tensor:
    """Conductances [row, column] of differential pairs in rows."""
    levels = torch.stack([matrix.T.clamp(min=0), (-matrix.T).clamp(min=0)], 1).flatten(0, 1)
    return g_min + levels * level_step


def conversion(
    codes: torch.Tensor, matrix: torch.Tensor, macro: MacroSpec = SYSTEM.macro, **changes
) -> Conversion:
    """What sums of these codes meet."""
    fields = {
        "gain": torch.tensor(GAIN, dtype=torch.float64),
        "level_step": LEVEL_STEP,
        "wiring": WIRING,
        "layer": "layer",
    }
    return Conversion(DenseCodes(codes, len(codes)), matrix.detach(), macro=macro, **{**fields, **changes})


def layer(
    effects: Sequence[Effect], matrix: torch.Tensor, codes: torch.Tensor, seed: int = 0
) -> torch.Tensor:
    """Sums in codes before rounding, [vector, output], as one pass of training has them."""
    torch.manual_seed(seed)
    conductance = None
    if any(isinstance(effect, CellEffect) for effect in effects):
        conductance = cells(matrix, SYSTEM.macro.cell.g_min)
        for effect in effects:
            if isinstance(effect, CellEffect):
                conductance = effect.on_cells(conductance, SYSTEM.macro)
        matrix = effective_array(conductance, None, WIRING, LEVEL_STEP).matrix.T
    for effect in effects:
        if isinstance(effect, MatrixEffect):
            matrix = effect.on_matrix(matrix, LARGEST)
    sums = codes @ matrix.T * GAIN
    met = conversion(codes, matrix, conductance=None if conductance is None else conductance.detach())
    for effect in effects:
        if isinstance(effect, SumEffect):
            sums = effect.on_sums(sums.clone(), met)
    return sums
