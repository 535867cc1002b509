"""Where the lists inside issues are (links, comments, versions ...): the JSON text of each. Pure.

A list is found in an unpacked frame, or unpacked for this alone from raw issues or what `dk.jira.load` gave.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.types as pt

from datalake_kit.errors import ColumnNotFoundError
from datalake_kit.jira.fields.columns import unpack_fields
from datalake_kit.jira.fields.names import ATTRIBUTE


class HasFrame(Protocol):
    """What `dk.jira.load` gives: issues that unpack the fields they are asked for."""

    def frame(self, fields: Any = None, names: Any = None, *, keep_objects: bool = False) -> pd.DataFrame:
        """One row an issue."""
        ...


Issues = pd.DataFrame | HasFrame


@dataclass(frozen=True)
class ListField:
    """A field that holds a list: its id in Jira, its column, and for a page the key under which the list lies."""

    field: str
    column: str
    inside: str = ""
    beside: bool = False  # a column of its own, beside the fields
    joined: bool = False  # the column of that name holds names joined to one text, and not the list


def find_lists(issues: Issues, wanted: ListField) -> pa.Table:
    """The list of each issue as JSON text: `n` (0, 1 ...), `id`, `key`, `value`.

    Raises
    ------
    ColumnNotFoundError
        The issues do not have the field, or only its names are left of it.
    """
    if not isinstance(issues, pd.DataFrame):
        issues = issues.frame(fields=[] if wanted.beside else [wanted.field], keep_objects=True)
    elif _is_raw(issues) and not wanted.beside:
        issues = unpack_fields(issues, fields=[wanted.field], keep_objects=True)
    column = find_column(issues, wanted)
    if column is None and len(issues):
        raise ColumnNotFoundError(_advice(issues, wanted))
    return take_lists(issues, column)


def take_lists(frame: pd.DataFrame, column: str | None) -> pa.Table:
    """`n`, `id`, `key` and a column as JSON text."""
    for name in ("id", "key"):
        if name not in frame.columns and len(frame):
            raise ColumnNotFoundError(f"The frame has no column {name!r}. Give a frame of dk.jira.load(...).frame().")
    names = {"id": "id", "key": "key", "value": column}
    arrays = {to: _texts(frame[name]) if name in frame.columns else pa.nulls(0) for to, name in names.items()}
    return pa.table({"n": range(len(frame)), **{to: a.cast(pa.large_string()) for to, a in arrays.items()}})


def _texts(column: pd.Series[Any]) -> Any:
    """A column as Arrow texts; what is nested becomes JSON text."""
    if column.dtype == object:
        column = column.map(_text_of)
    array = pa.array(column, from_pandas=True)
    if pt.is_floating(array.type):  # ids that a missing value made floats
        whole = column.dropna().mod(1).eq(0).all()
        array = pa.array(column.astype("Int64") if whole else column, from_pandas=True)
    return array


def _text_of(value: Any) -> Any:
    if isinstance(value, str) or value is None:
        return value
    if hasattr(value, "tolist"):  # what Parquet gives for a list
        value = value.tolist()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=_text_of)
    return None if pd.isna(value) else str(value)


def _is_raw(frame: pd.DataFrame) -> bool:
    return ATTRIBUTE not in frame.attrs and "fields" in frame.columns


def find_column(frame: pd.DataFrame, wanted: ListField) -> str | None:
    """The column that holds a list whole; None when there is none."""
    mapped = [r["column"] for r in frame.attrs.get(ATTRIBUTE, []) if r["field"].casefold() == wanted.field]
    whole = [name for name in mapped if name.endswith("_json")]
    own = [name for name in frame.columns if isinstance(name, str) and name.casefold() == wanted.field]
    for name in [*whole, f"{wanted.column}_json", *mapped, wanted.column, *own]:
        if name in frame.columns and (name.endswith("_json") or _holds_list(frame[name], wanted)):
            return str(name)
    return None


def _holds_list(column: pd.Series[Any], wanted: ListField) -> bool:
    """Whether a column holds the list, or nothing at all; names that are joined to a text are not it."""
    values = column.dropna()
    if not wanted.joined or not len(values):
        return True
    if not isinstance(values.iloc[0], str):
        return hasattr(values.iloc[0], "__len__")
    return bool(values.astype("str").str.lstrip().str.startswith(("[{", "{")).any())


def _advice(frame: pd.DataFrame, wanted: ListField) -> str:
    if wanted.column in frame.columns:
        return (
            f"The column {wanted.column} holds names joined to one text; ids and dates are gone. Give the issues that "
            "dk.jira.load gave, or a frame of .frame(keep_objects=True)."
        )
    return (
        f"These issues have no column {wanted.column}. Give the issues that dk.jira.load gave, or a frame unpacked "
        f"with the field {wanted.field}; where Jira's documents do not have it, the export must ask for it."
    )
