"""Which layers of a model are converted, and which cannot be."""

from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from crossloom.errors import ConfigError
from crossloom.registry import did_you_mean
from crossloom.training.config import AnalogConfig
from crossloom.training.kinds import PLAIN_KINDS, SEVERAL_OF, is_analog, is_convertible, weights_of


def find_plain(model: nn.Module, config: AnalogConfig) -> dict[str, nn.Module]:
    """The layers to convert, by name; a module that has several names comes with each.

    Raises ConfigError when there is none, when `config` names a layer that is not there, or when weights are not what
    training could change.
    """
    named = dict(model.named_modules(remove_duplicate=False))
    known = {
        name: module for name, module in named.items() if is_convertible(module) or _is_disguised(module)
    }
    left = (*config.digital, *config.mapping.digital)
    parts = [f"{name}.{part}" for name in known for part in _parts_of(known[name])]
    for names, allowed in ((left, [*known]), (config.mapping.layers, [*known, *parts])):
        for name in names:
            if name not in allowed:
                raise ConfigError(f"no layer to convert is called {name!r}; {did_you_mean(name, allowed)}")
    found = {name: module for name, module in known.items() if name not in left}
    if not found:
        kinds = ", ".join(sorted({type(module).__name__ for module in model.modules()}))
        wanted = ", ".join(kind.__name__ for kind in PLAIN_KINDS)
        raise ConfigError(f"nothing to convert: need {wanted} that are not digital, got {kinds}")
    for name, module in found.items():
        _check_weights(name, module)
    return found


def find_analog(model: nn.Module) -> dict[str, nn.Module]:
    """The analog layers, by name, but not those that are parts of others. ConfigError when there is none."""
    named = {
        name: module for name, module in model.named_modules(remove_duplicate=False) if is_analog(module)
    }
    if not named:
        raise ConfigError(
            "nothing to convert: the model has no analog layers; make some by convert_to_analog"
        )
    inner = {id(part) for module in named.values() for part in module.modules() if part is not module}
    return {name: module for name, module in named.items() if id(module) not in inner}


def _is_disguised(module: nn.Module) -> bool:
    """Whether parametrizations have made this another class."""
    return isinstance(module, PLAIN_KINDS) and is_parametrized(module)


def _parts_of(module: nn.Module) -> tuple[str, ...]:
    """Parts of a layer that a mapping may name, as the compiler does, or by the parameter."""
    if isinstance(module, nn.MultiheadAttention):
        return ("in_proj", "out_proj")
    return tuple(weights_of(module)) if type(module) in SEVERAL_OF else ()


def _check_weights(name: str, module: nn.Module) -> None:
    if any(is_parametrized(part) for part in module.modules()):
        raise ConfigError(
            f"{name}: its weights are computed by a parametrization, which cells cannot hold; call "
            "torch.nn.utils.parametrize.remove_parametrizations first, or list it in digital"
        )
    for weight in weights_of(module):
        try:
            tensor = module.get_parameter(weight)
        except AttributeError:
            raise ConfigError(
                f"{name}: {weight} is computed before every pass (weight_norm, spectral_norm or pruning), which cells "
                "cannot hold; remove that first, or list the layer in digital"
            ) from None
        if tensor.is_meta or not tensor.is_floating_point():
            kind = "on the meta device" if tensor.is_meta else tensor.dtype
            raise ConfigError(
                f"{name}: need real weights that hold numbers, got {weight} {kind}; list it in digital"
            )
