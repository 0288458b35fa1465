"""Networks whose output is an image: segmentation, detection, generation."""

import torch
from architecture import Architecture, both, images
from convolutional import conv
from torch import Tensor, nn
from torch.nn import functional


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = nn.Sequential(conv(1, 6), conv(6, 6)), conv(6, 12)
        self.up = nn.ConvTranspose2d(12, 6, 2, stride=2)
        self.last, self.head = conv(12, 6), nn.Conv2d(6, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        wide = self.down1(x)
        low = self.down2(functional.max_pool2d(wide, 2))
        return self.head(self.last(torch.cat([wide, self.up(low)], 1)))


class FCN(nn.Module):
    """Scores at two scales, upsampled by a transposed convolution and by interpolation."""

    def __init__(self) -> None:
        super().__init__()
        self.body1, self.body2 = conv(3, 6, 3, 2), conv(6, 12, 3, 2)
        self.score1, self.score2 = nn.Conv2d(6, 4, 1), nn.Conv2d(12, 4, 1)
        self.up = nn.ConvTranspose2d(4, 4, 4, 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.body1(x)
        joined = self.up(self.score2(self.body2(fine))) + self.score1(fine)
        return functional.interpolate(joined, size=x.shape[2:], mode="bilinear", align_corners=False)


class ASPP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(3, 8, 3, 2)
        self.ways = nn.ModuleList(nn.Conv2d(8, 4, 3, padding=rate, dilation=rate) for rate in (1, 2, 3))
        self.pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 4, 1), nn.ReLU())
        self.project = nn.Sequential(conv(16, 8, 1), nn.Conv2d(8, 4, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.stem(x)
        whole = functional.interpolate(self.pooled(h), size=h.shape[2:], mode="bilinear", align_corners=False)
        y = self.project(torch.cat([*(functional.relu(way(h)) for way in self.ways), whole], 1))
        return functional.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)


class Detector(nn.Module):
    """Boxes and scores on two scales, decoded on a grid."""

    def __init__(self, num_classes: int = 3) -> None:
        super().__init__()
        self.body1 = nn.Sequential(conv(3, 8, 3, 2, act=nn.SiLU), conv(8, 8, 3, 2, act=nn.SiLU))
        self.body2 = conv(8, 12, 3, 2, act=nn.SiLU)
        self.lateral, self.head1, self.head2 = (
            conv(12, 8, 1, act=nn.SiLU),
            *(nn.Conv2d(width, 5 + num_classes, 1) for width in (16, 12)),
        )

    def decode(self, y: Tensor, stride: int) -> Tensor:
        height, width = y.shape[2:]
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        grid = torch.stack([columns, rows]).to(y.dtype)
        centre, size, scores = y[:, :2].sigmoid(), y[:, 2:4].exp(), y[:, 4:].sigmoid()
        return torch.cat([(centre + grid) * stride, size * stride, scores], 1).flatten(2).transpose(1, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.body1(x)
        coarse = self.body2(fine)
        up = functional.interpolate(self.lateral(coarse), scale_factor=2.0)
        return (
            self.decode(self.head1(torch.cat([fine, up], 1)), 4), self.decode(self.head2(coarse), 8)
        )  # fmt: skip


def generator() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (12, 1, 1)), nn.ConvTranspose2d(12, 8, 4, 1, 0, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
        nn.ConvTranspose2d(8, 6, 4, 2, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
        nn.ConvTranspose2d(6, 3, 4, 2, 1, bias=False), nn.Tanh(),
    )  # fmt: skip


def discriminator() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 4, 2, 1), nn.LeakyReLU(0.2), nn.utils.parametrizations.spectral_norm(nn.Conv2d(6, 8, 4, 2, 1)),
        nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(128, 1),
    )  # fmt: skip


def autoencoder() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 8, 3, 2, 1), nn.ReLU(),
        nn.ConvTranspose2d(8, 6, 3, 2, 1, output_padding=1), nn.ReLU(),
        nn.ConvTranspose2d(6, 1, 3, 2, 1, output_padding=1), nn.Sigmoid(),
    )  # fmt: skip


class SuperResolution(nn.Module):
    """Convolutions on the small image, then pixels put beside one another."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 8, 5, padding=2), nn.Tanh(), nn.Conv2d(8, 9, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return functional.pixel_shuffle(self.body(x), 3)


class Diffusion(nn.Module):
    """A residual block with group norms and an embedding of time, and attention over the image."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 1, 3, padding=1)
        self.time = nn.Sequential(nn.Linear(8, 16), nn.SiLU(), nn.Linear(16, 8))
        self.norm1, self.norm2, self.norm3 = (nn.GroupNorm(2, 8) for _ in range(3))
        self.conv1, self.conv2 = (nn.Conv2d(8, 8, 3, padding=1) for _ in range(2))
        self.q, self.k, self.v, self.out = (nn.Conv2d(8, 8, 1) for _ in range(4))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        angles = time[:, None] * torch.logspace(0, -2, 4)
        shift = self.time(torch.cat([angles.sin(), angles.cos()], 1))[:, :, None, None]
        h = self.first(x)
        h = h + self.conv2(functional.silu(self.norm2(self.conv1(functional.silu(self.norm1(h))) + shift)))
        n = self.norm3(h)
        q, k, v = (layer(n).flatten(2) for layer in (self.q, self.k, self.v))
        weights = torch.einsum("bci,bcj->bij", q, k).mul(8**-0.5).softmax(-1)
        mixed = torch.einsum("bij,bcj->bci", weights, v).unflatten(2, h.shape[2:])
        return self.last(h + self.out(mixed))


class NeuralField(nn.Module):
    """Colour and density of points in space, from sines of their coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(27, 16), nn.Linear(43, 16), nn.Linear(16, 4)

    def forward(self, points: Tensor) -> Tensor:
        turns = (points[..., None] * torch.tensor([1.0, 2.0, 4.0, 8.0])).flatten(-2)
        code = torch.cat([points, turns.sin(), turns.cos()], -1)
        h = functional.relu(self.first(code))
        y = self.head(functional.relu(self.second(torch.cat([h, code], -1))))
        return torch.cat([y[..., :3].sigmoid(), functional.softplus(y[..., 3:])], -1)


def _times(num: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    return (torch.rand(num, generator=generator) * 10,)


DENSE = (
    Architecture("U-Net", "Ronneberger et al. 2015", UNet, images(1, 16, 16), 1, {"x": {2: 32, 3: 32}}),
    Architecture("FCN", "Long et al. 2015", FCN, images(3, 16, 16), 1),
    Architecture("DeepLab, atrous pyramid", "Chen et al. 2017", ASPP, images(3, 16, 16), 1),
    Architecture("YOLO-like detector", "Redmon and Farhadi 2018", Detector, images(3, 32, 32), 1),
    Architecture("DCGAN generator", "Radford et al. 2016", generator, images(12), 1),
    Architecture("SN-GAN discriminator", "Miyato et al. 2018", discriminator, images(3, 16, 16), 1),
    Architecture("Convolutional autoencoder", "Masci et al. 2011", autoencoder, images(1, 16, 16), 1),
    Architecture("ESPCN super-resolution", "Shi et al. 2016", SuperResolution, images(1, 8, 8), 1),
    Architecture("Diffusion U-Net block", "Ho et al. 2020", Diffusion, both(images(1, 8, 8), _times), 0.603),
    Architecture("NeRF", "Mildenhall et al. 2020", NeuralField, images(10, 3), 1),
)
