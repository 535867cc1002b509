"""Which row is the newest version of each issue.

An issue is its `id` (a key changes when an issue moves, and can be used again). Of its rows the newest is the one with
the latest instant of `fields.updated` (none comes last), then of the latest file, then the last row of the file.
`updated` is parsed only for ids that come more than once. Rows that cannot be used are named with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from duckdb.sqltypes import DuckDBPyType

from datalake_kit.errors import DataError, UnreadableFileError
from datalake_kit.jira.fields.layout import CONSUMED, Layout, find_layout
from datalake_kit.jira.fields.plan import Part, Source, Structs, count_keys, literal, quote
from datalake_kit.jira.fields.structs import members_of, text_of

_TIMES = (
    re.compile(r"(\d{4})-(\d\d)-(\d\d)[T_ ](\d\d)[-:_.]?(\d\d)[-:_.]?(\d\d)"),
    re.compile(r"(\d{4})(\d\d)(\d\d)[T_-]?(\d\d)(\d\d)(\d\d)"),
)


@dataclass(frozen=True)
class LandedFile:
    """One file of the table: when it landed, whether its name says so, and how its issues lie in it."""

    path: Path
    time: datetime
    time_in_name: bool
    rows: int
    layout: Layout
    dated: bool = False  # whether each row is known to have `updated` in a struct


Group = list[LandedFile]
# Columns that reading adds to those of a file.
_OURS = frozenset({"_path", "file_row_number", "_position", "_landed", "_chosen_path", "_chosen_row", "_struct"})


def file_time(path: Path) -> tuple[datetime, bool]:
    """When a file landed (UTC): from its name, else its time of modification; and whether the name says it.

    >>> file_time(Path("issues-2026-03-01T02-00-07.parquet"))[0].isoformat()
    '2026-03-01T02:00:07+00:00'
    """
    for pattern in _TIMES:
        for found in reversed(list(pattern.finditer(path.name))):
            try:
                year, month, day, hour, minute, second = (int(part) for part in found.groups())
                return datetime(year, month, day, hour, minute, second, tzinfo=UTC), True
            except ValueError:
                continue
    return datetime.fromtimestamp(path.stat().st_mtime, tz=UTC), False


def look_at(path: Path) -> LandedFile:
    """Read the footer of one file.

    Raises
    ------
    UnreadableFileError
        It is gone, or no whole Parquet file.
    """
    try:
        footer = pq.read_metadata(path)
        schema = footer.schema.to_arrow_schema()
    except FileNotFoundError:
        raise UnreadableFileError(f"The file is gone: {path}. List the table again, or restore the file.") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UnreadableFileError(f"Not a whole Parquet file: {path} ({error}). Restore it from its source.") from None
    there = {name.casefold() for name in schema.names}
    if "id" not in there:
        raise DataError(f"{path} has no column id; its columns are: {', '.join(schema.names)}.")
    if there & _OURS:
        raise DataError(
            f"{path} has a column {min(there & _OURS)}, which reading makes too. Call it otherwise in the file."
        )
    layout = find_layout(schema, str(path))
    return LandedFile(path, *file_time(path), footer.num_rows, layout, _is_dated(footer, layout))


def _is_dated(footer: pq.FileMetaData, layout: Layout) -> bool:
    """Whether the footer says that `updated` is never null in the struct, so that the struct is not either."""
    name = f"{layout.struct_sql[1:-1]}.updated"
    places = [n for n in range(footer.num_columns) if layout.struct_sql and footer.schema.column(n).path == name]
    known = [footer.row_group(g).column(n).statistics for n in places for g in range(footer.num_row_groups)]
    return bool(places) and all(found is not None and found.null_count == 0 for found in known)


@dataclass(frozen=True)
class Newest:
    """The choice: a source of the winning rows, the rejected ones, and the count of all."""

    source: Source
    groups: list[Group]
    rejects: pa.Table  # file, row (from 0), id, key, reason
    present: dict[str, int]  # key of `fields` -> rows that have it
    rows: int
    undated: int  # rows of ids that come more than once whose `updated` is missing or no instant


def choose(connection: duckdb.DuckDBPyConnection, files: list[LandedFile]) -> Newest:
    """Choose the newest version of each issue; the temporary tables it makes stay in the connection."""
    return count_present(choose_unread(connection, files))


def choose_unread(connection: duckdb.DuckDBPyConnection, files: list[LandedFile]) -> Newest:
    """Choose as `choose` does, but for ids that come once look only at the first letter of the JSON.

    Whether it is valid is seen when it is read: then `count_present` chooses again. No keys are counted yet.

    Raises
    ------
    UnreadableFileError
        What is in a file is damaged, or a text is no UTF-8.
    """
    groups = _prepare(connection, files)
    try:
        connection.execute(f"{_MAKE} _rows AS {_union(groups, _ids)}")
        connection.execute(f"{_MAKE} _again AS SELECT id, true AS again FROM _rows GROUP BY id HAVING count(*) > 1")
        return _choose(_source(connection, groups), groups, check_all=False)
    except (duckdb.InvalidInputException, duckdb.IOException) as error:  # no UTF-8, pages that are damaged
        raise UnreadableFileError(f"A file of the table cannot be read: {error}. Restore it from its source.") from None


def count_present(newest: Newest) -> Newest:
    """Count the keys of what was chosen, which parses it: if that fails, check each row and choose again."""
    try:
        present = count_keys(newest.source)
    except duckdb.InvalidInputException:  # malformed JSON
        newest = _choose(newest.source, newest.groups, check_all=True)
        present = count_keys(newest.source)
    return replace(newest, present=present)


def _choose(source: Source, groups: list[Group], *, check_all: bool) -> Newest:
    """Make `_checked` and `_newest`, and tell what is in them."""
    connection = source.connection
    checked = _union(groups, lambda group: _check(source, group, check_all=check_all))
    connection.execute(f"{_MAKE} _checked AS {checked}")
    connection.execute(f"{_MAKE} _newest AS {_NEWEST}")
    rows, used, undated = connection.sql(_COUNTS).fetchall()[0]
    rejects = connection.sql(_REJECTS).to_arrow_table()
    return Newest(replace(source, rows=used), groups, rejects, {}, rows, undated)


def _source(connection: duckdb.DuckDBPyConnection, groups: list[Group]) -> Source:
    """The rows that `_newest` will list; with their structs where all fields lie so."""
    others = _other_names(groups)
    query = _union(groups, lambda group: _newest_rows(group, others))
    source = Source(connection, query, 0, others, "trim(_x0)")
    if not all(group[0].layout.struct_sql for group in groups):
        return source
    parts = tuple(_part(connection, group, _newest_rows(group, others, as_struct=True)) for group in groups)
    return replace(source, structs=Structs(query, parts))


def _part(connection: duckdb.DuckDBPyConnection, group: Group, query: str) -> Part:
    return Part(query, members_of(_struct_type(connection, group)))


def _struct_type(connection: duckdb.DuckDBPyConnection, group: Group) -> DuckDBPyType:
    return connection.sql(f"SELECT {group[0].layout.struct_sql} FROM {read(group)}").types[0]


_MAKE = "CREATE OR REPLACE TEMP TABLE"
_NEWEST = """
    SELECT path, row, row_number() OVER (ORDER BY rank, row) - 1 AS position
    FROM (
        SELECT rank, row FROM _checked WHERE reason IS NULL
        QUALIFY NOT again OR row_number() OVER (
            PARTITION BY again, id ORDER BY instant DESC NULLS LAST, rank DESC, row DESC
        ) = 1
    ) JOIN _files USING (rank)
"""
_COUNTS = """
    SELECT (SELECT count(*) FROM _checked), (SELECT count(*) FROM _newest),
           (SELECT count(*) FROM _checked WHERE reason IS NULL AND again AND instant IS NULL)
"""
_REJECTS = """
    SELECT path AS file, row, id, key, reason FROM _checked JOIN _files USING (rank)
    WHERE reason IS NOT NULL ORDER BY rank, row
"""


def _prepare(connection: duckdb.DuckDBPyConnection, files: list[LandedFile]) -> list[Group]:
    """Number the files in the order in which they landed; group those whose `fields` have one type."""
    ordered = in_order(files)
    ranks = pa.array(range(len(ordered)), pa.int32())
    times = pa.array([f.time for f in ordered], pa.timestamp("us", "UTC"))
    listing = pa.table({"path": [str(f.path) for f in ordered], "rank": ranks, "landed": times})
    connection.register("_listing", listing)
    connection.execute("CREATE OR REPLACE TEMP TABLE _files AS SELECT * FROM _listing")
    connection.unregister("_listing")
    return _groups(ordered)


def in_order(files: Iterable[LandedFile]) -> list[LandedFile]:
    """The files in the order in which they landed."""
    return sorted(files, key=lambda f: (f.time, str(f.path)))


def _groups(ordered: Iterable[LandedFile]) -> list[Group]:
    groups: dict[str, Group] = {}
    for file in ordered:
        groups.setdefault(file.layout.signature, []).append(file)
    return list(groups.values())


def names_beside(files: Iterable[LandedFile]) -> tuple[str, ...]:
    """Names of the columns beside the fields in all of these files, as `choose` on them would give them."""
    return _other_names(_groups(in_order(files)))


def _union(groups: list[Group], select: Callable[[Group], str]) -> str:
    return " UNION ALL ".join(select(group) for group in groups)


def read(group: Group) -> str:
    """The files of a group as a relation, with `_path` and `file_row_number` (from 0) beside their columns."""
    paths = ", ".join(literal(str(file.path)) for file in group)
    options = "union_by_name=true, hive_partitioning=false, filename='_path', file_row_number=true"
    return f"read_parquet([{paths}], {options})"


def _id(group: Group) -> str:
    return f"nullif(trim({_others(group)['id'][1]}), '')"


def _ids(group: Group) -> str:
    rows = f"SELECT _path, file_row_number AS row, {_id(group)} AS id FROM {read(group)}"
    return f"SELECT rank, row, id FROM ({rows}) JOIN _files ON path = _path"


def _check(source: Source, group: Group, *, check_all: bool) -> str:
    """Why a row cannot be used, if so, and the instant of `updated` where the id comes again.

    A text from which `updated` can be taken is valid JSON: only the others are parsed for that.
    """
    key = _others(group).get("key", ("", "CAST(NULL AS VARCHAR)"))[1]
    fields, updated = _document(source, group)
    rows = f"SELECT _path, file_row_number AS row, {_id(group)} AS id, {key} AS key, {fields} FROM {read(group)}"
    doubtful = "updated IS NULL" if check_all else "again AND updated IS NULL"
    return f"""
        SELECT rank, row, id, CASE WHEN reason IS NOT NULL THEN key END AS key, reason, again,
               TRY_CAST(updated AS TIMESTAMPTZ) AS instant
        FROM (
            SELECT *,
                   CASE WHEN id IS NULL THEN 'no id'
                        WHEN _fields IS NULL THEN 'no fields'
                        WHEN {doubtful} AND NOT json_valid(_fields) THEN 'fields is not valid JSON'
                        WHEN NOT starts_with(ltrim(_fields), '{{') THEN 'fields is no JSON object' END AS reason
            FROM (
                SELECT rank, row, id, key, _fields, coalesce(again, false) AS again,
                       CASE WHEN again THEN {updated} END AS updated
                FROM ({rows}) JOIN _files ON path = _path LEFT JOIN _again USING (id)
            )
        )
    """


def _document(source: Source, group: Group) -> tuple[str, str]:
    """SQL for what is checked of a document, then for its `updated`. Of structs no more than that is read."""
    struct = group[0].layout.struct_sql
    if not struct:
        return f"{group[0].layout.fields_sql} AS _fields", "TRY(json_extract_string(_fields, '$.updated'))"
    inside = members_of(_struct_type(source.connection, group))
    updated = text_of(f"{struct}.updated", inside["updated"]) if "updated" in inside else "NULL"
    missing = "false" if all(file.dated for file in group) else f"{struct} IS NULL"
    return f"CASE WHEN NOT ({missing}) THEN '{{}}' END AS _fields, {updated} AS _updated", "_updated"


def _others(group: Group) -> dict[str, tuple[str, str]]:
    """Columns beside the fields, by folded name: the name as it is spelt, and SQL that gives it as text."""
    found: dict[str, tuple[str, str]] = {}
    for file in group:
        for name, sql in file.layout.others.items():
            found.setdefault(name.casefold(), (name, sql))
    return found


def _other_names(groups: list[Group]) -> tuple[str, ...]:
    names: dict[str, str] = {"id": "id", "key": "key"}
    for group in groups:
        for folded, (name, _) in _others(group).items():
            if folded not in CONSUMED:
                names.setdefault(folded, name)
    return tuple(names.values())


def _newest_rows(
    group: Group, others: tuple[str, ...], chosen: str = "_newest", beside: str = "", *, as_struct: bool = False
) -> str:
    """Fields and other columns of the rows that the table `chosen` lists, at their positions."""
    known = _others(group)
    columns = [known.get(name.casefold(), ("", "CAST(NULL AS VARCHAR)"))[1] for name in others]
    extra = "".join(f", {sql} AS _x{n}" for n, sql in enumerate(columns))
    layout = group[0].layout
    fields = f"{layout.struct_sql} AS _struct" if as_struct else f"{layout.fields_sql} AS _fields"
    return f"""
        SELECT _position, {fields}{extra}{beside} FROM {read(group)} JOIN ({_PLACES.format(chosen=chosen)})
        ON _chosen_path = _path AND _chosen_row = file_row_number
    """


# Their columns are called so that no column of a table is called the same.
_PLACES = """
    SELECT path AS _chosen_path, row AS _chosen_row, position AS _position, landed AS _landed
    FROM {chosen} JOIN (SELECT path, landed FROM _files) USING (path)
"""


def all_versions(newest: Newest) -> Source:
    """Every usable row, the versions of an issue together and in their order, with the time of its file as `landed`."""
    connection = newest.source.connection
    connection.execute(f"{_MAKE} _versions AS {_VERSIONS}")
    others = _other_names(newest.groups)
    beside = f", CAST(_landed AS VARCHAR) AS _x{len(others)}"
    query = _union(newest.groups, lambda group: _newest_rows(group, others, "_versions", beside))
    (rows,) = connection.sql("SELECT count(*) FROM _versions").fetchall()[0]
    return Source(connection, query, rows, (*others, "landed"))


_VERSIONS = """
    SELECT path, row, row_number() OVER (ORDER BY id, instant NULLS FIRST, rank, row) - 1 AS position
    FROM _checked JOIN _files USING (rank) WHERE reason IS NULL
"""


def raw_rows(newest: Newest) -> pa.Table:
    """The winning rows as they came; of files of more than one layout, `fields` and all others as text."""
    connection, groups = newest.source.connection, newest.groups
    if len(groups) == 1:
        join = f"JOIN ({_PLACES.format(chosen='_newest')}) ON _chosen_path = _path AND _chosen_row = file_row_number"
        columns = "* EXCLUDE (_chosen_path, _chosen_row, _position, _landed, _path, file_row_number)"
        query = f"SELECT {columns} FROM {read(groups[0])} {join} ORDER BY _position"
        return connection.sql(query).to_arrow_table()
    named = ", ".join(f"_x{n} AS {quote(name)}" for n, name in enumerate(newest.source.others))
    query = f"SELECT {named}, _fields AS fields FROM ({newest.source.query}) ORDER BY _position"
    return connection.sql(query).to_arrow_table()


def field_records(newest: Newest) -> list[dict[str, str | None]]:
    """What the files say of the fields in their columns `names` and `schema`: each once, the latest last."""
    return [{"names": names, "schema": schema} for names, schema, _ in records_by_rank(newest)]


def records_by_rank(newest: Newest) -> list[tuple[str | None, str | None, int]]:
    """What the files say of the fields, with the last file that says so, by its number in the order of landing."""
    found: list[tuple[str | None, str | None, int]] = []
    for group in newest.groups:
        known = _others(group)
        if "names" not in known and "schema" not in known:
            continue
        names, schema = (known.get(c, ("", "CAST(NULL AS VARCHAR)"))[1] for c in CONSUMED)
        rows = f"SELECT {names} AS names, {schema} AS schema, _path FROM {read(group)}"
        found += newest.source.connection.sql(f"""
            SELECT names, schema, max(rank) AS rank FROM ({rows}) JOIN _files ON path = _path
            WHERE names IS NOT NULL OR schema IS NOT NULL GROUP BY names, schema
        """).fetchall()
    return sorted(found, key=lambda row: (row[2], row[0] or "", row[1] or ""))
