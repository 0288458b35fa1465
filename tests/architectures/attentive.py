"""Networks of attention and of mixing: for images, for text, for anything."""

import math

import torch
from architecture import Architecture, both, images, tokens
from convolutional import conv, inverted_residual
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Self-attention with one projection for queries, keys and values, and a bias that is added to scores."""

    def __init__(self, width: int, num_heads: int, bias: Tensor | None = None) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        num, length, width = x.shape
        q, k, v = self.qkv(x).reshape(num, length, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) / math.sqrt(width // self.num_heads)
        scores = scores if self.bias is None else scores + self.bias
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(num, length, width))


class Block(nn.Module):
    """Attention and two linear layers, norms first."""

    def __init__(self, width: int, attention: nn.Module) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = attention
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, 16))
        self.positions = nn.Parameter(torch.randn(1, 17, 16))
        self.block, self.norm, self.head = Block(16, Attention(16, 2)), nn.LayerNorm(16), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.head(self.norm(self.block(x))[:, 0])


def _relative_bias(size: int, num_heads: int) -> Tensor:
    """[head, position, position] from a table of relative positions."""
    places = torch.stack(torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")).flatten(1)
    apart = places[:, :, None] - places[:, None] + size - 1
    table = torch.randn((2 * size - 1) ** 2, num_heads)
    return table[apart[0] * (2 * size - 1) + apart[1]].permute(2, 0, 1).contiguous()


class Windows(nn.Module):
    """A block on windows of an image [sample, height, width, channel], shifted around the edges."""

    def __init__(self, width: int, size: int, shift: int, grid: bool = False) -> None:
        super().__init__()
        self.size, self.shift, self.grid = size, shift, grid
        self.block = Block(width, Attention(width, 2, _relative_bias(size, 2)))

    def forward(self, x: Tensor) -> Tensor:
        num, height, width, channels = x.shape
        rows, columns = height // self.size, width // self.size
        x = torch.roll(x, (-self.shift, -self.shift), (1, 2))
        if self.grid:
            x = x.view(num, self.size, rows, self.size, columns, channels).permute(0, 2, 4, 1, 3, 5)
        else:
            x = x.view(num, rows, self.size, columns, self.size, channels).transpose(2, 3)
        y = self.block(x.reshape(-1, self.size**2, channels))
        y = y.view(num, rows, columns, self.size, self.size, channels)
        y = y.permute(0, 3, 1, 4, 2, 5) if self.grid else y.transpose(2, 3)
        return torch.roll(y.reshape(num, height, width, channels), (self.shift, self.shift), (1, 2))


class Swin(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 2, 2)
        self.blocks = nn.Sequential(Windows(8, 4, 0), Windows(8, 4, 2))
        self.merge, self.norm, self.head = nn.Linear(32, 16, bias=False), nn.LayerNorm(32), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.patches(x).permute(0, 2, 3, 1))
        parts = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.head(self.merge(self.norm(torch.cat(parts, -1))).mean((1, 2)))


class MaxViT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv(3, 8, 3, 2), inverted_residual(8, 16, nn.GELU))
        self.local, self.wide = Windows(8, 4, 0), Windows(8, 4, 0, grid=True)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.wide(self.local(self.stem(x).permute(0, 2, 3, 1))).mean((1, 2)))


class Mixer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 12, 4, 4)
        self.norm1, self.norm2 = nn.LayerNorm(12), nn.LayerNorm(12)
        self.tokens = nn.Sequential(nn.Linear(16, 20), nn.GELU(), nn.Linear(20, 16))
        self.channels = nn.Sequential(nn.Linear(12, 24), nn.GELU(), nn.Linear(24, 12))
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return self.head((x + self.channels(self.norm2(x))).mean(1))


class Translator(nn.Module):
    """`nn.Transformer` between embeddings and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(20, 8), nn.Embedding(15, 8)
        self.transformer = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
        self.head = nn.Linear(8, 15)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        y = self.transformer(self.source(source), self.target(target), tgt_mask=mask, tgt_is_causal=True)
        return self.head(y)


class Conv1D(nn.Module):
    """GPT-2's linear layer, whose weight is [in, out]."""

    def __init__(self, outputs: int, inputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.weight, self.bias = (
            nn.Parameter(torch.randn(inputs, outputs) / 4),
            nn.Parameter(torch.randn(outputs)),
        )

    def forward(self, x: Tensor) -> Tensor:
        shape = (*x.shape[:-1], self.outputs)
        return torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight).view(shape)


class GPT(nn.Module):
    """One block of GPT-2, and a head whose weight is the embedding's."""

    def __init__(self) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(20, 8), nn.Embedding(16, 8)
        self.ln_1, self.ln_2, self.ln_f = (nn.LayerNorm(8) for _ in range(3))
        self.c_attn, self.c_proj = Conv1D(24, 8), Conv1D(8, 8)
        self.c_fc, self.mlp_proj = Conv1D(16, 8), Conv1D(8, 16)
        self.lm_head = nn.Linear(8, 20, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1], device=tokens.device))
        q, k, v = (
            part.unflatten(-1, (2, 4)).transpose(1, 2) for part in self.c_attn(self.ln_1(x)).split(8, 2)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.c_proj(mixed.transpose(1, 2).flatten(2))
        x = x + self.mlp_proj(functional.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))
        return self.lm_head(self.ln_f(x))


class BERT(nn.Module):
    """One layer of BERT with a mask of padding, and its pooler."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(20, 8, padding_idx=0), nn.Embedding(6, 8)
        self.query, self.key, self.value, self.out = (nn.Linear(8, 8) for _ in range(4))
        self.up, self.down, self.pooler = nn.Linear(8, 16), nn.Linear(16, 8), nn.Linear(8, 8)
        self.norm0, self.norm1, self.norm2 = (nn.LayerNorm(8, eps=1e-12) for _ in range(3))

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        x = self.norm0(self.words(tokens) + self.positions.weight)
        q, k, v = (
            layer(x).view(*x.shape[:2], 2, 4).permute(0, 2, 1, 3)
            for layer in (self.query, self.key, self.value)
        )
        added = (1.0 - mask[:, None, None, :].to(x.dtype)) * torch.finfo(x.dtype).min
        weights = (torch.matmul(q, k.transpose(-1, -2)) / 2.0 + added).softmax(-1)
        mixed = torch.matmul(weights, v).permute(0, 2, 1, 3).contiguous().view(*x.shape)
        x = self.norm1(self.out(mixed) + x)
        x = self.norm2(self.down(functional.gelu(self.up(x))) + x)
        return x, torch.tanh(self.pooler(x[:, 0]))


class RMSNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(width) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


class Llama(nn.Module):
    """One block: rotated queries and keys, fewer keys than queries, gated linear layers, no biases."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.q_proj, self.o_proj = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
        self.k_proj, self.v_proj = nn.Linear(8, 4, bias=False), nn.Linear(8, 4, bias=False)
        self.gate_proj, self.up_proj = nn.Linear(8, 12, bias=False), nn.Linear(8, 12, bias=False)
        self.down_proj, self.lm_head = nn.Linear(12, 8, bias=False), nn.Linear(8, 20, bias=False)
        self.norm1, self.norm2, self.norm = RMSNorm(8), RMSNorm(8), RMSNorm(8)

    def rotate(self, x: Tensor) -> Tensor:
        angles = torch.arange(x.shape[-2], device=x.device)[:, None] * torch.tensor([1.0, 0.01])
        angles = torch.cat([angles, angles], -1)
        left, right = x.chunk(2, -1)
        return x * angles.cos() + torch.cat([-right, left], -1) * angles.sin()

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens)
        h = self.norm1(x)
        q = self.rotate(self.q_proj(h).unflatten(-1, (2, 4)).transpose(1, 2))
        k = self.rotate(self.k_proj(h).unflatten(-1, (1, 4)).transpose(1, 2)).repeat_interleave(2, 1)
        v = self.v_proj(h).unflatten(-1, (1, 4)).transpose(1, 2).repeat_interleave(2, 1)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o_proj(mixed.transpose(1, 2).flatten(2))
        h = self.norm2(x)
        x = x + self.down_proj(functional.silu(self.gate_proj(h)) * self.up_proj(h))
        return self.lm_head(self.norm(x))


class T5(nn.Module):
    """Attention whose scores have a bias looked up by distance, and are not scaled."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.distance = nn.Embedding(20, 8), nn.Embedding(8, 2)
        self.q, self.k, self.v, self.o = (nn.Linear(8, 8, bias=False) for _ in range(4))
        self.wi, self.wo = nn.Linear(8, 16, bias=False), nn.Linear(16, 8, bias=False)
        self.norm1, self.norm2 = RMSNorm(8), RMSNorm(8)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens)
        places = torch.arange(tokens.shape[1], device=tokens.device)
        bias = self.distance((places[None] - places[:, None]).abs().clamp(max=7)).permute(2, 0, 1)
        q, k, v = (
            layer(self.norm1(x)).unflatten(-1, (2, 4)).transpose(1, 2) for layer in (self.q, self.k, self.v)
        )
        mixed = (q @ k.transpose(-1, -2) + bias).softmax(-1) @ v
        x = x + self.o(mixed.transpose(1, 2).flatten(2))
        return x + self.wo(functional.relu(self.wi(self.norm2(x))))


class Perceiver(nn.Module):
    """Few stored latents look at many inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.randn(4, 8))
        self.cross = nn.MultiheadAttention(8, 2, kdim=6, vdim=6, batch_first=True)
        self.block, self.head = Block(8, Attention(8, 2)), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        latents = self.latents.expand(x.shape[0], -1, -1)
        return self.head(self.block(latents + self.cross(latents, x, x)[0]).mean(1))


class Conformer(nn.Module):
    """Half a feed-forward network, attention, a gated depthwise convolution, the other half."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.feed1, self.feed2 = (
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 16), nn.SiLU(), nn.Linear(16, width))
            for _ in range(2)
        )
        self.norm_a, self.norm_c, self.norm = (nn.LayerNorm(width) for _ in range(3))
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.convolution = nn.Sequential(
            nn.Conv1d(width, 2 * width, 1), nn.GLU(1), nn.Conv1d(width, width, 5, padding=2, groups=width),
            nn.BatchNorm1d(width), nn.SiLU(), nn.Conv1d(width, width, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        x = x + 0.5 * self.feed1(x)
        h = self.norm_a(x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        x = x + self.convolution(self.norm_c(x).transpose(1, 2)).transpose(1, 2)
        return self.norm(x + 0.5 * self.feed2(x))


def _mask(num: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    return (torch.arange(6)[None] < torch.randint(1, 7, (num, 1), generator=generator),)


TEXT, IMAGE = tokens(20, 6), images(3, 16, 16)
LENGTH = {"tokens": {1: 16}}
ATTENTIVE = (
    Architecture("ViT", "Dosovitskiy et al. 2021", ViT, IMAGE, 0.836),
    Architecture("Swin Transformer", "Liu et al. 2021", Swin, IMAGE, 0.709),
    Architecture("MaxViT", "Tu et al. 2022", MaxViT, IMAGE, 0.762),
    Architecture("MLP-Mixer", "Tolstikhin et al. 2021", Mixer, IMAGE, 1),
    Architecture(
        "Transformer (nn.Transformer)", "Vaswani et al. 2017", Translator, both(TEXT, tokens(15, 4)), 0.85
    ),
    Architecture("GPT-2, tied head", "Radford et al. 2019", GPT, TEXT, 0.724, LENGTH),
    Architecture("BERT", "Devlin et al. 2019", BERT, both(TEXT, _mask), 0.845),
    Architecture("Llama", "Touvron et al. 2023", Llama, TEXT, 0.714, LENGTH),
    Architecture("T5 encoder", "Raffel et al. 2020", T5, TEXT, 0.667, LENGTH),
    Architecture("Perceiver", "Jaegle et al. 2021", Perceiver, images(10, 6), 0.798),
    Architecture("Conformer", "Gulati et al. 2020", Conformer, images(10, 8), 0.758, {"x": {1: 20}}),
)
