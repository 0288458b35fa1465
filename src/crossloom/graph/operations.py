"""Digital operations by name: which are allowed, and how their arguments are written down."""

import math
import operator
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch

from crossloom.errors import UnsupportedOperationError
from crossloom.graph.codes import CODE_OPERATIONS
from crossloom.graph.recurrent.operations import OPERATIONS

SIZE_OPERATORS: Mapping[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "floordiv": operator.floordiv,
    "truediv": operator.truediv,
    "mod": operator.mod,
    "neg": operator.neg,
    "pow": operator.pow,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "and": operator.and_,
    "or": operator.or_,
    "not": torch.sym_not,
    "max": torch.sym_max,
    "min": torch.sym_min,
    "int": torch.sym_int,
    "float": torch.sym_float,
    "ite": torch.sym_ite,
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
    "round": round,
}
"""Arithmetic on sizes, by the name after `"sym."`."""

ASSERTIONS = frozenset(
    {
        "_assert_async",
        "_assert_scalar",
        "_assert_tensor_metadata",
        "_functional_assert_async",
        "_functional_assert_scalar",
        "sym_constrain_range",
        "sym_constrain_range_for_size",
    }
)
"""ATen operations that only check; they give no value and are left out."""

REFUSED: Mapping[str, str] = {
    "as_strided": "depends on how its input lies in memory; use slicing, unfold or reshape",
    "as_strided_copy": "depends on how its input lies in memory; use slicing, unfold or reshape",
    "as_strided_scatter": "depends on how its input lies in memory; use slicing or reshape",
    "sym_stride": "depends on how its input lies in memory",
    "sym_storage_offset": "depends on how its input lies in memory",
    "from_file": "reads a file",
    "_pack_padded_sequence": "gives as many vectors as lengths say; give the module itself, not its ExportedProgram",
}


def check_aten(operation: torch._ops.OpOverload) -> None:
    """Raise `UnsupportedOperationError` for an ATen operation whose meaning is not its arguments alone."""
    name = operation._schema.name.removeprefix("aten::")
    if name in REFUSED:
        raise UnsupportedOperationError(f"{operation} {REFUSED[name]}")
    if operation._schema.is_mutable:
        raise UnsupportedOperationError(
            f"{operation} writes into its arguments; use the operation that does not"
        )


@cache
def resolve_operation(operation: str) -> Callable[..., Any]:
    """The function that a digital node's `operation` names.

    Only `"getitem"`, `"sym.<operator>"` and `"aten.<name>.<overload>"` are known, whatever a file says.

    Raises:
        UnsupportedOperationError: the name is unknown, or the operation is not functional.
    """
    if operation == "getitem":
        return operator.getitem
    for own in (OPERATIONS, CODE_OPERATIONS):
        if operation in own:
            return own[operation]
    namespace, _, rest = operation.partition(".")
    if namespace == "sym" and rest in SIZE_OPERATORS:
        return SIZE_OPERATORS[rest]
    name, _, overload = rest.partition(".")
    if namespace == "aten" and not name.startswith("__") and name.isidentifier():
        found = getattr(getattr(torch.ops.aten, name, None), overload or "-", None)
        if isinstance(found, torch._ops.OpOverload):
            check_aten(found)
            return found
    raise UnsupportedOperationError(
        f"unknown operation {operation!r}: need an ATen operation of torch {torch.__version__}, "
        '"getitem" or "sym.<operator>"'
    )
