"""`jira_data` as it is stored: the state that a refresh goes on from, the columns of the files, and the frame of all.

A column of a file is called by numbers (`c7_0`: the first output of field 7; `x2`: a column beside the fields), for
names can change when the business names of fields come later. Which number is which is in the state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datalake_kit.errors import TableNotFoundError, UnreadableFileError
from datalake_kit.jira.fields.cast import TYPES
from datalake_kit.jira.fields.columns import to_frame, to_pandas
from datalake_kit.jira.fields.layout import Layout
from datalake_kit.jira.fields.names import ATTRIBUTE, FieldInfo, Records
from datalake_kit.jira.fields.plan import Field
from datalake_kit.jira.fields.unpack import Unpacked
from datalake_kit.jira.landing.newest import LandedFile
from datalake_kit.storage import local_path, write_atomically
from datalake_kit.storage.layers import ROW_KEY, Layers, StoredColumn, arrow_type, has_layers, read_layers

PART_ROWS = 100_000
HIDDEN = pa.schema(
    [("_file", pa.int32()), ("_row", pa.int64()), ("_instant", pa.timestamp("us", "UTC")), ("_id", pa.large_string())]
)


@dataclass
class FieldState:
    """A field with columns: its number, the rule that was planned, what came of it, and rows that hold a value."""

    number: int
    rule: str
    outputs: list[list[str]]  # part and type of each
    outcome: str  # "planned", or what the values asked for: a rule ("text", "number", "json"), or to be kept whole
    held: list[int]  # of each output: at least so many rows have a value in it, if it is not 0

    @property
    def values(self) -> int:
        """At least so many rows have a value, if it is not 0."""
        return max(self.held, default=0)


@dataclass
class State:
    """All that a refresh must know to go on as if it had read all files again."""

    made_with: str
    generation: int
    landed: list[LandedFile]
    fingerprints: list[list[int | str]]
    records: list[list[Any]]  # names and schema that came in documents, and when the last file that says so landed
    fields: dict[str, FieldState] = field(default_factory=dict)
    numbers_given: int = 0  # to fields and to columns beside them; none is given twice
    others: dict[str, int] = field(default_factory=dict)  # folded name of a column beside the fields -> its number
    present: dict[str, int] = field(default_factory=dict)  # key -> at least so many documents have it
    not_only_null: list[str] = field(default_factory=list)  # keys without columns that an empty list or object has
    scarce: list[str] = field(default_factory=list)
    real_numbers: dict[str, int] = field(default_factory=dict)  # text fields that look like numbers -> real ones
    documents: str = ""  # file of the documents looked at
    values: str = ""  # file of the values of scarce fields
    rows_in: int = 0
    rows_rejected: int = 0
    superseded: int = 0  # rows in the files that count no more
    kept_files: list[str] = field(default_factory=list)  # of the state before this: a reader may be at them
    names: list[dict[str, str]] = field(default_factory=list)  # which column is which field


def as_json(state: State) -> dict[str, Any]:
    """The state as what JSON can hold; layouts, which many files share, once each."""
    layouts = list({_identity(f.layout): f.layout for f in state.landed}.values())
    places = {_identity(layout): n for n, layout in enumerate(layouts)}
    files = [
        [str(f.path), f.time.isoformat(), f.time_in_name, f.rows, places[_identity(f.layout)]] for f in state.landed
    ]
    plain = {k: v for k, v in vars(state).items() if k not in ("landed", "fields")}
    fields = {key: asdict(known) for key, known in state.fields.items()}
    return {**plain, "fields": fields, "landed": files, "layouts": [asdict(layout) for layout in layouts]}


def _identity(layout: Layout) -> str:
    return repr((layout.kind, layout.signature, layout.fields_sql, layout.others))


def from_json(found: Mapping[str, Any]) -> State:
    """The state that `as_json` gave."""
    layouts = [Layout(**layout) for layout in found["layouts"]]
    landed = [
        LandedFile(Path(path), datetime.fromisoformat(time), named, rows, layouts[n])
        for path, time, named, rows, n in found["landed"]
    ]
    fields = {key: FieldState(**known) for key, known in found["fields"].items()}
    plain = {k: v for k, v in found.items() if k not in ("landed", "fields", "layouts")}
    return State(**plain, landed=landed, fields=fields)


# --- columns --------------------------------------------------------------------------------------------------------


def number_columns(state: State, fields: Iterable[str], others: Iterable[str]) -> dict[str, int]:
    """Numbers of the fields; what has none gets the next. Those of columns beside the fields are put into the state."""
    for name in others:
        if name.casefold() not in state.others:
            state.others[name.casefold()] = state.numbers_given
            state.numbers_given += 1
    numbers = {key: known.number for key, known in state.fields.items()}
    for key in fields:
        if key not in numbers:
            numbers[key] = state.numbers_given
            state.numbers_given += 1
    return numbers


def stored_rows(
    unpacked: Unpacked, landed: pa.Table, numbers: Mapping[str, int], others: Mapping[str, int]
) -> pa.Table:
    """Rows as they are stored: where they landed, columns beside the fields, columns of the fields."""
    columns = {name: landed[name].cast(HIDDEN.field(name).type) for name in HIDDEN.names}
    for name in unpacked.others.column_names:
        columns[f"x{others[name.casefold()]}"] = unpacked.others[name].cast(TYPES["text"])
    for key, outputs in unpacked.columns.items():
        columns |= {f"c{numbers[key]}_{n}": column for n, column in enumerate(outputs)}
    return pa.table(columns)


def write_rows(table: pa.Table, folder: Path, label: str) -> list[str]:
    """Write rows to new files; returns their names. No reader knows them before they are in the manifest."""
    names = [f"_rows-{label}-{first // PART_ROWS}.parquet" for first in range(0, max(len(table), 1), PART_ROWS)]
    folder.mkdir(parents=True, exist_ok=True)

    def write(number: int) -> None:
        part = table.slice(number * PART_ROWS, PART_ROWS)
        with write_atomically(folder / names[number]) as temporary:
            pq.write_table(part, temporary, compression="snappy")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(len(names))))
    return names


def write_beside(table: pa.Table, folder: Path, name: str) -> str:
    """Write a file of the state."""
    with write_atomically(folder / name) as temporary:
        pq.write_table(table, temporary, compression="snappy")
    return name


def name_columns(
    fields: Mapping[str, Field], numbers: Mapping[str, int], known: dict[str, FieldInfo], others: Iterable[str],
    other_numbers: Mapping[str, int], held: Mapping[str, list[bool]],
) -> tuple[list[StoredColumn], list[dict[str, str]]]:  # fmt: skip
    """The columns of the table in their order, and which field each is, as the frame of these fields has them.

    `held` says for each field which of its outputs hold a value.
    """
    others = list(others)
    columns_of = {
        key: [_one_row(o.type, held=there) for o, there in zip(f.outputs, held[key], strict=True)]
        for key, f in fields.items()
    }
    beside = pa.table({name: pa.nulls(1, TYPES["text"]) for name in others})
    frame = to_frame(Unpacked(columns_of, dict(fields), beside), known, others)
    records = frame.attrs[ATTRIBUTE]
    places = {r["column"]: (r["field"], [o.part for o in fields[r["field"]].outputs].index(r["part"])) for r in records}
    columns = []
    for name in frame.columns:
        if name in places:
            key, n = places[name]
            columns.append(StoredColumn(name, f"c{numbers[key]}_{n}", fields[key].outputs[n].type))
        else:
            columns.append(StoredColumn(name, f"x{other_numbers[name.casefold()]}", "text"))
    return columns, records


def _one_row(kind: str, *, held: bool) -> pa.ChunkedArray:
    """A column of one row, with a value or without."""
    values = pa.array([""]) if kind in ("text", "json") else pa.array([0], pa.int32() if kind == "date" else pa.int64())
    return pa.chunked_array([values.cast(TYPES[kind]) if held else pa.nulls(1, TYPES[kind])])


# --- reading --------------------------------------------------------------------------------------------------------


def open_stored(out: str | Path) -> Layers:
    """The layers of a refreshed folder.

    Raises
    ------
    TableNotFoundError
        `refresh` never wrote there.
    """
    folder = local_path(out)
    if not has_layers(folder):
        raise TableNotFoundError(f"No issues are kept in {folder}. dk.jira.refresh(lake, {str(out)!r}) makes them.")
    return read_layers(folder)


def read(out: str | Path) -> pd.DataFrame:
    """Read the issues that `refresh` keeps in a folder, as `load(...).frame()` gives them.

    Parameters
    ----------
    out
        The folder that `refresh` was given.

    Returns
    -------
    DataFrame
        One row an issue, in the order in which the versions landed. `dk.jira.names(frame)` shows the mapping of
        columns and fields.

    Raises
    ------
    TableNotFoundError
        `refresh` never wrote there.
    UnreadableFileError
        Another version of this package wrote there.

    Examples
    --------
    >>> read("lake/jiralake/jira_data")[["key", "status"]]         # doctest: +SKIP
    """
    layers = open_stored(out)
    try:
        state = from_json(layers.state)
    except (KeyError, TypeError, ValueError):
        raise UnreadableFileError(
            f"Another version of this package keeps the issues in {layers.folder}. "
            "dk.jira.refresh, as it was called for this folder, makes them anew."
        ) from None
    stored = [column.stored for column in layers.columns]
    table = read_rows(layers, [*ROW_KEY, *stored])
    table = in_landing_order(table, state.landed)
    names = [column.name for column in layers.columns]
    types = [arrow_type(column.type) for column in layers.columns]
    columns = [table[s].cast(kind) for s, kind in zip(stored, types, strict=True)]
    frame = to_pandas(pa.table(columns, names=names))
    frame.attrs[ATTRIBUTE] = Records(state.names)
    return frame


def read_rows(layers: Layers, stored: list[str]) -> pa.Table:
    """Columns of the rows that count; a file that was written before a column was is null in it."""
    wanted = list(dict.fromkeys([*ROW_KEY, *stored]))
    parts = []
    for path in layers.paths:
        file = pq.ParquetFile(path)
        there = set(file.schema_arrow.names)
        parts.append(file.read([name for name in wanted if name in there]))
    table = pa.concat_tables(parts, promote_options="default")
    gone = superseded_rows(layers)
    if len(gone):
        table = table.filter(pa.array(~np.isin(row_keys(table), row_keys(gone))))
    return table.select(stored)


def superseded_rows(layers: Layers) -> pa.Table:
    """Where the rows landed that count no more."""
    if layers.superseded_path is None:
        return pa.table({name: pa.nulls(0, HIDDEN.field(name).type) for name in ROW_KEY})
    return pq.read_table(layers.superseded_path)


def row_keys(table: pa.Table) -> np.ndarray[Any, Any]:
    """The place where each row landed as one number."""
    return np.asarray(table["_file"].to_numpy().astype("int64") * 2**40 + table["_row"].to_numpy())


def in_landing_order(table: pa.Table, landed: list[LandedFile]) -> pa.Table:
    """The rows in the order in which their files landed, those of a file in their own."""
    ranks = ranks_of(landed)
    order = ranks[table["_file"].to_numpy()].astype("int64") * 2**40 + table["_row"].to_numpy()
    if bool((order[1:] >= order[:-1]).all()):
        return table
    return table.take(pc.sort_indices(pa.array(order)))


def ranks_of(landed: list[LandedFile]) -> np.ndarray[Any, Any]:
    """The place of each file in the order of landing."""
    ordered = sorted(range(len(landed)), key=lambda n: (landed[n].time, str(landed[n].path)))
    ranks = np.empty(len(landed), dtype="int64")
    ranks[ordered] = np.arange(len(landed))
    return ranks
