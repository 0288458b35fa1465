"""What every stage gives: an immutable value that can be saved, loaded and summed up."""

import hashlib
import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from crossloom.artefacts.atomic import atomic_path
from crossloom.artefacts.codec import Encoder, decoder
from crossloom.errors import ArtefactError, CrossloomError

SCHEMA_VERSION = 1
_KEY = "crossloom"
_BODY = {"kind": str, "schema": int, "value": object, "sha256": dict}


class Artefact(ABC):
    """An immutable result of one stage of the flow."""

    @abstractmethod
    def summary(self) -> str:
        """What it is, in a few lines for people."""

    def to_saved(self) -> Any:
        """The value that is written; `from_saved` is its inverse."""
        return self

    @classmethod
    def from_saved(cls, value: Any) -> Self:
        """The artefact again. ArtefactError when `value` is of another kind."""
        if not isinstance(value, cls):
            raise ArtefactError(f"holds a {type(value).__name__}, not a {cls.__name__}")
        return value

    @classmethod  # noqa: B027
    def prepare(cls, plain: Any) -> None:
        """Bring in what `plain`, the saved value as JSON data, names beyond the kind's own package."""

    def save(self, path: str | Path) -> None:
        """Write to one file, atomically: an interrupted save leaves the old file whole.

        Raises ArtefactError, naming the file, when it cannot be written.
        """
        encoder = Encoder()
        body = {
            "kind": type(self).__name__,
            "schema": SCHEMA_VERSION,
            "value": encoder.encode(self.to_saved()),
        }
        body["sha256"] = {name: _digest(tensor) for name, tensor in encoder.tensors.items()}
        text = json.dumps(body, allow_nan=False)
        metadata = {_KEY: text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
        try:
            with atomic_path(path) as temporary:
                save_file(encoder.tensors, temporary, metadata=metadata)
        except (OSError, SafetensorError) as error:
            raise ArtefactError(f"{path} cannot be written: {error}") from error

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a file that `save` wrote.

        Raises ArtefactError, naming the file, when it is missing, truncated, altered, of another kind, or
        from a newer version of crossloom.
        """
        try:
            return cls.from_saved(_read(Path(path), cls))
        except CrossloomError as error:
            raise ArtefactError(f"{path}: {error}") from error


def load_artefact(path: str | Path, kinds: tuple[type[Artefact], ...]) -> Artefact:
    """Load a file that holds one of several kinds. ArtefactError as for `Artefact.load`."""
    try:
        body = _manifest(Path(path))
    except CrossloomError as error:
        raise ArtefactError(f"{path}: {error}") from error
    for cls in kinds:
        if cls.__name__ == body["kind"]:
            return cls.load(path)
    wanted = " or ".join(cls.__name__ for cls in kinds)
    raise ArtefactError(f"{path}: holds a {body['kind']}; wanted a {wanted}")


def _read(path: Path, cls: type[Artefact]) -> Any:
    body = _manifest(path)
    kind = body["kind"]
    if kind != cls.__name__:
        raise ArtefactError(f"holds a {kind}, not a {cls.__name__}; load it with {kind}.load")
    tensors = _tensors(path)
    if {name: _digest(tensor) for name, tensor in tensors.items()} != body["sha256"]:
        raise ArtefactError("was altered: a tensor does not match its checksum; make it again")
    try:
        cls.prepare(body["value"])
        return decoder(tensors)(body["value"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtefactError(f"does not fit this version of crossloom ({error}); make it again") from error


def _manifest(path: Path) -> dict[str, Any]:
    metadata = _open(path, lambda file: file.metadata()) or {}
    text = metadata.get(_KEY)
    if text is None:
        raise ArtefactError("is no file of crossloom's")
    if hashlib.sha256(text.encode()).hexdigest() != metadata.get("sha256"):
        raise ArtefactError("was altered: the manifest does not match its checksum; make it again")
    body = json.loads(text)
    if not isinstance(body, dict) or not all(isinstance(body.get(key), type) for key, type in _BODY.items()):
        raise ArtefactError("is no file of crossloom's")
    schema = body["schema"]
    if schema > SCHEMA_VERSION:
        raise ArtefactError(
            f"was written by a newer crossloom (schema {schema}, this one reads up to "
            f"{SCHEMA_VERSION}); update crossloom"
        )
    return body


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    return _open(path, lambda file: {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118


def _open(path: Path, read: Any) -> Any:
    if not path.is_file():
        raise ArtefactError("there is no such file")
    try:
        with safe_open(path, framework="pt") as file:
            return read(file)
    except (SafetensorError, OSError) as error:
        raise ArtefactError(f"is truncated or no file of crossloom's ({error})") from None


def _digest(tensor: torch.Tensor) -> str:
    flat = tensor.detach().to("cpu").contiguous().reshape(-1)
    header = f"{tensor.dtype}{tuple(tensor.shape)}".encode()
    return hashlib.sha256(header + flat.view(torch.uint8).numpy().tobytes()).hexdigest()
