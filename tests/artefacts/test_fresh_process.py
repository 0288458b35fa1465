"""A file is read by a process that has imported nothing but the kind it asks for."""

import subprocess
import sys

import pytest
from one_of_each import BEHAVIOUR, artefact

LOAD = "import sys, crossloom; print(getattr(crossloom, sys.argv[1]).load(sys.argv[2]).summary())"


@pytest.mark.parametrize("kind", BEHAVIOUR)
def test_every_kind_loads_in_a_fresh_process(kind, tmp_path):
    made = artefact(kind)
    made.save(tmp_path / "file")
    command = [sys.executable, "-c", LOAD, kind, str(tmp_path / "file")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == made.summary().strip()
