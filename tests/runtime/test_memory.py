"""Memory stays with the process from layer to layer."""

import platform
import subprocess
import sys

import pytest

_FRESH = """
import resource
import torch
from crossloom.runtime import memory

def faults() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        pieces = [torch.zeros(2**20) for _ in range(6)]
        del pieces
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

torch.set_num_threads(1)
first = faults()
memory.keep_memory()
faults()
print(first, faults())
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back so eagerly")
def test_memory_that_was_given_back_is_not_fetched_anew():
    """20 times six pieces of 4 MiB, 6,144 pages of 4 KiB each time, in a fresh process."""
    found = subprocess.run([sys.executable, "-c", _FRESH], capture_output=True, text=True, check=True)
    before, after = map(int, found.stdout.split())
    assert before > 10_000
    assert after < 100
