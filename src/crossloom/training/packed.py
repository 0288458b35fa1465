"""A network that was trained with quantisation as one small file: integers, steps, and whatever else it has."""

from dataclasses import asdict
from json import dumps, loads
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from crossloom.artefacts import atomic_path
from crossloom.errors import ArtefactError
from crossloom.quant import LearnedLayer

_VERSION = "1"


def save_learned(model: nn.Module, path: str | Path) -> None:
    """Write what `convert_to_digital` gave: integers as int8 or int16, everything else as it is.

    ArtefactError when no layer carries what it has learned.
    """
    tensors = {name: value.detach().contiguous().cpu() for name, value in model.state_dict().items()}
    layers: dict[str, dict] = {}
    for name, module in _learned(model).items():
        learned: LearnedLayer = module.learned  # type: ignore[assignment]
        step = learned.weight_step.view(-1, *[1] * (module.weight.dim() - 1))  # type: ignore[operator]
        integers = (tensors[f"{name}.weight"].double() / step).round()
        tensors[f"{name}.weight"] = integers.to(torch.int8 if learned.weight_bits <= 8 else torch.int16)
        tensors[f"{name}.weight_step"] = learned.weight_step
        layers[name] = {key: value for key, value in asdict(learned).items() if key != "weight_step"}
    if not layers:
        raise ArtefactError("no layer has learned steps; give what convert_to_digital returned")
    meta = {"crossloom_learned": _VERSION, "layers": dumps(layers)}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, meta)


def load_learned(model: nn.Module, path: str | Path) -> nn.Module:
    """Fill a plain network of the same layers with what `save_learned` wrote; returns it.

    ArtefactError when the file is of another network, or none of these.
    """
    tensors, layers = _read(Path(path))
    modules = dict(model.named_modules())
    missing = [name for name in layers if name not in modules]
    if missing:
        raise ArtefactError(f"{path} is of another network: it has a layer {missing[0]!r}, the model has not")
    learned = {
        name: LearnedLayer(weight_step=tensors.pop(f"{name}.weight_step"), **fields)
        for name, fields in layers.items()
    }
    for name, layer in learned.items():
        integers = tensors[f"{name}.weight"]
        step = layer.weight_step.view(-1, *[1] * (integers.dim() - 1))
        tensors[f"{name}.weight"] = (integers.double() * step).float()
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise ArtefactError(f"{path} is of another network: {' '.join(str(error).split())}") from None
    for name, layer in learned.items():
        modules[name].learned = layer  # type: ignore[assignment]
    return model


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, dict]]:
    try:
        with safe_open(path, "pt") as file:
            meta = file.metadata() or {}
            if meta.get("crossloom_learned") != _VERSION:
                raise ArtefactError(f"{path} holds no trained network of version {_VERSION}; train again")
            return {name: file.get_tensor(name) for name in file.keys()}, loads(meta["layers"])  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ArtefactError(f"{path} cannot be read: {error}") from None


def _learned(model: nn.Module) -> dict[str, nn.Module]:
    return {name: module for name, module in model.named_modules() if hasattr(module, "learned")}
