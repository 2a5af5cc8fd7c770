"""Whether a record that was read from a file holds what its fields say."""

import math
from dataclasses import is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def check_field_types(record: Any) -> None:
    """Hold the values of a dataclass, at any depth, against the types of its fields.

    A whole number fits where a real one is wanted; NaN and infinity fit nowhere.

    Raises:
        ValueError: naming the first field that does not fit.
    """
    for name, kind in _kinds(record.__class__).items():
        value = getattr(record, name)
        if not _fits(value, kind):
            told = repr(value)
            raise ValueError(f"{name} cannot be {told if len(told) <= 40 else told[:37] + '...'}")


@cache
def _kinds(record: Any) -> dict[str, Any]:
    return get_type_hints(record)


def _fits(value: Any, kind: Any) -> bool:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        kinds = inner[:1] * len(value) if inner[1:] == (...,) else inner
        return len(kinds) == len(value) and all(map(_fits, value, kinds))
    if origin is dict:
        return isinstance(value, dict) and all(
            _fits(key, inner[0]) and _fits(item, inner[1]) for key, item in value.items()
        )
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    if kind is int:
        return type(value) is int
    if not isinstance(value, kind):
        return False
    if is_dataclass(kind):
        check_field_types(value)
    return True
