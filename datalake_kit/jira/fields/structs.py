"""Fields that lie as a struct, taken as they are: what a rule reads is no JSON text first, and gives the same.

A member of a kind that a rule is not made for is read as its JSON text would be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, cast

from duckdb.sqltypes import DuckDBPyType

from datalake_kit.jira.fields.plan import Field, Part, json_member, literal, quote
from datalake_kit.jira.fields.shaping import make_columns, missed_element, name_columns, shape_value

_EXACT = {"double", "float", "tinyint", "smallint", "integer", "utinyint", "usmallint", "uinteger"}
_AS_WRITTEN = {"boolean", "tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger", "ubigint"}
_NO_TEXT = "CAST(NULL AS VARCHAR)"
_ELEMENT = re.compile(r"\be\.(\w+)")
_PATH = re.compile(r"\{v\}((?:\.\w+)+)")


def members_of(kind: DuckDBPyType) -> dict[str, DuckDBPyType]:
    """The members of a struct with their types; of a list its elements, as `child`."""
    return dict(cast("list[tuple[str, DuckDBPyType]]", kind.children))


def part_query(part: Part, batch: Iterable[tuple[str, Field]], others: list[str]) -> str:
    """The columns of some fields of the rows of a part, as a pass over JSON text gives them."""
    shaped, made = [], []
    for number, (key, field) in enumerate(batch):
        first, second = _take(part, key, number, field)
        shaped += first
        made += second
    middle = f"SELECT {', '.join([*others, *shaped])} FROM ({part.query})"
    return f"SELECT {', '.join([*others, *made])} FROM ({middle})"


def _take(part: Part, key: str, number: int, field: Field) -> tuple[list[str], list[str]]:
    """The shaped value of a field, and its columns."""
    kind = part.members.get(key)
    member = f"_struct.{quote(key)}"
    if kind is None or kind.id == "null":
        return _take_json("CAST(NULL AS JSON)", number, field)
    if field.rule.scalar and not field.by_value:
        return _take_scalar(member, kind, number, field)
    fits = kind.id == ("list" if field.rule.is_list else "struct")
    if field.in_python or not fits:
        return _take_json(json_member(part, key), number, field)
    return _take_list(part, key, number, field) if field.rule.is_list else _take_object(part, key, number, field)


def _take_json(value: str, number: int, field: Field) -> tuple[list[str], list[str]]:
    shape = literal(json.dumps(field.rule.shape))
    plain = value if field.sliced or field.by_value else f"json_transform({value}, {shape})"
    return shape_value(plain, number, field), make_columns(number, field)


def _take_scalar(member: str, kind: DuckDBPyType, number: int, field: Field) -> tuple[list[str], list[str]]:
    typed = _typed(member, kind, field.rule.outputs[0].type)
    return [f"{typed or text_of(member, kind)} AS _v{number}"], make_columns(number, field)


def _take_object(part: Part, key: str, number: int, field: Field) -> tuple[list[str], list[str]]:
    shaped = [f"_struct.{quote(key)} AS _v{number}"]
    if field.sliced:
        shaped.append(f"CAST({json_member(part, key)} AS VARCHAR) AS _j{number}")
    kind = part.members[key]
    made = [
        _over_members(expression, f"_v{number}", kind, output.type).replace("{j}", f"_j{number}")
        for expression, output in zip(field.rule.sql, field.rule.outputs, strict=True)
    ]
    return shaped, name_columns(number, field, made)


def _take_list(part: Part, key: str, number: int, field: Field) -> tuple[list[str], list[str]]:
    member, element = f"_struct.{quote(key)}", members_of(part.members[key])["child"]
    over = _over_elements(element, field.rule.shape[0])
    if over is None:
        return _take_json(json_member(part, key), number, field)
    whole = field.keep_object or field.rule.needs_text
    text = f"CAST({json_member(part, key)} AS VARCHAR)" if whole else f"CASE len({member}) WHEN 0 THEN '[]' ELSE '' END"
    shaped = [f"{member} AS _v{number}", f"CASE WHEN {member} IS NOT NULL THEN {text} END AS _j{number}"]
    made = [over(sql).replace("{v}", f"_v{number}").replace("{j}", f"_j{number}") for sql in field.rule.sql]
    texts = [f"CAST({sql} AS VARCHAR)" for sql in made]
    return shaped, name_columns(number, field, texts, over(missed_element(field)))


def _over_elements(element: DuckDBPyType, shape: Any) -> Callable[[str], str] | None:
    """Puts the elements of a list into a rule's SQL; None when they are of another kind than it reads."""
    if shape == "JSON":
        return lambda sql: sql
    if shape == "VARCHAR":
        return (lambda sql: sql) if element.id == "varchar" and str(element) == "VARCHAR" else None
    if element.id != "struct":
        return None
    inside = members_of(element)
    texts = {k: text_of(f"e.{quote(k)}", inside[k]) if k in inside else _NO_TEXT for k in shape}
    return lambda sql: _ELEMENT.sub(lambda m: texts[m[1]], sql)


def _over_members(expression: str, value: str, kind: DuckDBPyType, output: str) -> str:
    """A rule's SQL with the members of a struct put in; as a number or yes or no where it is one without doubt."""
    found = {path: _follow(value, kind, path) for path in _PATH.findall(expression)}
    typed = {p: _typed(*member, output) if member else "NULL" for p, member in found.items()}
    if expression.startswith("coalesce") and output != "text" and all(typed.values()) and any(found.values()):
        return _PATH.sub(lambda m: str(typed[m[1]]), expression)
    texts = {p: text_of(*member) if member else _NO_TEXT for p, member in found.items()}
    return f"CAST({_PATH.sub(lambda m: texts[m[1]], expression)} AS VARCHAR)"


def _follow(value: str, kind: DuckDBPyType, path: str) -> tuple[str, DuckDBPyType] | None:
    """The member at the end of a path, and its type."""
    for step in path[1:].split("."):
        inside = members_of(kind) if kind.id == "struct" else {}
        if step not in inside:
            return None
        value, kind = f"{value}.{quote(step)}", inside[step]
    return value, kind


def _typed(member: str, kind: DuckDBPyType, output: str) -> str | None:
    """A member in the type of its column, when JSON text would give just that; None when only the text can tell."""
    if output == "number" and kind.id in _EXACT:
        return f"CAST({member} AS DOUBLE)"
    return member if output == "boolean" and kind.id == "boolean" else None


def text_of(value: str, kind: DuckDBPyType) -> str:
    """A value as the text that is taken out of its JSON: of a string the string itself."""
    if kind.id == "varchar" and str(kind) == "VARCHAR":
        return value
    if kind.id == "null":
        return _NO_TEXT
    if kind.id in _AS_WRITTEN:
        return f"CAST({value} AS VARCHAR)"
    return f"json_transform(to_json({value}), '\"VARCHAR\"')"
