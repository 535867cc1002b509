"""Conversions that Trino makes by itself, and what a moment shows in its time zone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.scope import Expr
from datalake_kit.engines.dialect.types import DATE, TIMESTAMP, UNKNOWN, SqlType, common


def widen(value: Expr, wanted: SqlType) -> Expr:
    """Return the value in the type that Trino gives it by itself; DuckDB would choose another at times."""
    given = value.type
    if given == wanted or wanted == UNKNOWN:
        return value
    if given == UNKNOWN or wanted.is_number or (given == DATE and wanted.name.startswith("timestamp")):
        return Expr(f"CAST({value.sql} AS {wanted.duckdb})", wanted, value.literal)
    if given == TIMESTAMP and wanted.name == "timestamp with time zone":
        return Expr(f"timezone('UTC', {value.sql})", wanted)
    if given.duckdb != wanted.duckdb:
        return Expr(f"CAST({value.sql} AS {wanted.duckdb})", wanted)
    return Expr(value.sql, wanted, value.literal)


def common_of(values: list[Expr], what: str) -> SqlType:
    """Return the type in which values meet, or refuse as Trino does."""
    found = UNKNOWN
    for value in values:
        met = common(found, value.type)
        if met is None:
            _refuse_mixture(what, found, value.type)
        found = met
    return found


def _refuse_mixture(what: str, one: SqlType, other: SqlType) -> NoReturn:
    names = {one.name, other.name}
    instead = f"CAST one side to {one} or {other}"
    if "varchar" in names and names & {"date", "timestamp", "timestamp with time zone"}:
        instead = "write DATE '2026-01-31' or TIMESTAMP '2026-01-31 00:00:00', or bind a date or a datetime, not text"
    refuse(what, f"Athena does not compare or mix {one} with {other}", instead)


def make_row(values: list[Expr]) -> Expr:
    """Return ROW(...): fields without names."""
    type_ = SqlType("row", tuple(v.type for v in values), tuple(None for _ in values))
    return Expr(f"row({', '.join(v.sql for v in values)})", type_)


def in_zone(moment: Expr, change: Callable[[str], str], what: str) -> Expr:
    """Apply `change` to the local time that a timestamp with time zone shows, and give the instant back.

    Where the clock shows a time twice, Trino stays with the offset that the moment had.
    """
    zone = zone_of(moment, what)
    if zone == "'UTC'":
        return Expr(change(moment.sql), moment.type)
    return Expr(f"dk_back({zone}, {moment.sql}, {change(f'timezone({zone}, {moment.sql})')})", moment.type)


def zone_of(moment: Expr, what: str) -> str:
    """Return the zone of a timestamp with time zone, or refuse when it is not the same in all rows."""
    if moment.type.zone is None:
        refuse(
            what, "the answer depends on a time zone that is not known here", "write at_timezone(value, 'UTC') in it"
        )
    return moment.type.zone


def local_time(moment: Expr, what: str) -> str:
    """Return DuckDB text of the local time that a moment shows."""
    if moment.type.name != "timestamp with time zone":
        return moment.sql
    return f"timezone({zone_of(moment, what)}, {moment.sql})"
