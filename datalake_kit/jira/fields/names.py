"""Names of Jira fields and of columns: business names in, safe column names out, and the way back.

Pure: takes and gives frames and mappings.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from datalake_kit.errors import DataError, did_you_mean
from datalake_kit.jira.fields._reserved import RESERVED_WORDS

MAX_BYTES = 255  # of a column name in Athena and Glue
ROOM_FOR_PARTS = 45  # bytes kept free behind a base name for a suffix and the name of a part
ATTRIBUTE = "datalake_kit.jira.names"  # where a frame carries its mapping

_CUSTOM = re.compile(r"customfield_(\d+)")
_IDS = ("id", "field", "key")  # what the column of the ids can be called


class Records(list[dict[str, str]]):
    """What a frame carries of its columns, never changed: pandas copies deeply what is attached, at every step."""

    def __deepcopy__(self, memo: object) -> Records:
        return self


@dataclass(frozen=True)
class FieldInfo:
    """What is known of one field: its id, its business name, and the types of its schema."""

    id: str
    name: str | None = None
    type: str | None = None
    items: str | None = None
    custom: str | None = None

    @property
    def number(self) -> int | None:
        """The number of a custom field; None for a field of Jira itself."""
        found = _CUSTOM.fullmatch(self.id.casefold())
        return int(found[1]) if found else None


def snake_case(text: str) -> str:
    """Return a business name as a column name: ASCII, lower case, words joined by an underscore; '' if nothing is left.

    >>> snake_case("Story Points"), snake_case("fixVersions"), snake_case("🚀 Größe (m²)"), snake_case("故事点")
    ('story_points', 'fix_versions', 'grosse_m2', '')
    """
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", plain)
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", words)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")


def column_base(info: FieldInfo) -> str:
    """Return the column name that a field asks for, before duplicates are told apart.

    A name without a letter or digit of ASCII gives the field's id; one that begins with a digit gets `field_` before
    it, a reserved word of Athena gets `_field` behind it; a long one is cut, with the field's id behind it.
    """
    base = snake_case(info.name or "") or snake_case(info.id) or "field"
    if base[0].isdigit():
        base = f"field_{base}"
    if base in RESERVED_WORDS:
        base = f"{base}_field"
    limit = MAX_BYTES - ROOM_FOR_PARTS
    if len(base) > limit:
        tail = f"_{info.number}" if info.number is not None else ""
        base = base[: limit - len(tail)].rstrip("_") + tail
    return base


class Claims:
    """Gives out column names so that none is given twice, in whatever letters.

    The first to claim a name keeps it. Custom fields are to claim in order of their numbers: Jira numbers them as they
    are made, so a field that is made later never changes the column of an older one.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {name.casefold() for name in taken}

    def claim(self, base: str, parts: Iterable[str], tail: str) -> str:
        """Claim `base` with each of its parts; with `tail` behind it when one of those is taken."""
        parts = list(parts)
        attempt, turn = base, 1
        while any((attempt + part).casefold() in self._taken for part in parts):
            attempt = f"{base}_{tail}" if turn == 1 else f"{base}_{tail}_{turn}"
            turn += 1
        self._taken |= {(attempt + part).casefold() for part in parts}
        return attempt


def read_fields(names: Any) -> dict[str, FieldInfo]:
    """Read what the user knows of the fields.

    Parameters
    ----------
    names
        None; a mapping of field id to business name (or to a record of the field); records, a DataFrame, an Arrow
        table or a Table of a lake with the columns `id` and `name`, and `schema` when there is one, as Jira's list of
        fields has them; a document with `names` and `schema`; the path of a JSON, CSV or Parquet file of one of these.

    Returns
    -------
    dict
        Field id to `FieldInfo`.

    Raises
    ------
    DataError
        It is none of these, or a record has no id.

    Examples
    --------
    >>> read_fields({"customfield_10024": "Story Points"})["customfield_10024"].name
    'Story Points'
    """
    if names is None:
        return {}
    if isinstance(names, str | Path):
        names = _read_file(Path(names))
    if hasattr(names, "arrow") and not isinstance(names, pa.Table):
        names = names.arrow()
    if isinstance(names, pa.Table):
        _check_columns(names.column_names)
        names = names.to_pylist()
    elif isinstance(names, pd.DataFrame):
        _check_columns(names.columns)
        names = [cast("dict[str, Any]", r) for r in names.astype(object).where(names.notna(), None).to_dict("records")]
    if isinstance(names, Mapping):
        return _checked(_from_mapping(names))
    if isinstance(names, Iterable) and not isinstance(names, str | bytes):
        return _checked(_from_records(names))
    raise DataError(f"names= takes a mapping, a table with id and name, or a file; not {type(names).__name__}.")


def _check_columns(columns: Iterable[Any]) -> None:
    """Refuse a table without a column for the ids or for the names."""
    folded = {str(column).casefold() for column in columns}
    missing = [column for column, there in (("id", bool(folded & set(_IDS))), ("name", "name" in folded)) if not there]
    if missing:
        raise DataError(
            f"names= is a table without the column {' and '.join(missing)}; it has: {', '.join(map(str, columns))}. "
            "Give one with a row a field: id (customfield_10024) and name (Story Points)."
        )


def _checked(known: dict[str, FieldInfo]) -> dict[str, FieldInfo]:
    """Refuse what cannot be ids of fields: numbers, business names, ids and names the wrong way round."""
    for key, info in known.items():
        if key.isdigit():
            raise DataError(f"names= gives the id {key!r}. Jira calls that field 'customfield_{key}'.")
        if info.name and _CUSTOM.fullmatch(info.name) and info.name != key:
            raise DataError(f"names= has it the wrong way round: {key!r} is the name of {info.name!r}. Ids come first.")
    if known and all(re.search(r"\s", key) for key in known):
        raise DataError(f"names= has no id of a field: {next(iter(known))!r:.60} is none. An id is customfield_10024.")
    return known


def _read_file(path: Path) -> Any:
    kind = path.suffix.lower()
    if not path.is_file():
        raise DataError(f"names= names a file that is not there: {path}.")
    if kind not in (".json", ".csv", ".parquet"):
        raise DataError(f"names= reads .json, .csv and .parquet files, not {path.name}.")
    try:
        if kind == ".parquet":
            return pq.read_table(path)
        text = path.read_text(encoding="utf-8-sig")
        return json.loads(text) if kind == ".json" else _read_csv(text)
    except (ValueError, RecursionError, csv.Error) as error:
        raise DataError(f"names= cannot read {path}: {error}") from None


def _read_csv(text: str) -> pd.DataFrame:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    return pd.DataFrame(list(rows), columns=list(rows.fieldnames or ()), dtype=object)


def of_document(names: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, FieldInfo]:
    """What a document says of the fields; a name that is no text is none."""
    texts = {key: name for key, name in names.items() if isinstance(name, str)}
    return {key: _info(key, {"name": texts.get(key), "schema": schema.get(key)}) for key in {**schema, **names}}


def _from_mapping(names: Mapping[Any, Any]) -> dict[str, FieldInfo]:
    if isinstance(names.get("names"), Mapping):  # a document, or what one brings
        schema = names.get("schema")
        schema = schema if isinstance(schema, Mapping) else {}
        return {str(k): _info(str(k), {"name": v, "schema": schema.get(k)}) for k, v in names["names"].items()}
    if isinstance(names.get("values"), list):  # a page of Jira's list of fields
        return _from_records(names["values"])
    return {str(k): _info(str(k), v if isinstance(v, Mapping | FieldInfo) else {"name": v}) for k, v in names.items()}


def _from_records(records: Iterable[Any]) -> dict[str, FieldInfo]:
    found: dict[str, FieldInfo] = {}
    for record in records:
        if not isinstance(record, Mapping):
            raise DataError(f"names= holds {record!r:.60}; each record must have an id and a name.")
        folded = {str(k).casefold(): v for k, v in record.items()}
        field = next((folded[key] for key in _IDS if folded.get(key) not in (None, "")), None)
        if field is None:
            raise DataError(f"names= has a record without id: {dict(record)!r:.120}. Its columns must be id and name.")
        if "name" not in folded:
            raise DataError(
                f"names= has a record without name: {dict(record)!r:.120}. Its columns must be id and name."
            )
        found[str(field)] = _info(str(field), folded)
    return found


def _info(field: str, about: Mapping[str, Any] | FieldInfo) -> FieldInfo:
    if isinstance(about, FieldInfo):
        return about
    name = about.get("name")
    if name is not None and not isinstance(name, str):
        raise DataError(f"names= gives {name!r} for {field}: a business name must be text.")
    schema = about.get("schema")
    if isinstance(schema, str) and schema.strip():
        try:
            schema = json.loads(schema)
        except ValueError:
            schema = {"type": schema}
    schema = schema if isinstance(schema, Mapping) else {}
    kinds = (schema.get(key) for key in ("type", "items", "custom"))
    return FieldInfo(field, name, *(kind if isinstance(kind, str) else None for kind in kinds))


def spelt_as(known: dict[str, FieldInfo], present: Iterable[str]) -> dict[str, FieldInfo]:
    """What is known, also under the letters in which the documents have the ids: Athena folds `fixVersions`."""
    folded = {key.casefold(): info for key, info in known.items()}
    missing = [key for key in present if key not in known and key.casefold() in folded]
    return known | {key: replace(folded[key.casefold()], id=key) for key in missing}


def names(frame: pd.DataFrame) -> pd.DataFrame:
    """Show which field each column of an unpacked frame comes from: the mapping, both ways.

    Parameters
    ----------
    frame
        What `load(...).frame()` or `unpack_fields(...)` gave.

    Returns
    -------
    DataFrame
        One row a column: `column`, `field` (id in Jira), `name` (business name, or the id where none is known), `part`
        (which part of the field, empty for its main value), `rule` (how it was unpacked), `not_unpacked` (keys of
        its objects that have no column; `keep_objects=True` keeps them).

    Raises
    ------
    DataError
        The frame does not carry a mapping.

    Examples
    --------
    >>> names(issues.frame())[["column", "name"]]         # doctest: +SKIP
    """
    records = frame.attrs.get(ATTRIBUTE)
    if records is None:
        raise DataError(
            "This frame carries no names of fields. Give a frame of dk.jira.load(...).frame() or "
            "dk.jira.unpack_fields(...); a merge or an aggregation loses what it carried."
        )
    columns = ["column", "field", "name", "part", "rule", "not_unpacked"]
    return pd.DataFrame.from_records(records, columns=columns).astype(dict.fromkeys(columns, "str"))


def rename(frame: pd.DataFrame, to: str = "names") -> pd.DataFrame:
    """Return a frame with its columns called otherwise; `to="columns"` undoes it.

    Parameters
    ----------
    frame
        An unpacked frame, whatever its columns are called now.
    to
        `"names"`: business names (`Reviewer`, `Reviewer: account id`); two fields of one name get their ids.
        `"fields"`: ids (`customfield_10064`, `customfield_10064.account_id`). `"columns"`: the names it came with.

    Returns
    -------
    DataFrame
        The same rows; columns that are no field's keep their names.

    Raises
    ------
    DataError
        The frame carries no mapping, or `to` is none of the three.

    Examples
    --------
    >>> rename(issues.frame()).to_excel("issues.xlsx")    # doctest: +SKIP
    """
    labels = _labels(names(frame))
    if to not in labels:
        raise DataError(f"rename cannot go to {to!r}. {did_you_mean(to, labels)}")
    columns = _columns_of(frame, labels)
    others = {name for name in frame.columns if name not in columns}
    mapping = {}
    for name, column in columns.items():
        label = labels[to][column]
        mapping[name] = label if label not in others else _told_apart(label, column)
    renamed = frame.rename(columns=mapping)
    renamed.attrs = dict(frame.attrs)
    return renamed


def _told_apart(label: str, column: str) -> str:
    return f"{label} [{column}]"


def _columns_of(frame: pd.DataFrame, labels: dict[str, dict[str, str]]) -> dict[Any, str]:
    """What each name in the frame was called at first, by that of the three ways which most of them follow."""
    return max((_found(frame.columns, known) for known in labels.values()), key=len)


def _found(names: Iterable[Any], labels: dict[str, str]) -> dict[Any, str]:
    """The names that are labels, each of one column: that which was told apart before that which looks like it."""
    apart = {_told_apart(label, column): column for column, label in labels.items()}
    plain = {label: column for column, label in labels.items()}
    found = {name: apart[name] for name in names if name in apart}
    held = set(found.values())
    return found | {name: plain[name] for name in names if name in plain and plain[name] not in held}


def _labels(mapping: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Column to each of its three labels; every label is there once."""
    fields, words, columns = {}, {}, {}
    sharing = mapping.drop_duplicates("field")["name"].value_counts()
    for row in mapping.itertuples():
        column, field, name, part = str(row.column), str(row.field), str(row.name), str(row.part)
        name = f"{name} ({field})" if sharing.get(row.name, 0) > 1 else name
        columns[column] = column
        fields[column] = f"{field}.{part}" if part else field
        words[column] = f"{name}: {part.replace('_', ' ')}" if part else name
    return {"columns": columns, "fields": _each_once(fields), "names": _each_once(words)}


def _each_once(labels: dict[str, str]) -> dict[str, str]:
    """Tell apart labels that two columns would share."""
    shared = {label for label, n in Counter(labels.values()).items() if n > 1}
    return {column: _told_apart(label, column) if label in shared else label for column, label in labels.items()}
