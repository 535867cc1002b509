"""SQL that takes the value of a field in its shape, and makes the columns of its rule."""

from __future__ import annotations

import json
from collections.abc import Iterable

from datalake_kit.jira.fields.plan import Field, literal


def shape_value(value: str, number: int, field: Field) -> list[str]:
    """The value of a field in its shape as `_v`, and where needed its JSON text as `_j`.

    `value` is JSON where the field is sliced, else what json_transform made of it.
    """
    text = f"CAST({value} AS VARCHAR) AS _j{number}"
    if field.rule.scalar and not field.by_value:
        return [f"{value} AS _v{number}"]
    if field.in_python:
        return [text]
    if not field.sliced:
        return [f"{value} AS _v{number}"]
    usual = f"starts_with(CAST({value} AS VARCHAR), '{'[' if field.rule.is_list else '{'}')"
    shape = literal(json.dumps(field.rule.shape))
    return [f"CASE WHEN {usual} THEN json_transform({value}, {shape}) END AS _v{number}", text]


def make_columns(number: int, field: Field) -> list[str]:
    """The columns of a field from its shaped value, and a flag where its values can be of another shape."""
    if field.in_python:
        return [f"_j{number} AS _c{number}_0"]
    if field.rule.scalar:
        return [f"_v{number} AS _c{number}_0"]
    texts = (e.replace("{v}", f"_v{number}").replace("{j}", f"_j{number}") for e in field.rule.sql)
    return name_columns(number, field, [f"CAST({text} AS VARCHAR)" for text in texts])


def name_columns(number: int, field: Field, made: list[str], missed: str = "") -> list[str]:
    """What a rule's SQL makes of a shaped value, with the flag, each under its name.

    `missed` is true of an element `e` of a list of which the rule's SQL makes nothing.
    """
    flag = _odd_list(number, missed or missed_element(field)) if field.rule.is_list else _odd(number, field, made)
    if len(field.outputs) > len(made):
        made = [*made, f"nullif(nullif(_j{number}, '[]'), '{{}}')"]
    return [*(f"{e} AS _c{number}_{n}" for n, e in enumerate(made)), f"coalesce({flag}, false) AS _o{number}"]


def missed_element(field: Field) -> str:
    """SQL that is true of an element of a list of which the rule's SQL makes nothing."""
    element = field.rule.shape[0]
    keys = [key for key in element if f"e.{key}" in field.rule.sql[0]] if isinstance(element, dict) else []
    return f"coalesce({', '.join(f'e.{key}' for key in keys)}) IS NULL" if keys else "e IS NULL"


def _odd_list(number: int, missed: str) -> str:
    """True where a value is there and is no list, or the rule's SQL does not make something of each element."""
    return f"_j{number} <> '[]' AND (_v{number} IS NULL OR len(list_filter(_v{number}, lambda e: {missed})) > 0)"


def _odd(number: int, field: Field, made: Iterable[str]) -> str:
    """True where a value is there and the rule's SQL made nothing of it."""
    there = f"_j{number} <> '{{}}'" if field.sliced else f"_v{number} IS NOT NULL"
    nothing = f"_v{number} IS NULL" if field.rule.needs_text else " AND ".join(f"{e} IS NULL" for e in made)
    return f"{there} AND {nothing}"
