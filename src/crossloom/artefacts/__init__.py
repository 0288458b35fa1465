"""Artefacts on disk: tensors in safetensors, the rest in JSON, checksums over both, written atomically."""

from crossloom.artefacts.artefact import SCHEMA_VERSION, Artefact, load_artefact
from crossloom.artefacts.atomic import atomic_path
from crossloom.artefacts.codec import saved

__all__ = ["SCHEMA_VERSION", "Artefact", "atomic_path", "load_artefact", "saved"]
