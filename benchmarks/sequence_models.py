"""How much slower than plain PyTorch recurrent and attentive networks on simulated chips are.

    python benchmarks/sequence_models.py [--only lstm|vit] [--rounds N] [--threads N]

(a) An LSTM classifier: word vectors of 128, two layers of 128 units, 32 words, batch 128, 6 classes.
(b) An encoder of ViT-Tiny's size (Touvron et al. 2021: 12 layers, 192 wide, 3 heads), 197 tokens, batch 8; products
    of two activations are digital.

Both with 8-bit multi-level inputs, an 8-bit ADC and programmed error, as (b) of `throughput.py`; random weights, since
speed does not depend on them. The floor is the float network as PyTorch runs it, in the same run, by turns.
"""

import argparse

import torch
from throughput import eight_bit, programmed
from timing import compare
from torch import Tensor, nn

import crossloom as xl

BOUND = 6


class Classifier(nn.Module):
    """Word vectors, two LSTM layers, the last state, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(2000, 128)
        self.lstm = nn.LSTM(128, 128, num_layers=2, batch_first=True)
        self.classes = nn.Linear(128, 6)

    def forward(self, words: Tensor) -> Tensor:
        states, _ = self.lstm(self.words(words))
        return self.classes(states[:, -1])


def encoder() -> nn.Module:
    """The blocks of ViT-Tiny, on tokens."""
    layer = nn.TransformerEncoderLayer(
        192, 3, 768, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    )
    return nn.TransformerEncoder(layer, 12, enable_nested_tensor=False)


@torch.no_grad()
def time_model(name: str, model: nn.Module, inputs: Tensor, rounds: int) -> None:
    """One line of the table."""
    chips = programmed(model, eight_bit(None), inputs)
    paired = compare(
        lambda: model(inputs),
        lambda: xl.run(chips, inputs, batch_size=len(inputs), probe_samples=0),
        rounds,
    )
    print(paired.line(name, BOUND), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=["lstm", "vit"])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} threads")
    torch.manual_seed(0)
    if options.only != "vit":
        words = torch.randint(0, 2000, (128, 32))
        time_model("(a) LSTM, 2 x 128, 32 words, batch 128", Classifier().eval(), words, options.rounds)
    if options.only != "lstm":
        tokens = torch.randn(8, 197, 192)
        time_model("(b) ViT-Tiny's encoder, batch 8", encoder().eval(), tokens, options.rounds)


if __name__ == "__main__":
    main()
