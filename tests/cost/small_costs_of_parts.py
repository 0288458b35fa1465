"""A macro and a table of round numbers, so that every cost can be added up by hand."""

from typing import Any

import torch

from crossloom.cost import ComponentTable
from crossloom.mapping import MappingConfig
from crossloom.placement import Placement
from crossloom.quant import QuantConfig
from crossloom.spec import SystemSpec, load_system
from flows import CELL, MACRO, place_graph
from small_graphs import linear_graph

WEIGHT = torch.tensor([[7.0, -2.0], [1.0, 3.0]])  # [out, in], 4-bit integers as they stand
INPUTS = torch.tensor([[7.0, -2.0], [1.0, 0.0]])  # [sample, in], 4-bit codes as they stand
EXACT = QuantConfig(
    weight_bits=4,
    activation_bits=4,
    activations_are_signed=True,
    per_channel=False,
    weight_range="min_max",
    activation_range="min_max",
)


def round_system(**overrides: Any) -> SystemSpec:
    """One chip of two macros of 8 x 4 cells in row pairs: 1 uS a level, 0.1 V, 1 pF to 1 V, registers of 10 ns."""
    return load_system(
        "ideal",
        {
            "num_chips": 1,
            "precision": {"weight_bits": 4, "activation_bits": 4},
            "chip.num_cores": 1,
            "chip.core.num_macros": 2,
            f"{MACRO}.pairing": "rows",
            f"{MACRO}.input_modes": [{"kind": "bit_serial"}, {"kind": "pulse"}],
            f"{MACRO}.crossbar.num_rows": 8,
            f"{MACRO}.crossbar.num_columns": 4,
            f"{CELL}.g_max": 7e-6,
            f"{CELL}.num_levels": 8,
            f"{MACRO}.dac": {"bits": 1, "is_signed": True, "read_voltage": 0.1},
            f"{MACRO}.readout": {
                "bits": 4,
                "columns_per_adc": 2,
                "integrator": {
                    "capacitance": 1e-12,
                    "full_scale": 1.0,
                    "time_step": 1e-8,
                    "max_time": 63,
                },
            },
            **overrides,
        },
    )


def round_table(**overrides: Any) -> ComponentTable:
    """Every kind of part, with numbers that are easy to add up."""
    return ComponentTable.parse(
        {
            "name": "round",
            "description": "numbers for sums by hand",
            "node": 65e-9,
            "cells": {"area": 1e-12},
            "adc": {"kind": "published", "bits": 4, "conversion": 1e-12, "step_time": 5e-9, "area": 1e-9},
            "timing": {"link_bandwidth": 1e9, "digital_rate": 1e9},
            "parts": {
                "driver": {
                    "component": "dac",
                    "per": "row",
                    "action": "drive",
                    "energy": {"typical": 1e-13, "low": 5e-14, "high": 3e-13},
                    "area": 1e-11,
                },
                "adder": {"component": "shift_and_add", "action": "conversion", "energy": 1e-14},
                "reading": {"component": "buffer", "action": "input_bit", "energy": 1e-15},
                "writing": {"component": "buffer", "action": "output_bit", "energy": 2e-15},
                "link": {"component": "link", "action": "link_bit", "energy": 1e-12},
                "unit": {"component": "digital", "action": "operation", "energy": 1e-12},
                "idle": {"component": "leakage", "per": "chip", "power": 1e-3, "area": 1e-8},
            },
            **overrides,
        }
    )


def round_placement(system: SystemSpec | None = None, mapping: MappingConfig | None = None) -> Placement:
    """The linear layer of WEIGHT, with the readout's register at 10."""
    mapping = mapping or MappingConfig(integration_time=10)
    return place_graph(linear_graph(WEIGHT), INPUTS, system or round_system(), mapping, EXACT)
