"""Transformers of torch.nn that only evaluate compute a whole layer at once, past the layers that it is made of."""

from torch import nn

_SWITCHES = (
    (nn.TransformerEncoderLayer, "activation_relu_or_gelu", 0),
    (nn.TransformerEncoder, "use_nested_tensor", False),
)
_BEFORE = "before_analog"


def leave_fast_paths(model: nn.Module, analog: tuple[type[nn.Module], ...]) -> None:
    """See to it that transformers that hold layers of these types call them, in every mode."""
    for module in model.modules():
        for kind, switch, off in _SWITCHES:
            if isinstance(module, kind) and any(isinstance(part, analog) for part in module.modules()):
                setattr(module, _BEFORE, getattr(module, switch))
                setattr(module, switch, off)


def restore_fast_paths(model: nn.Module) -> None:
    """Let transformers do as they did before `leave_fast_paths`."""
    for module in model.modules():
        for kind, switch, _ in _SWITCHES:
            if isinstance(module, kind) and hasattr(module, _BEFORE):
                setattr(module, switch, getattr(module, _BEFORE))
                delattr(module, _BEFORE)
