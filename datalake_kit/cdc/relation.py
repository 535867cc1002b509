"""Rows that lie in files or in Arrow, as SQL: one part for the files of each schema, columns found by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from datalake_kit.cdc.canonical import Form, Type, common_form
from datalake_kit.cdc.workspace import Workspace, scan
from datalake_kit.errors import UnreadableFileError
from datalake_kit.sql import quote_identifier
from datalake_kit.storage import Place, open_parquet


@dataclass(frozen=True)
class _Null:
    """The type of a column that a part does not have."""

    id: str = "null"
    children: Any = ()


NULL_TYPE = _Null()


@dataclass(frozen=True)
class Part:
    """Files of one schema, or an Arrow table: what to read FROM, and its columns by name as SQL and type."""

    source: str
    columns: Mapping[str, tuple[str, Type]]
    numbers: tuple[int, ...] = ()  # of its files, in the order of the scan

    def column(self, name: str) -> tuple[str, Type]:
        """The SQL and type of a column; NULL where the part does not have it."""
        return self.columns.get(name, ("NULL", NULL_TYPE))

    def write(self, form: Form, name: str) -> str:
        """The SQL of a column in a form."""
        sql, kind = self.column(name)
        return form.sql(sql, kind)

    @property
    def number(self) -> str:
        """The SQL of the number of a row's file."""
        if len(self.numbers) == 1:
            return str(self.numbers[0])
        first = self.numbers[0]
        if self.numbers == tuple(range(first, first + len(self.numbers))):
            return f"CAST(file_index AS INTEGER) + {first}"
        return f"{list(self.numbers)}[file_index + 1]"


@dataclass(frozen=True)
class Relation:
    """Rows in parts. Columns of the parts are one column when their names are alike in all but case."""

    parts: tuple[Part, ...]
    names: tuple[str, ...]
    twins: frozenset[str] = field(default_factory=frozenset)  # names that differ in case alone within one part

    def kinds(self, name: str) -> list[Type]:
        """The types that a column has."""
        return [part.column(name)[1] for part in self.parts]

    def form(self, name: str) -> Form | None:
        """The form in which the parts of a column are one column."""
        return common_form(self.kinds(name))

    def find(self, name: str) -> str | None:
        """The column of a name, in any case of letters; of several only the one that is written so."""
        same = self._by_fold.get(name.casefold(), [])
        return name if name in same else same[0] if len(same) == 1 else None

    def select(self, write: Callable[[Part], str]) -> str:
        """The SQL that reads every part; `write` gives what to SELECT of one."""
        return "\nUNION ALL\n".join(f"SELECT {write(part)} FROM {part.source}" for part in self.parts)

    @cached_property
    def _by_fold(self) -> dict[str, list[str]]:
        groups: dict[str, list[str]] = {}
        for name in self.names:
            groups.setdefault(name.casefold(), []).append(name)
        return groups


def of_files(
    work: Workspace,
    files: Sequence[Path],
    apart: Sequence[str] | None = None,
    hive: Mapping[str, str] | None = None,
) -> Relation:
    """The rows of local Parquet files, numbered as they are given; those with another word in `apart` are parts apart.

    `hive` are the columns that the folders `key=value` of the paths give, with their types.

    Raises
    ------
    UnreadableFileError
        A file is gone, cut short, or no Parquet file.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    names: dict[tuple[str, str], tuple[str, ...]] = {}
    for at, file in enumerate(files):
        text, columns = shape_of(file)
        shape = (apart[at] if apart is not None else "", text)
        groups.setdefault(shape, []).append(at)
        names[shape] = columns
    parts = []
    for shape, members in groups.items():
        source = scan((files[at] for at in members), hive=hive)
        one = scan([files[members[0]]], positions=False, hive=hive)
        told = [k for k in hive or {} if k.casefold() not in {n.casefold() for n in names[shape]}]
        parts.append(Part(source, _columns(work, one, [*names[shape], *told]), tuple(members)))
    return joined(parts)


def of_source(work: Workspace, source: str, names: Sequence[str]) -> Relation:
    """The rows of what can stand after FROM; its columns are renamed in their order."""
    return joined([Part(source, _columns(work, source, names), (0,))])


def of_arrow(work: Workspace, table: pa.Table) -> Relation:
    """The rows of an Arrow table."""
    source = work.show(table.rename_columns([f"c{i}" for i, _ in enumerate(table.schema.names)]))
    return of_source(work, source, table.schema.names)


def shape_of(file: Place) -> tuple[str, tuple[str, ...]]:
    """What files must share to be read together, and the names of the columns."""
    with open_parquet(file) as opened:
        text = str(opened.schema)
        return text.split("\n", 1)[1], tuple(opened.schema_arrow.names)


def unreadable(files: Iterable[Place]) -> dict[Place, str]:
    """The files that are gone, cut short, or no Parquet files, with what is wrong."""
    found = {}
    for file in files:
        try:
            shape_of(file)
        except UnreadableFileError as problem:
            found[file] = str(problem)
    return found


def _columns(work: Workspace, source: str, names: Sequence[str]) -> dict[str, tuple[str, Type]]:
    """Names as the file has them; DuckDB calls columns that differ in case alone by other names."""
    pairs = zip(names, work.shape(source), strict=True)
    return {name: (quote_identifier(sql), kind) for name, (sql, kind) in pairs}


def joined(parts: Iterable[Part]) -> Relation:
    """Give columns that differ in case from part to part one name, the first; twins within a part keep theirs."""
    parts = list(parts)
    twins = {n for part in parts for n in part.columns if _folds(part.columns).count(n.casefold()) > 1}
    folded_twins = {n.casefold() for n in twins}
    first: dict[str, str] = {}
    renamed = []
    for part in parts:
        columns = {}
        for name, column in part.columns.items():
            key = name if name.casefold() in folded_twins else name.casefold()
            columns[first.setdefault(key, name)] = column
        renamed.append(Part(part.source, columns, part.numbers))
    return Relation(tuple(renamed), tuple(dict.fromkeys(first.values())), frozenset(twins))


def _folds(names: Iterable[str]) -> list[str]:
    return [n.casefold() for n in names]
