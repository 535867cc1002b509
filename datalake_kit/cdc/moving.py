"""A source that moves: its rows that were changed after the cut are lag, not loss.

The cut is a time or a sequence. A column of the source says when each row was last changed: times (without a zone they
are UTC), dates, or sequences as the staged files have them. A row counts as newer only where that is sure: a sequence
stands for the end of the hundredth of a second that it names, a date for its first moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from datalake_kit.cdc.cuts import cut_at, ordered, ordered_sql, shown
from datalake_kit.cdc.digest.pair import find_name
from datalake_kit.cdc.relation import Part, Relation
from datalake_kit.cdc.workspace import Workspace, text_literal
from datalake_kit.errors import ParameterError

if TYPE_CHECKING:
    from datalake_kit.cdc.canonical import Form
    from datalake_kit.cdc.digest.families import SqlType
    from datalake_kit.cdc.jobs import Job

When = str | datetime | date

AS_IT_IS = (
    "the source is compared as it is now, not at the cut: changed_at= can name its column that says when a row changed"
)
DELETED_LATER = "or deleted in the source after the cut"

_EARLIEST = 1970  # digits that read as an earlier time are some other number
_DIGITS = 14  # of a time to the second


@dataclass(frozen=True)
class Cut:
    """Where the source is cut: a time or a sequence, whence it is known, and whether the source's values are hidden."""

    at: When
    told: str
    hides: bool = False

    @property
    def moment(self) -> datetime | None:
        """Its last moment, in UTC and without a zone; None for a sequence that does not begin with a time."""
        return moment_of(self.at)

    def __str__(self) -> str:
        moment = self.moment
        text = shown(str(self.at)) if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
        return f"{text}, {self.told}"

    def time_for(self, column: str) -> datetime:
        """The time that values of a column of times are held against.

        Raises
        ------
        ParameterError
            The cut is no time.
        """
        if self.moment is None:
            raise ParameterError(
                f"changed_at names {column}, a column of times, and the cut ({self}) is no time. Give until= as a "
                "time, or name the column of the source that holds the sequence."
            )
        return self.moment

    def text_for(self, column: str, example: str) -> str:
        """The ordered text that sequences of a column are held against.

        Raises
        ------
        ParameterError
            They are not sequences like the cut, nor do they begin with a time.
        """
        for at in (self.at, self.moment):
            is_time = not isinstance(at, str)
            if at is None or (is_time and example.isdecimal() and moment_of(example) is None):
                continue
            try:
                return cut_at(at, ordered(example))
            except ParameterError:  # the next may fit
                continue
        such = "" if self.hides else f", such as {example},"
        raise ParameterError(
            f"changed_at names {column}, whose values{such} cannot be compared with the cut ({self}). "
            "Name a column of times, or one that holds the sequence."
        )


def moment_of(at: When) -> datetime | None:
    """The last moment of a time, a date, ISO text or a sequence, in UTC and without a zone; None where it has none.

    >>> moment_of("20260301101207370000000000000000123").isoformat()
    '2026-03-01T10:12:07.379999'
    >>> moment_of("2026-03-01T10:00:00+02:00").isoformat(), moment_of("17")
    ('2026-03-01T08:00:00', None)
    """
    if isinstance(at, datetime):
        return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
    if isinstance(at, date):
        return datetime.combine(at, time.max)
    text = at.strip()
    if text.isdecimal():
        return _of_digits(text)
    try:
        return moment_of(date.fromisoformat(text) if len(text) == len("2026-03-01") else datetime.fromisoformat(text))
    except ValueError:
        return None


def _of_digits(text: str) -> datetime | None:
    """What a sequence does not say of its second counts as its end."""
    try:
        second = datetime.strptime(text[:_DIGITS], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    if len(text) < _DIGITS or second.year < _EARLIEST:
        return None
    fraction = text[_DIGITS:20]
    if len(fraction) == 6 and fraction.endswith("0000"):  # DMS writes hundredths, and a counter after them
        fraction = fraction[:2]
    return second.replace(microsecond=int(fraction.ljust(6, "9")), tzinfo=None)


def _first_moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def named_columns(jobs: Sequence[Job], changed_at: Any) -> None:
    """Find the column of each table's source that says when a row was changed.

    Raises
    ------
    ParameterError
        No name and no mapping of names, or no table has a source.
    ColumnNotFoundError
        A source has no such column; the nearest are named.
    """
    if changed_at is None:
        return
    names = list(changed_at.values()) if isinstance(changed_at, Mapping) else [changed_at]
    for name in names:
        if not isinstance(name, str) or not name:
            raise ParameterError(
                f"changed_at is the name of a column of the source, or a mapping of table to it, not {name!r}."
            )
    if all(job.source is None and not job.problem for job in jobs):
        raise ParameterError(f"changed_at={changed_at!r} names a column of the source. Give source= too.")
    given = {k.casefold(): v for k, v in changed_at.items()} if isinstance(changed_at, Mapping) else None
    for job in jobs:
        name = changed_at if given is None else given.get(job.name.casefold())
        if job.source is not None and name is not None:
            job.changed_at = find_name(name, job.source.columns, f"changed_at: the source {job.source.label}")


# --- rows at hand


@dataclass(frozen=True)
class Stamp:
    """The SQL that says when a row was changed, and the SQL of the cut; later ones are greater."""

    write: Callable[[Part], str]
    limit: str


def stamp_of(work: Workspace, relation: Relation, column: str, cut: Cut) -> Stamp:
    """How a column of rows that are at hand is held against a cut.

    Raises
    ------
    ParameterError
        Its values cannot be compared with the cut.
    """
    form = relation.form(column)
    if form is None or not (form.is_time or _may_be_sequence(form)):
        kinds = " and ".join(sorted({str(kind) for kind in relation.kinds(column) if kind.id != "null"}))
        raise _other_type(column, kinds, cut)
    if form.is_time:
        return Stamp(lambda part: f"CAST({part.column(column)[0]} AS TIMESTAMP)", _literal(cut.time_for(column)))

    def text(part: Part) -> str:
        return ordered_sql(f"CAST({part.column(column)[0]} AS VARCHAR)")

    example = shown(str(work.value(f"SELECT max(x) FROM ({relation.select(lambda p: f'{text(p)} AS x')})") or ""))
    if not example:
        return Stamp(text, "NULL")
    if _first_moment(example) is None or example.isdecimal():
        return Stamp(text, text_literal(cut.text_for(column, example)))

    def read(part: Part) -> str:
        moment = f"TRY_CAST(CAST({part.column(column)[0]} AS VARCHAR) AS TIMESTAMPTZ)"
        return f"TRY_CAST({moment} AS TIMESTAMP)"

    return Stamp(read, _literal(cut.time_for(column)))


def _may_be_sequence(form: Form) -> bool:
    return form.kind in ("text", "whole", "huge", "number text") or (form.kind == "decimal" and not form.scale)


def _literal(moment: datetime) -> str:
    return f"TIMESTAMP '{moment.isoformat(sep=' ', timespec='microseconds')}'"


def _other_type(column: str, written: str, cut: Cut) -> ParameterError:
    return ParameterError(
        f"changed_at names {column}, a column of type {written or 'unknown'}, which cannot be compared with the cut "
        f"({cut}). Name a column of times, or one that holds the sequence."
    )


# --- rows of a database


def later_in(column: str, kind: SqlType, largest: Callable[[], Any], cut: Cut) -> Callable[[Any], bool]:
    """The function that says whether a value of a column of a database is later than the cut.

    Parameters
    ----------
    column : str
    kind : SqlType
        Its type.
    largest : callable
        Gives the largest value of the column; asked only of numbers and text.
    cut : Cut

    Raises
    ------
    ParameterError
        Its values cannot be compared with the cut.
    """
    if kind.kind in ("ts", "tstz", "date"):
        return _later_than(cut.time_for(column))
    if kind.kind not in ("int", "text", "char", "label") and not (kind.kind == "dec" and not kind.digits):
        raise _other_type(column, kind.written, cut)
    example = _plain(largest())
    if not example:
        return lambda value: False
    if _first_moment(example) is None or example.isdecimal():
        limit = cut.text_for(column, example)
        return lambda value: ordered(_plain(value)) > limit
    later = _later_than(cut.time_for(column))
    return lambda value: later(_first_moment(_plain(value)))


def _later_than(limit: datetime) -> Callable[[Any], bool]:
    def later(value: Any) -> bool:
        if isinstance(value, datetime):
            return value > limit
        return isinstance(value, date) and value > limit.date()  # what is neither is a zero date, or infinity

    return later


def _plain(value: Any) -> str:
    text = value.decode() if isinstance(value, (bytes, bytearray)) else "" if value is None else str(value)
    return text.strip()


__all__ = ["AS_IT_IS", "DELETED_LATER", "Cut", "Stamp", "When", "later_in", "moment_of", "named_columns", "stamp_of"]
