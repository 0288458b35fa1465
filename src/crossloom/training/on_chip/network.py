"""A copy of a network whose layers lie in cells."""

from copy import deepcopy

import torch
from torch import nn

from crossloom.errors import ConfigError
from crossloom.hardware import Backend
from crossloom.programming import Strategy
from crossloom.registry import did_you_mean
from crossloom.seeds import derive_generator, derive_seed
from crossloom.training.on_chip.array import LearningArray
from crossloom.training.on_chip.config import OnChipConfig
from crossloom.training.on_chip.layers import LinearShape, OnChipLayer, PatchShape, Shape
from crossloom.training.on_chip.pairs import PairLayout, WeightScale
from crossloom.training.on_chip.products import ChipProducts
from crossloom.training.on_chip.sites import LearningTile, Shelves

_ROOM = 2.0  # how many times its largest first weight a layer's weights may grow, where no range is given


class OnChipNetwork(nn.Module):
    """A network on chips: `layers` by name lie in cells, whatever else it has is digital and stays as it was.

    Nothing is written to the chips until `write`.
    """

    def __init__(self, model: nn.Module, backend: Backend, config: OnChipConfig) -> None:
        super().__init__()
        self._config, self.backend = config, backend
        plain = deepcopy(model).cpu()
        self._plain = (nn.Sequential(plain) if isinstance(plain, nn.Linear | nn.Conv2d) else plain,)
        self.body = deepcopy(self._plain[0]).eval().requires_grad_(False)
        self.layers: dict[str, OnChipLayer] = {}
        self.arrays: dict[str, tuple[LearningArray, ...]] = {}
        self._starts: dict[str, torch.Tensor] = {}
        self._lay(_chosen(self.body, config))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.body(inputs)

    def write(self, strategy: Strategy) -> None:
        """Write the first weights, read all back, and let the rule find out what it needs of the cells."""
        for name, layer in self.layers.items():
            arrays, start = self.arrays[name], self._starts[name]
            if self._config.start != "found":
                arrays[0].write(start, strategy)
            for array in arrays[1:]:
                array.write(torch.zeros_like(start), strategy)
            generator = derive_generator(self._config.seed, "rule", name)
            layer.learner = self._config.rule.start(arrays, generator)
            layer.read_back()

    def set_learning(self, is_learning: bool) -> None:
        """Whether layers in cells let ranges follow what they meet; the rest always works as in use."""
        for layer in self.layers.values():
            layer.train(is_learning)

    def to_digital(self) -> nn.Module:
        """The plain network with the weights that were last read back."""
        plain = deepcopy(self._plain[0])
        modules = dict(plain.named_modules())
        with torch.no_grad():
            for name, layer in self.layers.items():
                weight, bias = modules[name].weight, modules[name].bias
                assert isinstance(weight, torch.Tensor)
                weight.copy_(layer.weight.view_as(weight))
                if layer.bias is not None:
                    assert isinstance(bias, torch.Tensor)
                    bias.copy_(layer.bias)
        return plain

    def _lay(self, names: list[str]) -> None:
        modules, shelves = dict(self.body.named_modules()), Shelves(self.backend.spec)
        layout = PairLayout(self.backend.spec.macro.pairing)
        starts = {name: self._first_weights(name, modules[name]) for name in names}
        tiles: dict[str, list[tuple[LearningTile, ...]]] = {
            name: [
                shelves.lay(start.shape[1], len(start), layout) for _ in range(self._config.rule.num_arrays)
            ]
            for name, start in starts.items()
        }
        shelves.check()
        for name, start in starts.items():
            scale = WeightScale.for_range(self.backend.spec.macro.cell, self._range(name, start))
            arrays = tuple(LearningArray(self.backend, part, layout, scale) for part in tiles[name])
            self._put(name, modules[name], arrays)
        self._starts = starts

    def _put(self, name: str, module: nn.Module, arrays: tuple[LearningArray, ...]) -> None:
        config = self._config
        assert isinstance(module, nn.Linear | nn.Conv2d)
        products = ChipProducts(arrays[0], config.input_bits)
        layer = OnChipLayer(name, _shape(module), module.bias, arrays[0], products)
        layer.is_by_chip, layer.draw_seed = config.forward == "chip", derive_seed(config.seed, "read", name)
        if layer.bias is not None:
            layer.bias.requires_grad_(config.bias_learning_rate is not None)
        parent, _, own = name.rpartition(".")
        setattr(self.body.get_submodule(parent), own, layer)
        self.layers[name], self.arrays[name] = layer, arrays

    def _first_weights(self, name: str, module: nn.Module) -> torch.Tensor:
        """[output, input] of the layer; drawn anew, evenly within 1 / sqrt(inputs), where the config says so."""
        weight = module.weight
        assert isinstance(weight, torch.Tensor)
        matrix = weight.detach().flatten(1).float().cpu()
        if self._config.start != "random":
            return matrix
        generator = derive_generator(self._config.seed, "weights", name)
        return (2 * torch.rand(matrix.shape, generator=generator) - 1) / matrix.shape[1] ** 0.5

    def _range(self, name: str, start: torch.Tensor) -> float:
        largest, given = start.abs().max().item(), self._config.weight_range
        if given is not None and given < largest and self._config.start != "found":
            raise ConfigError(
                f"{name}: its first weights reach {largest:.3g}, more than weight_range = {given:g}; give at least that"
            )
        return given or _ROOM * (largest or 1.0)


def _chosen(body: nn.Module, config: OnChipConfig) -> list[str]:
    """The names of the layers that shall learn. ConfigError when there are none, or one cannot lie in cells."""
    known = [name for name, module in body.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    if not known:
        raise ConfigError("this model has no linear layer or two-dimensional convolution to put into cells")
    wanted = config.layers
    names = known if wanted == "all" else known[-1:] if wanted == "last" else list(dict.fromkeys(wanted))
    for name in names:
        if name not in known:
            raise ConfigError(f"layers: no layer is called {name!r}; {did_you_mean(name, known)}")
    if not names:
        raise ConfigError(f"layers: need at least one, got none; known: {', '.join(known)}")
    for name in names:
        _check_convolution(name, body.get_submodule(name))
    return names


def _check_convolution(name: str, module: nn.Module) -> None:
    if not isinstance(module, nn.Conv2d):
        return
    if module.groups != 1 or module.padding_mode != "zeros" or isinstance(module.padding, str):
        raise ConfigError(
            f"{name}: convolutions learn with one group and a number of zeros as padding, got groups = "
            f"{module.groups}, padding = {module.padding!r}, padding_mode = {module.padding_mode!r}; leave it out of "
            "`layers`"
        )


def _shape(module: nn.Module) -> Shape:
    return PatchShape(module) if isinstance(module, nn.Conv2d) else LinearShape()
