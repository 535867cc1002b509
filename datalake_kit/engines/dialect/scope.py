"""Names that a statement can use at one place: the tables of its FROM, with their columns and types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.types import SqlType, quote
from datalake_kit.errors import ColumnNotFoundError, SqlError, did_you_mean


@dataclass(frozen=True, slots=True)
class Expr:
    """A translated expression: DuckDB text, Trino type, its value if it is a literal, its name if it is a column."""

    sql: str
    type: SqlType
    literal: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a source or of a result.

    `shown` is the name as it is spelled in a result (None: it has no name yet), `emitted` the name in the DuckDB text.
    """

    shown: str | None
    emitted: str
    type: SqlType

    @property
    def key(self) -> str:
        """The name by which a statement finds it: folded to lower case; '' when it has none."""
        return (self.shown or "").lower()


@dataclass(frozen=True, slots=True)
class Source:
    """One item of a FROM: how it is called here, how in DuckDB, and what columns it has."""

    alias: str
    emitted: str
    columns: tuple[Column, ...]
    database: str | None = None

    def expr(self, column: Column) -> Expr:
        """Return a reference to one of its columns."""
        return Expr(f"{quote(self.emitted)}.{quote(column.emitted)}", column.type, name=column.shown)


@dataclass(slots=True)
class Scope:
    """The sources of one SELECT, the columns that JOIN ... USING merged, and the enclosing SELECT."""

    parent: Scope | None = None
    sources: list[Source] = field(default_factory=list)
    merged: dict[str, Expr] = field(default_factory=dict)
    locals: dict[str, Expr] = field(default_factory=dict)  # parameters of lambdas
    select_aliases: frozenset[str] = frozenset()

    def chain(self) -> Iterator[Scope]:
        """Yield this scope and those around it, the nearest first."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def emitted_names(self) -> set[str]:
        """Return the DuckDB aliases in use."""
        return {s.emitted for s in self.sources}

    def find(self, name: str) -> Expr | None:
        """Return the column of this name in the nearest scope that has one.

        Raises
        ------
        SqlError
            More than one source has it.
        """
        name = name.lower()
        for scope in self.chain():
            if name in scope.locals:
                return scope.locals[name]
            if name in scope.merged:
                return scope.merged[name]
            found = [s.expr(c) for s in scope.sources for c in s.columns if c.key == name]
            if len(found) > 1:
                raise SqlError(f"the column {name!r} is ambiguous: more than one table has it; write table.{name}")
            if found:
                return found[0]
        return None

    def source(self, alias: str, database: str | None = None) -> Source | None:
        """Return the source of this alias, in the nearest scope that has it."""
        alias = alias.lower()
        for scope in self.chain():
            for source in scope.sources:
                if source.alias == alias and database in (None, source.database):
                    return source
        return None

    def not_found(self, name: str) -> Exception:
        """Return the error for a column that is not there."""
        if any(name.lower() in scope.select_aliases for scope in self.chain()):
            refuse(
                f"the alias {name!r} in WHERE, GROUP BY or HAVING",
                "Athena does not know it there",
                "repeat the expression, or select from a subquery that defines it",
            )
        known: Iterable[str] = {c.key for s in self.chain() for x in s.sources for c in x.columns if c.shown}
        return ColumnNotFoundError(f"no column {name!r} in the tables of this statement. {did_you_mean(name, known)}")
