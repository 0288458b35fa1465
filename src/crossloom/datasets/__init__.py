"""Data sets from files, by crossloom's own readers: CIFAR-10, MNIST and EMNIST, NumPy and safetensors files.

>>> from crossloom.datasets import load_dataset
>>> test = load_dataset("data/MNIST", split="test", limit=1000)    # doctest: +SKIP
>>> test.inputs.shape                                              # doctest: +SKIP
torch.Size([1000, 1, 28, 28])
"""

from crossloom.datasets.dataset import Dataset
from crossloom.datasets.finding import Source, find_data, find_source, find_sources
from crossloom.datasets.loading import load_dataset
from crossloom.datasets.tables import load_labels

__all__ = ["Dataset", "Source", "find_data", "find_source", "find_sources", "load_dataset", "load_labels"]
