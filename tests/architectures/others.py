"""Networks for sequences, graphs, points, tables and densities."""

import torch
from architecture import Architecture, both, images, tokens
from torch import Tensor, nn
from torch.nn import functional


class TCN(nn.Module):
    """Causal dilated convolutions with shortcuts and weight norm."""

    def __init__(self) -> None:
        super().__init__()
        norm = nn.utils.parametrizations.weight_norm
        self.layers = nn.ModuleList(norm(nn.Conv1d(8, 8, 3, dilation=2**number)) for number in range(3))
        self.first, self.head = nn.Conv1d(4, 8, 1), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for number, layer in enumerate(self.layers):
            x = x + functional.relu(layer(functional.pad(x, (2 * 2**number, 0))))
        return self.head(x[:, :, -1])


class WaveNet(nn.Module):
    """Gated dilated convolutions whose skips are added up."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, 6, 1)
        self.gates = nn.ModuleList(nn.Conv1d(6, 12, 2, dilation=2**number) for number in range(3))
        self.residuals = nn.ModuleList(nn.Conv1d(6, 6, 1) for _ in range(3))
        self.skips = nn.ModuleList(nn.Conv1d(6, 8, 1) for _ in range(3))
        self.last = nn.Sequential(nn.ReLU(), nn.Conv1d(8, 8, 1), nn.ReLU(), nn.Conv1d(8, 16, 1))

    def forward(self, x: Tensor) -> Tensor:
        x, total = self.first(x), torch.zeros(())
        for gate, residual, skip in zip(self.gates, self.residuals, self.skips, strict=True):
            value, opening = gate(functional.pad(x, (gate.dilation[0], 0))).chunk(2, 1)
            y = torch.tanh(value) * torch.sigmoid(opening)
            x, total = x + residual(y), total + skip(y)
        return self.last(total)


def _adjacency(num_nodes: int) -> Tensor:
    """A ring with itself, normalised by degree as in Kipf and Welling."""
    ring = torch.eye(num_nodes) + torch.eye(num_nodes).roll(1, 0) + torch.eye(num_nodes).roll(-1, 0)
    degree = ring.sum(1).rsqrt()
    return degree[:, None] * ring * degree


class GraphConvolution(nn.Module):
    """Two layers relu(A X W) on a graph that never changes: A and W both lie in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("adjacency", _adjacency(7))
        self.first, self.second = nn.Linear(4, 6, bias=False), nn.Linear(6, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.adjacency @ self.second(functional.relu(self.adjacency @ self.first(x)))


class SkeletonConvolution(nn.Module):
    """Convolutions over the joints of a body, by parts, and over time."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("parts", torch.stack([torch.eye(5), _adjacency(5)]))
        self.conv, self.time = nn.Conv2d(3, 12, 1), nn.Conv2d(6, 6, (3, 1), padding=(1, 0))
        self.head = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.einsum("nkctv,kvw->nctw", self.conv(x).unflatten(1, (2, 6)), self.parts)
        return self.head(functional.relu(self.time(functional.relu(y))).mean((2, 3)))


class PointNet(nn.Module):
    """A predicted turn of the points, shared layers, a maximum over points."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = nn.Sequential(nn.Conv1d(3, 8, 1), nn.BatchNorm1d(8), nn.ReLU())
        self.turned = nn.Linear(8, 9)
        self.features = nn.Sequential(nn.Conv1d(3, 8, 1), nn.BatchNorm1d(8), nn.ReLU(), nn.Conv1d(8, 12, 1))
        self.head = nn.Linear(12, 4)

    def forward(self, points: Tensor) -> Tensor:
        turn = self.turned(self.turn(points).amax(2)).view(-1, 3, 3) + torch.eye(3)
        return self.head(self.features(turn.transpose(1, 2).bmm(points)).amax(2))


class DLRM(nn.Module):
    """Tables looked up, their products by pairs, and two MLPs."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.EmbeddingBag(10, 6, mode="sum") for _ in range(2))
        self.bottom = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU())
        self.top = nn.Sequential(nn.Linear(9, 8), nn.ReLU(), nn.Linear(8, 1), nn.Sigmoid())

    def forward(self, dense: Tensor, sparse: Tensor) -> Tensor:
        x = self.bottom(dense)
        every = torch.stack([x, *(table(sparse[:, number]) for number, table in enumerate(self.tables))], 1)
        products = torch.bmm(every, every.transpose(1, 2))
        rows, columns = torch.tril_indices(3, 3, -1)
        return self.top(torch.cat([x, products[:, rows, columns]], 1))


class TwoTowers(nn.Module):
    """A recommender: users and items in one space, one tower for both."""

    def __init__(self) -> None:
        super().__init__()
        self.users, self.items = nn.Embedding(12, 6), nn.Embedding(9, 6)
        self.tower = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        pair = self.tower(self.users(user)), self.tower(self.items(item))
        return functional.cosine_similarity(*pair, dim=-1)


class Coupling(nn.Module):
    """A normalising flow: coupling layers, an invertible mixing, and the logarithm of the volume."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Parameter(torch.linalg.qr(torch.randn(6, 6))[0].contiguous())
        self.nets = nn.ModuleList(
            nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 6)) for _ in range(2)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        volume = torch.zeros(x.shape[0])
        for net in self.nets:
            kept, changed = (x @ self.mix.T).chunk(2, 1)
            scale, shift = net(kept).chunk(2, 1)
            x = torch.cat([changed * scale.tanh().exp() + shift, kept], 1)
            volume = volume + scale.tanh().sum(1)
        return x, volume


class Experts(nn.Module):
    """A mixture of experts that all run, with one stored tensor for all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(6, 3)
        self.up, self.down = nn.Parameter(torch.randn(3, 6, 8) / 3), nn.Parameter(torch.randn(3, 8, 6) / 3)

    def forward(self, x: Tensor) -> Tensor:
        h = functional.gelu(torch.einsum("btd,edh->beth", x, self.up))
        return torch.einsum("beth,ehd,bte->btd", h, self.down, self.gate(x).softmax(-1))


class Capsules(nn.Module):
    """Capsules that agree by routing: votes from a stored tensor, then digital rounds."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 12, 5, 2)
        self.weight = nn.Parameter(torch.randn(27, 3, 4, 4) / 8)

    def squash(self, x: Tensor) -> Tensor:
        norm = (x * x).sum(-1, keepdim=True)
        return x * norm.sqrt() / (1 + norm)

    def forward(self, x: Tensor) -> Tensor:
        low = self.squash(self.conv(x).unflatten(1, (3, 4)).permute(0, 1, 3, 4, 2).flatten(1, 3))
        votes = torch.einsum("bip,icpq->bicq", low, self.weight)
        logits = torch.zeros(votes.shape[:3])
        for _ in range(2):
            high = self.squash((logits.softmax(2)[..., None] * votes).sum(1))
            logits = logits + (votes * high[:, None]).sum(-1)
        return high.norm(dim=-1)


class Bilinear(nn.Module):
    """Two kinds of features that meet in a bilinear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.meet = nn.Linear(5, 6), nn.Linear(4, 3), nn.Bilinear(6, 3, 4)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.meet(self.left(x).relu(), self.right(y).relu())


class Highway(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate, self.change, self.head = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.gate(x).sigmoid()
        return self.head(gate * self.change(x).relu() + (1 - gate) * x)


class TextCNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 6)
        self.convolutions = nn.ModuleList(nn.Conv1d(6, 5, size) for size in (2, 3, 4))
        self.head = nn.Linear(15, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens).transpose(1, 2)
        return self.head(torch.cat([functional.relu(layer(x)).amax(2) for layer in self.convolutions], 1))


class VideoNet(nn.Module):
    """Convolutions over time and space."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv3d(1, 4, 3, padding=1), nn.Conv3d(4, 6, 3, 2, 1)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(functional.relu(self.conv2(functional.relu(self.conv1(x)))).mean((2, 3, 4)))


class LanguageModel(nn.Module):
    """An LSTM between an embedding and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm, self.head = (
            nn.Embedding(20, 6),
            nn.LSTM(6, 8, 2, batch_first=True),
            nn.Linear(8, 20),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.lstm(self.embedding(tokens))[0])


class SpeechNet(nn.Module):
    """Convolutions over a spectrogram, a GRU in both directions, scores for every frame."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, 4, 3, (2, 1), 1), nn.BatchNorm2d(4), nn.Hardtanh(0, 20))
        self.gru, self.head = nn.GRU(16, 6, batch_first=True, bidirectional=True), nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x).permute(0, 3, 1, 2).flatten(2)
        return self.head(self.gru(y)[0]).log_softmax(-1)


class CRNN(nn.Module):
    """Reading text in images: convolutions, columns as a sequence, an LSTM in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 4, 3, 2, 1), nn.Linear(12, 11)
        self.lstm = nn.LSTM(16, 6, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(functional.relu(self.conv(x)).flatten(1, 2).permute(2, 0, 1))[0])


OTHERS = (
    Architecture("TCN", "Bai et al. 2018", TCN, images(4, 16), 1),
    Architecture("WaveNet", "van den Oord et al. 2016", WaveNet, images(1, 20), 1),
    Architecture("GCN, constant adjacency", "Kipf and Welling 2017", GraphConvolution, images(7, 4), 1),
    Architecture("ST-GCN", "Yan et al. 2018", SkeletonConvolution, images(3, 6, 5), 1),
    Architecture("PointNet", "Qi et al. 2017", PointNet, images(3, 20), 0.943),
    Architecture("DLRM", "Naumov et al. 2019", DLRM, both(images(5), tokens(10, 2, 3)), 0.757),
    Architecture("Two towers, shared", "Yi et al. 2019", TwoTowers, both(tokens(12), tokens(9)), 1),
    Architecture(
        "RealNVP / Glow coupling", "Dinh et al. 2017, Kingma and Dhariwal 2018", Coupling, images(6), 1
    ),
    Architecture("Mixture of experts", "Shazeer et al. 2017", Experts, images(5, 6), 0.944),
    Architecture("Capsule network", "Sabour et al. 2017", Capsules, images(1, 9, 9), 1),
    Architecture("Bilinear pooling", "Lin et al. 2015", Bilinear, both(images(5), images(4)), 0.905),
    Architecture("Highway network", "Srivastava et al. 2015", Highway, images(6), 1),
    Architecture("TextCNN", "Kim 2014", TextCNN, tokens(20, 9), 1),
    Architecture("C3D", "Tran et al. 2015", VideoNet, images(1, 4, 8, 8), 1),
)
RECURRENT = (
    Architecture("LSTM language model", "Zaremba et al. 2014", LanguageModel, tokens(20, 7), 1),
    Architecture("GRU speech network", "Amodei et al. 2016", SpeechNet, images(1, 8, 12), 1),
    Architecture("CRNN", "Shi et al. 2015", CRNN, images(1, 8, 16), 1),
)
