"""Mapping: matrices become tiles of cells. Encoding, slicing and input mode are independent choices."""

from crossloom.mapping.config import LayerMappingConfig, MappingConfig
from crossloom.mapping.coverage import NodeCoverage, coverage, share_in_memory
from crossloom.mapping.encodings import DifferentialPair, Encoding, OffsetColumn
from crossloom.mapping.full_scale import CalibratedRange, FullScale, GranularRange, MaximumRange
from crossloom.mapping.integration import learned_integration_time, legal_integration_time, sum_range
from crossloom.mapping.map_graph import MappedGraph, Tile, map_graph
from crossloom.mapping.scheme import Scheme, make_scheme
from crossloom.mapping.slicings import SignMagnitude, Slicing, TwosComplement, Whole
from crossloom.mapping.tiling import cut_matrix
from crossloom.mapping.vectors import vectors_per_sample
from crossloom.mapping.writes import ActivationWrites, activation_writes

__all__ = [
    "ActivationWrites",
    "CalibratedRange",
    "DifferentialPair",
    "Encoding",
    "FullScale",
    "GranularRange",
    "LayerMappingConfig",
    "MappedGraph",
    "MappingConfig",
    "MaximumRange",
    "NodeCoverage",
    "OffsetColumn",
    "Scheme",
    "SignMagnitude",
    "Slicing",
    "Tile",
    "TwosComplement",
    "Whole",
    "activation_writes",
    "coverage",
    "cut_matrix",
    "learned_integration_time",
    "legal_integration_time",
    "make_scheme",
    "map_graph",
    "share_in_memory",
    "sum_range",
    "vectors_per_sample",
]
