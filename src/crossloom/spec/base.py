"""What every specification and configuration shares: frozen, strict, and plain in its refusals."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from crossloom.errors import ConfigError, CrossloomError, SpecError
from crossloom.registry import did_you_mean


class Frozen(BaseModel):
    """A frozen value that refuses unknown fields, with errors in one line."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, ser_json_inf_nan="strings")
    error_type: ClassVar[type[CrossloomError]] = ConfigError

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise self.error_type(explain(type(self), error)) from None

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
    message = item["msg"].removeprefix("Value error, ")
    return (
        f"{place}: {message}, got {item['input']!r}"
        if not isinstance(item["input"], dict)
        else f"{place}: {message}"
    )


def _fields_at(model: Any, location: tuple[int | str, ...]) -> list[str]:
    for part in location[:-1]:
        field = getattr(model, "model_fields", {}).get(part)
        if field is not None:
            model = field.annotation
    return list(getattr(model, "model_fields", {}))
