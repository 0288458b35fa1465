"""What every specification and configuration shares: frozen, strict, and plain in its refusals."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from crossloom.errors import ConfigError, CrossloomError, SpecError
from crossloom.registry import did_you_mean


class Frozen(BaseModel):
    """A frozen value that refuses unknown fields, with errors in one line."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, ser_json_inf_nan="strings")
    error_type: ClassVar[type[CrossloomError]] = ConfigError

    def __init__(self, /, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise self.error_type(explain(type(self), error)) from None

    # Tells pydantic that nested values need not pass through here, so that errors carry the whole path.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> Self:
        """Validate nested plain data (from TOML or JSON)."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise cls.error_type(explain(cls, error)) from None

    def replace(self, **fields: Any) -> Self:
        """A copy with these fields changed, checked anew."""
        return type(self).parse(
            {**self.model_dump(), **{name: _plain(value) for name, value in fields.items()}}
        )


class Spec(Frozen):
    """What the hardware is. SI units in every number; None means ideal, off, or not published."""

    error_type: ClassVar[type[CrossloomError]] = SpecError


class Config(Frozen):
    """What we choose."""


def by_kind(value: Any) -> Any:
    """A bare name stands for the value of that kind, with everything else as usual.

    >>> by_kind("bit_serial")
    {'kind': 'bit_serial'}
    """
    return {"kind": value} if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    return value.model_dump() if isinstance(value, BaseModel) else value


def explain(model: type[BaseModel], error: ValidationError) -> str:
    """All of pydantic's complaints in one line: where, what is wrong, what came, what to do."""
    return f"{model.__name__}: " + "; ".join(_explain_one(model, item) for item in error.errors())


def _explain_one(model: type[BaseModel], item: Any) -> str:
    place = ".".join(str(part) for part in item["loc"]) or "value"
    if item["type"] == "extra_forbidden":
        return (
            f"{place} is no field here; {did_you_mean(str(item['loc'][-1]), _fields_at(model, item['loc']))}"
        )
    if item["type"] == "missing":
        return f"{place} is missing"
    if item["type"] == "union_tag_not_found":
        return f"{place}.kind is missing"
    message = item["msg"].removeprefix("Value error, ")
    return (
        f"{place}: {message}, got {item['input']!r}"
        if not isinstance(item["input"], dict)
        else f"{place}: {message}"
    )


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The fields of the model inside `model` that a complaint about `location` means."""
    for part in location[:-1]:
        field = model.model_fields.get(str(part))
        # What is no field is a place in a tuple, a key, or the kind of one of several models.
        inside = [model] if field is None else list(_models_in(field.annotation))
        if field is not None and len(inside) > 1:
            inside = [found for found in inside if _kind_of(found) in location] or inside
        model = inside[0] if inside else model
    return list(model.model_fields)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _kind_of(model: type[BaseModel]) -> Any:
    field = model.model_fields.get("kind")
    return None if field is None else field.default
