"""Attention whose projections compute as macros do; products of two activations stay digital."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from crossloom.training.layers import AnalogLinear
from crossloom.training.making import MakeMatrix, adopt
from crossloom.training.plan import LayerShape

_OPTIONS = ("embed_dim", "num_heads", "dropout", "kdim", "vdim", "batch_first", "add_zero_attn")
_INPUTS = ("q", "k", "v")


class AnalogMultiheadAttention(nn.Module):
    """A `torch.nn.MultiheadAttention` on macros: one matrix each for queries, keys, values and the output.

    Parameters have the names of the plain layer's.
    """

    num_heads: int
    dropout: float
    batch_first: bool
    add_zero_attn: bool
    in_proj_weight: torch.Tensor | None
    in_proj_bias: torch.Tensor | None

    def __init__(self, plain: nn.MultiheadAttention, make: MakeMatrix) -> None:
        super().__init__()
        for option in _OPTIONS:
            setattr(self, option, getattr(plain, option))
        # Layers of transformers read this, and keep to the path on which layers are called.
        self._qkv_same_embed_dim = False
        adopt(self, plain)
        self.bias_k, self.bias_v = plain.bias_k, plain.bias_v
        for part, weight in zip(_INPUTS, self._weights(), strict=True):
            shape = LayerShape(weight.shape[1], weight.shape[0])
            self.add_module(f"matrix_{part}", make("in_proj", shape, weight))
        out = plain.out_proj
        matrix = make("out_proj", LayerShape(out.in_features, out.out_features), out.weight)
        self.out_proj = AnalogLinear(out, matrix)

    @staticmethod
    def weights_of(plain: nn.MultiheadAttention) -> list[str]:
        """The parameters that lie in cells."""
        inputs = [f"{part}_proj_weight" for part in _INPUTS]
        return [*(["in_proj_weight"] if plain._qkv_same_embed_dim else inputs), "out_proj.weight"]

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        key_padding_mask: torch.Tensor | None = None,
        need_weights: bool = True,
        attn_mask: torch.Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Outputs, and the weights of attention if `need_weights`: as the plain layer takes and gives them.

        is_causal: says of `attn_mask` that it is causal; the mask itself is used.
        """
        is_batched = query.dim() == 3
        tokens = [self._batch_first(values, is_batched) for values in (query, key, value)]
        projected = self._project(tokens)
        num_keys = projected[1].shape[1]
        heads = [self._with_more_keys(self._heads(part), number) for number, part in enumerate(projected)]
        mask = self._mask(attn_mask, key_padding_mask, heads[0], num_keys)
        met, weights = self._attend(heads, mask, need_weights)
        answer = self.out_proj(met.transpose(1, 2).flatten(2))
        if weights is not None:
            weights = weights.mean(1) if average_attn_weights else weights
        if not is_batched:
            return answer.squeeze(0), None if weights is None else weights.squeeze(0)
        return answer if self.batch_first else answer.transpose(0, 1), weights

    def to_plain(self) -> nn.MultiheadAttention:
        """The plain layer with what the cells stand for; `out_proj` carries what it has learned."""
        weights = self._weights()
        options: dict[str, Any] = {option: getattr(self, option) for option in _OPTIONS}
        some, has_bias = weights[0], self.in_proj_bias is not None
        factory = {"device": some.device, "dtype": some.dtype}
        plain = nn.MultiheadAttention(
            **options, bias=has_bias, add_bias_kv=self.bias_k is not None, **factory
        )
        state: dict[str, torch.Tensor] = dict(self.named_parameters(recurse=False))
        given = [self._matrix(part).stood_for(w) for part, w in zip(_INPUTS, weights, strict=True)]
        if self.in_proj_weight is not None:
            state["in_proj_weight"] = torch.cat(given)
        else:
            state |= {f"{part}_proj_weight": weight for part, weight in zip(_INPUTS, given, strict=True)}
        state["out_proj.weight"] = self.out_proj.matrix.stood_for(self.out_proj.weight)
        if self.out_proj.bias is not None:
            state["out_proj.bias"] = self.out_proj.bias
        plain.load_state_dict(state)
        plain.out_proj.learned = self.out_proj.matrix.learned()  # type: ignore[assignment]
        return plain

    def extra_repr(self) -> str:
        return ", ".join(f"{option}={getattr(self, option)}" for option in _OPTIONS)

    def _matrix(self, part: str) -> Any:
        return getattr(self, f"matrix_{part}")

    def _weights(self) -> list[torch.Tensor]:
        """Those of queries, keys and values, [embedding, input]."""
        if self.in_proj_weight is not None:
            return list(self.in_proj_weight.chunk(3))
        return [getattr(self, f"{part}_proj_weight") for part in _INPUTS]

    def _batch_first(self, values: torch.Tensor, is_batched: bool) -> torch.Tensor:
        """[sample, token, embedding]."""
        if not is_batched:
            return values.unsqueeze(0)
        return values if self.batch_first else values.transpose(0, 1)

    def _project(self, tokens: list[torch.Tensor]) -> list[torch.Tensor]:
        """Queries, keys and values, [sample, token, embedding]."""
        answers = []
        biases = (None,) * 3 if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        for part, values, weight, bias in zip(_INPUTS, tokens, self._weights(), biases, strict=True):
            products = self._matrix(part)(values.reshape(-1, values.shape[-1]), weight)
            products = products if bias is None else products + bias.to(products.dtype)
            answers.append(products.view(*values.shape[:-1], -1))
        if self.bias_k is not None and self.bias_v is not None:
            for number, more in ((1, self.bias_k), (2, self.bias_v)):
                more = more.to(answers[number].dtype).expand(len(answers[number]), -1, -1)
                answers[number] = torch.cat([answers[number], more], 1)
        return answers

    def _heads(self, values: torch.Tensor) -> torch.Tensor:
        """[sample, head, token, embedding of a head]."""
        return values.unflatten(2, (self.num_heads, -1)).transpose(1, 2)

    def _with_more_keys(self, heads: torch.Tensor, number: int) -> torch.Tensor:
        """Keys and values with a token of zeros, where the layer adds one."""
        return functional.pad(heads, (0, 0, 0, 1)) if self.add_zero_attn and number else heads

    def _mask(
        self,
        attn_mask: torch.Tensor | None,
        key_padding_mask: torch.Tensor | None,
        queries: torch.Tensor,
        num_keys: int,
    ) -> torch.Tensor | None:
        """What is added to scores, broadcastable to [sample, head, query, key]; None for nothing.

        num_keys: those that were given and, with them, the bias; added keys are never masked.
        """
        masks = []
        if attn_mask is not None:
            mask = _additive(attn_mask, queries.dtype)
            masks.append(mask.unflatten(0, (-1, self.num_heads)) if mask.dim() == 3 else mask)
        if key_padding_mask is not None:
            masks.append(_additive(key_padding_mask, queries.dtype).view(len(queries), 1, 1, -1))
        num_keys += self.add_zero_attn
        padded = [functional.pad(mask, (0, num_keys - mask.shape[-1])) for mask in masks]
        return sum(padded[1:], start=padded[0]) if padded else None

    def _attend(
        self, heads: list[torch.Tensor], mask: torch.Tensor | None, need_weights: bool
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Values as queries meet them, [sample, head, query, embedding of a head], and the weights."""
        queries, keys, values = heads
        dropout = self.dropout if self.training else 0.0
        if not need_weights:
            return functional.scaled_dot_product_attention(queries, keys, values, mask, dropout), None
        scores = (queries * queries.shape[-1] ** -0.5) @ keys.transpose(-2, -1)
        weights = torch.softmax(scores if mask is None else scores + mask, -1)
        weights = functional.dropout(weights, dropout)
        return weights @ values, weights


def _additive(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A mask that is added: where a boolean one forbids, minus infinity."""
    if mask.is_floating_point():
        return mask.to(dtype)
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(mask.bool(), float("-inf"))
