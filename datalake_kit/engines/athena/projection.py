"""Partition projection: which partitions a table has by its parameters alone, without any in the Glue catalog.

The values come from `projection.*` (enum, integer, date, injected), the places from `storage.location.template`. A list
of all places may be long and most of them empty; so the objects are listed once and each key is held against the
template: what fits is a partition that exists.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from datalake_kit.engines.athena.java_dates import JavaFormat, months_apart, moved
from datalake_kit.engines.base import Partition
from datalake_kit.errors import EngineError

__all__ = ["Projection", "is_projected"]

_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_SECONDS = {"WEEK": 604_800, "DAY": 86_400, "HOUR": 3_600, "MINUTE": 60, "SECOND": 1, "MILLI": 0.001}
_MONTHS = {"YEAR": 12, "MONTH": 1}


def is_projected(table: Mapping[str, Any]) -> bool:
    """Whether the parameters of a table of Glue say that its partitions are projected."""
    return str(_parameters(table).get("projection.enabled", "")).strip().lower() == "true"


@dataclass(frozen=True)
class Projection:
    """The places and values that a table projects.

    Attributes
    ----------
    begin : str
        What all places begin with: s3:// up to the first variable.
    """

    begin: str
    _shape: re.Pattern[str]
    _tests: tuple[tuple[str, Callable[[str], bool]], ...]

    @classmethod
    def read(cls, name: object, table: Mapping[str, Any]) -> Projection:
        """Read the parameters of a table.

        Raises
        ------
        EngineError
            A partition column has no projection or one that cannot be used: Athena would refuse the table, too.
        """
        parameters = _parameters(table)
        keys = [k["Name"].lower() for k in table.get("PartitionKeys", [])]
        kinds = {k: _column(name, k, parameters) for k in keys}
        location = str(table.get("StorageDescriptor", {}).get("Location", "")).rstrip("/")
        template = parameters.get("storage.location.template") or "/".join([location, *(f"{k}=${{{k}}}" for k in keys)])
        used = [v.lower() for v in _VARIABLE.findall(template)]
        if sorted(set(used)) != sorted(keys):
            raise EngineError(
                f"{name}: storage.location.template {template!r} has not every partition column ({', '.join(keys)})."
            )
        return cls(_VARIABLE.split(template)[0], _shape(template, kinds), tuple((k, kinds[k][1]) for k in keys))

    def partition_of(self, key: str) -> Partition | None:
        """Return the partition in which an object lies, s3://bucket/key; None where it lies in none."""
        found = self._shape.match(key)
        if found is None:
            return None
        values = {name: found.group(f"v{i}") for i, (name, _) in enumerate(self._tests)}
        fits = all(test(values[name]) for name, test in self._tests)
        return Partition(values, found.group()) if fits else None


def _shape(template: str, kinds: Mapping[str, tuple[str, Any]]) -> re.Pattern[str]:
    places = {k: i for i, k in enumerate(kinds)}
    seen: set[str] = set()
    pieces = []
    for i, part in enumerate(_VARIABLE.split(template.rstrip("/") + "/")):
        if i % 2 == 0:
            pieces.append(re.escape(part))
        elif (column := part.lower()) in seen:
            pieces.append(f"(?P=v{places[column]})")
        else:
            seen.add(column)
            pieces.append(f"(?P<v{places[column]}>{kinds[column][0]})")
    return re.compile("".join(pieces))


def _column(name: object, column: str, parameters: Mapping[str, str]) -> tuple[str, Callable[[str], bool]]:
    """Return how values of a partition column look in a place, and the test whether a value is projected."""
    own = {k.removeprefix(f"projection.{column}."): v for k, v in parameters.items()}
    kind = own.get("type", "").strip().lower()
    try:
        if kind == "enum":
            values = [v.strip() for v in own["values"].split(",")]
            return "|".join(re.escape(v) for v in sorted(values, key=len, reverse=True)), values.__contains__
        if kind == "integer":
            return r"-?\d+", _integers(own)
        if kind == "date":
            shape = JavaFormat(own["format"])
            return shape.pattern, _dates(own, shape)
        if kind == "injected":
            return "[^/]+", bool
    except (KeyError, ValueError) as problem:
        raise EngineError(f"{name}: the projection of {column!r} cannot be used: {_told(problem)}.") from None
    raise EngineError(
        f"{name}: projection.{column}.type is {kind or 'not given'}, and must be enum, integer, date or injected."
    )


def _told(problem: Exception) -> str:
    return f"projection.….{problem.args[0]} is not given" if isinstance(problem, KeyError) else str(problem)


def _integers(own: Mapping[str, str]) -> Callable[[str], bool]:
    least, most = (int(v) for v in own["range"].split(","))
    step, digits = int(own.get("interval", "1")), int(own.get("digits", "0"))
    if step < 1:
        raise ValueError(f"interval is {step}, and must be 1 or more")

    def fits(text: str) -> bool:
        value = int(text)
        return least <= value <= most and (value - least) % step == 0 and text == str(value).zfill(digits)

    return fits


def _dates(own: Mapping[str, str], shape: JavaFormat) -> Callable[[str], bool]:
    first, last = (_bound(v.strip(), shape) for v in own["range"].split(","))
    amount = int(own.get("interval", "1"))
    unit = own.get("interval.unit", shape.unit).strip().upper().removesuffix("S")
    if amount < 1 or unit not in {*_SECONDS, *_MONTHS}:
        raise ValueError(f"interval {amount} {unit!r} is no step of time")

    def fits(text: str) -> bool:
        value = shape.read(text)
        if value is None or not first <= value <= last:
            return False
        if unit in _MONTHS:
            return months_apart(first, value) % (amount * _MONTHS[unit]) == 0
        return "NOW" in own["range"].split(",")[0] or (value - first).total_seconds() % (amount * _SECONDS[unit]) == 0

    return fits


def _bound(text: str, shape: JavaFormat) -> dt.datetime:
    """Read an end of a range: a date in the format of the column, or NOW, NOW-3YEARS, NOW+1DAY."""
    relative = re.fullmatch(r"NOW\s*(?:([+-])\s*(\d+)\s*([A-Z]+?)S?)?", text, re.IGNORECASE)
    if relative is None:
        value = shape.read(text)
        if value is None:
            raise ValueError(f"the end {text!r} of its range is no date of the format {shape.text!r}")
        return value
    now = dt.datetime.now(dt.UTC)
    if relative[1] is None:
        return now
    amount, unit = int(relative[1] + relative[2]), relative[3].upper()
    if unit in _MONTHS:
        return shape.cut(moved(now, amount * _MONTHS[unit]))
    if unit not in _SECONDS:
        raise ValueError(f"{text!r} names no unit of time")
    return shape.cut(now + dt.timedelta(seconds=amount * _SECONDS[unit]))


def _parameters(table: Mapping[str, Any]) -> dict[str, str]:
    return {str(k).lower(): str(v) for k, v in (table.get("Parameters") or {}).items()}
