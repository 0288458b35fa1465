"""Attention: projections are matrices in memory, products of two activations are digital, and all of it is exact."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import crossloom as xl
from crossloom.graph import Digital, interpret, simplify, trace
from crossloom.graph.fast_paths import attention
from crossloom.mapping import coverage

X = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))
Y = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(1))
PADDING = torch.tensor([[False] * 5, [False, False, True, True, True], [False] * 4 + [True]])
CAUSAL = torch.triu(torch.full((5, 5), float("-inf")), 1)


class Function(nn.Module):
    """Layers, and a function that is given them and the inputs."""

    def __init__(self, function: Callable[..., object], **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, *inputs: Tensor) -> object:
        return self.function(self, *inputs)


def with_attention(function: Callable[..., object], *sizes: int, **choices: object) -> nn.Module:
    torch.manual_seed(0)
    return Function(function, attention=nn.MultiheadAttention(*sizes, **choices)).eval()


def _masked(m: nn.Module, x: Tensor, padding: Tensor) -> Tensor:
    return m.attention(x, x, x, key_padding_mask=padding, attn_mask=CAUSAL, need_weights=False)[0]


def _grouped(m: nn.Module, x: Tensor) -> Tensor:
    q = m.q(x).unflatten(-1, (4, 2)).transpose(1, 2)
    k, v = (layer(x).unflatten(-1, (2, 2)).transpose(1, 2) for layer in (m.k, m.v))
    mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    return m.out(mixed.transpose(1, 2).flatten(2))


def _by_einsum(m: nn.Module, x: Tensor) -> Tensor:
    q, k, v = (
        torch.einsum("btm,mhd->bhtd", x, m.wide.weight.view(3, 8, 2, 4)[number]) for number in range(3)
    )
    mixed = torch.einsum("bhqk,bhkd->bhqd", torch.einsum("bhqd,bhkd->bhqk", q, k).softmax(-1), v)
    return torch.einsum("bhqd,hdm->bqm", mixed, m.out.weight.view(2, 4, 8))


CASES: dict[str, tuple[nn.Module, tuple[Tensor, ...], int]] = {
    "self, weights wanted": (
        with_attention(lambda m, x: m.attention(x, x, x), 8, 2, batch_first=True), (X,), 2
    ),
    "self, tokens first": (
        with_attention(
            lambda m, x: m.attention(*[x.transpose(0, 1)] * 3, need_weights=False)[0].transpose(0, 1), 8, 4
        ), (X,), 2,
    ),
    "masks": (with_attention(_masked, 8, 2, batch_first=True), (X, PADDING), 2),
    "cross": (
        with_attention(
            lambda m, x: m.attention(x, memory := x[:, :3], memory, average_attn_weights=False),
            8, 2, batch_first=True,
        ), (X,), 3,
    ),
    "other widths": (
        with_attention(
            lambda m, x, y: m.attention(x, y, y, need_weights=False)[0],
            8, 2, kdim=6, vdim=6, batch_first=True, bias=False,
        ), (X, Y), 4,
    ),
    "stored key and zero": (
        with_attention(
            lambda m, x: m.attention(x, x, x)[0], 8, 2, 0.0, True, True, True, batch_first=True
        ), (X,), 2,
    ),
    "grouped queries": (
        Function(
            _grouped, q=nn.Linear(8, 8), k=nn.Linear(8, 4, bias=False), v=nn.Linear(8, 4), out=nn.Linear(8, 8)
        ).eval(), (X,), 4,
    ),
    "by einsum": (Function(_by_einsum, wide=nn.Linear(8, 24), out=nn.Linear(8, 8)).eval(), (X,), 4),
    "encoder": (
        nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 12, activation="gelu", batch_first=True, norm_first=True), 1
        ).eval(), (X,), 4,
    ),
    "decoder": (
        Function(
            lambda m, x: m.decoder(x, x[:, :3], tgt_mask=CAUSAL, tgt_is_causal=True),
            decoder=nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 12, batch_first=True), 1),
        ).eval(), (X,), 7,
    ),
}  # fmt: skip


QUICK = ("self, weights wanted", "masks", "cross", "by einsum")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CASES]
)
def test_attention_is_exact_on_ideal_chips_and_its_projections_are_in_memory(name):
    model, inputs, num_matrices = CASES[name]
    graph = simplify(trace(model, inputs))
    wanted = model(*inputs)
    for found, expected in zip(
        interpret(graph, inputs), wanted if isinstance(wanted, tuple) else (wanted,), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    placement = xl.compile(graph, xl.load_system("ideal"), [inputs])
    assert len(placement.mapped.schemes) == num_matrices
    rows = [row for row in coverage(placement.mapped) if row.macs]
    assert {row.why for row in rows if row.where == "digital"} == {"a product of two activations"}
    chips = xl.program(placement, xl.SimulatedBackend(placement.system))
    on_chip = xl.run(chips, inputs, batch_size=2, probe_samples=0).outputs
    digital = xl.run(chips, inputs, mode="integer", probe_samples=0).outputs
    pairs = zip(on_chip, digital, strict=True) if isinstance(on_chip, tuple) else [(on_chip, digital)]
    assert all(torch.equal(one, other) for one, other in pairs)


@pytest.mark.slow
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("choices", [{}, {"norm_first": True, "activation": "gelu"}], ids=["after", "first"])
def test_a_program_exported_without_gradients_keeps_no_fast_path_that_hides_its_matrices(strict, choices):
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, **choices).eval()
    with torch.no_grad():
        program = torch.export.export(layer, (X,), strict=strict)
    graph = trace(program, X)
    assert len(graph.matrices) == 4
    torch.testing.assert_close(interpret(graph, (X,))[0], layer(X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["padding", "causal", "float", "none"])
@pytest.mark.parametrize("average", [True, False])
def test_fused_attention_written_out_gives_what_the_fused_one_gives(kind, average):
    layer = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    mask, mask_type = {
        "padding": (PADDING, 1), "causal": (CAUSAL.isinf(), 0), "float": (CAUSAL, 0), "none": (None, None),
    }[kind]  # fmt: skip
    weights = layer.in_proj_weight, layer.in_proj_bias, layer.out_proj.weight, layer.out_proj.bias
    plain = attention(X, X, X, 8, 2, *weights, mask, True, average, mask_type)
    wanted = layer(
        X, X, X, average_attn_weights=average,
        key_padding_mask=PADDING if kind == "padding" else None,
        attn_mask=mask if mask_type == 0 else None,
    )  # fmt: skip
    for found, expected in zip(plain, wanted, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_projections_of_cross_attention_carry_the_name_of_their_weight():
    graph = trace(CASES["cross"][0], (X,))
    assert [node.name for node in graph.matrices] == [
        "attention.in_proj", "attention.in_proj_1", "attention.out_proj",
    ]  # fmt: skip
    assert not any("split" in node.operation for node in graph.nodes if isinstance(node, Digital))
