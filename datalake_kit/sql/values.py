"""Values: bound to placeholders, and written as literals of Athena's dialect."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections.abc import Iterable, Mapping
from typing import Any

from datalake_kit.errors import ParameterError, did_you_mean
from datalake_kit.sql.placeholders import placeholder_names, replace_placeholders

Value = Any  # None, bool, int, float, Decimal, str, bytes, date, datetime


def bind(text: str, values: Mapping[str, Any]) -> tuple[str, dict[str, Value]]:
    """Check that the values fit the placeholders, and spread lists.

    Returns the statement and one plain value a placeholder. A list becomes as many placeholders as it has values, so
    that `IN (:names)` works. A time with a zone becomes the same instant as a plain timestamp in UTC, as the lake holds
    it.

    Raises
    ------
    ParameterError
        A value is missing, not asked for, or of a type that cannot be bound.
    """
    wanted = placeholder_names(text)
    _compare_names(wanted, values)
    plain: dict[str, Value] = {}
    spread: dict[str, str] = {}
    for name in wanted:
        value = _listed(values[name])
        if isinstance(value, (list, tuple, set, frozenset)):
            members = _members(name, value)
            names = [f"{name}__{i}" for i in range(len(members))]
            plain.update(zip(names, members, strict=True))
            spread[name] = ", ".join(f":{n}" for n in names)
        else:
            plain[name] = plain_value(name, value)
    return replace_placeholders(text, lambda n: spread.get(n, f":{n}")), plain


def _compare_names(wanted: Iterable[str], given: Iterable[str]) -> None:
    wanted, given = list(wanted), list(given)
    missing = [n for n in wanted if n not in given]
    extra = [n for n in given if n not in wanted]
    if missing:
        raise ParameterError(
            f"No value for {', '.join(':' + n for n in missing)}. Give {missing[0]}=..., "
            f"or params={{{missing[0]!r}: ...}}."
        )
    if extra:
        hint = did_you_mean(extra[0], wanted) if wanted else "The statement has no parameters (written :name)."
        raise ParameterError(f"The statement does not use {', '.join(extra)}. {hint}")


def _members(name: str, values: Iterable[Any]) -> list[Value]:
    ordered = sorted(values, key=repr) if isinstance(values, (set, frozenset)) else values
    members = [plain_value(name, v) for v in ordered]
    if not members:
        raise ParameterError(
            f":{name} is an empty list, and IN () is no SQL. Leave the condition out, or give a value."
        )
    return members


def plain_value(name: str, value: Any) -> Value:
    """Return a value as one of the types that every engine binds; raise ParameterError for any other."""
    value = unwrapped(value)
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo is not None else value
    if isinstance(value, str):
        _refuse_text(name, value)
        return value
    if value is None or isinstance(value, (bool, int, float, decimal.Decimal, bytes, dt.date)):
        return value
    raise ParameterError(
        f":{name} has type {type(value).__name__}; a value is None, bool, int, float, Decimal, text, bytes, date, "
        "datetime, or a list of these."
    )


def _listed(value: Any) -> Any:
    """Take an array, a Series, an Index or a range as the list of its values."""
    if isinstance(value, range):
        return list(value)
    foreign = type(value).__module__.partition(".")[0] in ("numpy", "pandas", "pyarrow")
    several = hasattr(value, "tolist") and hasattr(value, "__len__") and getattr(value, "shape", None) != ()
    return value.tolist() if foreign and several and not isinstance(value, (str, bytes)) else value


def _refuse_text(name: str, value: str) -> None:
    if "\0" in value:
        raise ParameterError(f":{name} holds a NUL character, which no engine takes in text.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ParameterError(f":{name} holds half a surrogate pair, which is no text: {value!r}.") from None


def unwrapped(value: Any) -> Any:
    """Take numpy scalars and pandas timestamps as what they stand for, without importing either."""
    if type(value).__module__.startswith("pandas"):
        if type(value).__name__ in ("NaTType", "NAType"):
            return None
        if hasattr(value, "to_pydatetime"):
            if getattr(value, "nanosecond", 0):
                raise ParameterError(f"A time is bound to the microsecond; {value!r} has nanoseconds. Round it first.")
            return value.to_pydatetime()
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        if type(value).__name__ == "datetime64":
            micro = value.astype("datetime64[us]")
            if micro != value:
                raise ParameterError(f"A time is bound to the microsecond; {value} has nanoseconds. Round it first.")
            return micro.item()
        return value.item()
    return value


def literal(value: Value) -> str:
    """Write a value as a literal of Athena's dialect.

    >>> literal("it's"), literal(dt.date(2026, 3, 1)), literal(2.5)
    ("'it''s'", "DATE '2026-03-01'", "DOUBLE '2.5'")
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return _integer_literal(value)
    if isinstance(value, float):
        return f"DOUBLE '{value!r}'" if math.isfinite(value) else _odd_float(value)
    if isinstance(value, decimal.Decimal):
        if not value.is_finite():
            raise ParameterError(f"A decimal must be a number, not {value}.")
        return f"DECIMAL '{value:f}'"
    if isinstance(value, dt.datetime):
        return f"TIMESTAMP '{value.isoformat(sep=' ', timespec='microseconds')}'"
    if isinstance(value, dt.date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    return "'" + str(value).replace("'", "''") + "'"


def _integer_literal(value: int) -> str:
    if not -(2**63) <= value < 2**63:
        raise ParameterError(f"{value} does not fit 64 bits. Give it as decimal.Decimal({str(value)!r}).")
    return f"BIGINT '{value}'" if abs(value) >= 2**31 or value < 0 else str(value)


def _odd_float(value: float) -> str:
    if math.isnan(value):
        return "nan()"
    return "infinity()" if value > 0 else "(-infinity())"
