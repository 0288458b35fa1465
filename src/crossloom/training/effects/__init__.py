"""What goes wrong while a network is trained: a composition of small values."""

from crossloom.training.effects.any_effect import AnyEffect, known_effects
from crossloom.training.effects.conversion import Conversion
from crossloom.training.effects.converters import ConverterClipping, ConverterOffsets
from crossloom.training.effects.drop_connect import DropConnect
from crossloom.training.effects.effect import CellEffect, Effect, MatrixEffect, SumEffect
from crossloom.training.effects.ir_drop import IrDrop
from crossloom.training.effects.measured import measure_output_noise
from crossloom.training.effects.output_noise import OutputNoise
from crossloom.training.effects.programming_errors import ProgrammingErrors
from crossloom.training.effects.read_noise import ReadNoise
from crossloom.training.effects.schedule import scale_effects
from crossloom.training.effects.stuck_cells import StuckCells
from crossloom.training.effects.weight_noise import WeightNoise

__all__ = [
    "AnyEffect",
    "CellEffect",
    "Conversion",
    "ConverterClipping",
    "ConverterOffsets",
    "DropConnect",
    "Effect",
    "IrDrop",
    "MatrixEffect",
    "OutputNoise",
    "ProgrammingErrors",
    "ReadNoise",
    "StuckCells",
    "SumEffect",
    "WeightNoise",
    "known_effects",
    "measure_output_noise",
    "scale_effects",
]
