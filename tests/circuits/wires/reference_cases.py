"""Crossbars that other programs solved, from the folder that CROSSLOOM_REFERENCE names."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from crossloom.spec import Wires


def folder(name: str) -> Path:
    """A folder of reference results, or the reason to skip."""
    if not os.environ.get("CROSSLOOM_REFERENCE"):
        pytest.skip("CROSSLOOM_REFERENCE is not set")
    return Path(os.environ["CROSSLOOM_REFERENCE"]) / name


def wires_case(name: str) -> tuple[dict[str, torch.Tensor], Wires]:
    """The tensors of a case, and its wires."""
    with np.load(folder("wires") / f"{name}.npz") as data:
        tensors = {key: torch.from_numpy(np.asarray(data[key], dtype=float)) for key in data.files}
    return tensors, Wires(*(float(tensors[key]) for key in ("word_line", "bit_line", "driver", "sense")))


def qucs_cases() -> dict[str, dict]:
    return json.loads((folder("qucs") / "qucs_cases.json").read_text("utf-8"))["cases"]


def worst(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference, relative to the largest of `other`."""
    return float((one - other).abs().max() / other.abs().max().clamp(min=1e-300))
