"""Values of Athena's results, text without exception, as Arrow arrays.

A column is read as a whole. Where one of its values cannot be read, the error names the column, the row and the value;
nothing is rounded: a time with digits below the microsecond that are not 0 is refused.
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from datalake_kit.engines.athena.types import AthenaType, arrow_type
from datalake_kit.errors import DataError

_MICROSECOND = r"(\.\d{6})0+$"  # digits below it, if they are all 0
_MOMENT = r"^(?P<local>-?\+?\d{4,}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) ?(?P<zone>[A-Za-z+-].*)$"
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)")
_DAYS = re.compile(r"(-?)(\d+) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?")
_MONTHS = re.compile(r"(-?)(\d+)-(\d+)")
_SHOWN = 80
_FIRST_YEAR, _LAST_YEAR = 1901, 2037  # Arrow knows the clock changes between these years only


class _UnreadableError(Exception):
    """A column holds a value that cannot be read, for a reason of its own."""


def read_column(texts: pa.Array, kind: AthenaType, *, column: str, first_row: int = 0) -> pa.Array:
    """Return the values of a column.

    Parameters
    ----------
    texts
        The values as Athena writes them, NULL as null; an empty text is a value.
    kind
        The type of the column; no array, map or row.
    column, first_row
        The column's name and the number of rows before these, for errors.

    Returns
    -------
    pyarrow.Array
        Of the type that `arrow_type` gives.

    Raises
    ------
    DataError
        A value cannot be read exactly; names column, row (from 1 on) and value.

    Examples
    --------
    >>> from datalake_kit.engines.athena.types import parse_type
    >>> read_column(pa.array(["00 ff", "", None]), parse_type("varbinary"), column="b").to_pylist()
    [b'\\x00\\xff', b'', None]
    """
    wanted = arrow_type(kind, column)
    read = _READERS.get(kind.base, _cast)
    try:
        return read(texts, wanted)
    except (pa.ArrowException, _UnreadableError, ValueError, OverflowError) as error:
        raise _named(texts, wanted, read, column, first_row, error) from None


def _named(
    texts: pa.Array, wanted: pa.DataType, read: Reader, column: str, first_row: int, error: Exception
) -> DataError:
    """The error for the first value of a column that cannot be read."""
    low, high = 0, len(texts)
    while high - low > 1:  # the first that fails, by halves
        middle = (low + high) // 2
        if _reads(texts[low:middle], wanted, read) is None:
            low = middle
        else:
            high = middle
    error = _reads(texts[low:high], wanted, read) or error
    value = texts[low].as_py()
    shown = repr(value) if len(str(value)) <= _SHOWN else f"{str(value)[:_SHOWN]!r}... ({len(value)} characters)"
    why = f": {error}" if isinstance(error, _UnreadableError) else ""
    return DataError(
        f"Column {column!r}, row {first_row + low + 1}: {shown} cannot be read as {wanted}{why}. "
        f'Write CAST("{column}" AS VARCHAR) to have it as text.'
    )


def _reads(texts: pa.Array, wanted: pa.DataType, read: Reader) -> Exception | None:
    try:
        read(texts, wanted)
    except (pa.ArrowException, _UnreadableError, ValueError, OverflowError) as error:
        return error
    return None


Reader = Callable[[pa.Array, pa.DataType], pa.Array]


def _cast(texts: pa.Array, wanted: pa.DataType) -> pa.Array:
    return texts.cast(wanted)


def _text(texts: pa.Array, wanted: pa.DataType) -> pa.Array:
    return texts.cast(pa.string()) if texts.type != wanted else texts


def _boolean(texts: pa.Array, wanted: pa.DataType) -> pa.Array:
    found = pc.index_in(texts, pa.array(["false", "true"]))
    if found.null_count != texts.null_count:
        raise _UnreadableError("neither true nor false")
    return found.cast(pa.bool_())


def _whole(texts: pa.Array, wanted: pa.DataType) -> pa.Array:
    _match(texts, r"^-?[0-9]+$", "no whole number")  # Arrow would take 0x10, too
    return texts.cast(wanted)


def _timestamp(texts: pa.Array, wanted: pa.DataType) -> pa.Array:
    return _exact(texts).cast(pa.timestamp("us"))


def _exact(texts: pa.Array) -> pa.Array:
    """Moments without the digits below the microsecond, where these are 0."""
    longest = pc.max(pc.binary_length(texts)).as_py()
    if longest is None or longest <= len("2026-03-29 01:30:00.000000"):
        return texts
    cut = pc.replace_substring_regex(texts, _MICROSECOND, r"\1")
    _match(cut, r"^[^.]*(\.\d{1,6})?$", "it has digits below the microsecond")
    return cut


def _zoned(texts: pa.Array, wanted: pa.DataType) -> pa.Array:
    """Moments of a zone as instants; the hour that a clock passes twice is not known apart from its text."""
    parts = pc.extract_regex(texts, _MOMENT)
    if parts.null_count != texts.null_count:
        raise _UnreadableError("no timestamp with its zone")
    local = _exact(parts.field("local").filter(parts.is_valid())).cast(pa.timestamp("us"))
    zones = parts.field("zone").filter(parts.is_valid()).dictionary_encode()
    found = local
    for code, zone in enumerate(zones.dictionary.to_pylist()):
        here = pc.equal(zones.indices, code)
        moved = _in_zone(local.filter(here), zone)
        found = moved if len(moved) == len(found) else pc.replace_with_mask(found, here, moved)
    instants = found.cast(wanted)
    if not texts.null_count:
        return instants
    places = pc.subtract(pc.cumulative_sum(texts.is_valid().cast(pa.int64())), 1)
    return instants.take(pc.if_else(texts.is_valid(), places, None))


def _in_zone(local: pa.Array, zone: str) -> pa.Array:
    """Local times of one zone, in UTC."""
    if zone in ("UTC", "Z", "GMT", "Etc/UTC"):
        return local
    offset = _OFFSET.fullmatch(zone)
    if offset:
        minutes = (int(offset[2]) * 60 + int(offset[3])) * (-1 if offset[1] == "-" else 1)
        return pc.subtract(local, pa.scalar(minutes * 60_000_000, pa.duration("us")))
    try:
        rules = zoneinfo.ZoneInfo(zone)
        years = pc.year(local)
        if pc.all(pc.and_(pc.greater(years, _FIRST_YEAR), pc.less(years, _LAST_YEAR))).as_py() is False:
            return pa.array([_instant(moment, rules) for moment in local.to_pylist()], local.type)
        return pc.assume_timezone(local, zone).cast(pa.timestamp("us", tz="UTC")).cast(local.type)
    except (zoneinfo.ZoneInfoNotFoundError, pa.ArrowInvalid) as error:
        if "ambiguous" not in str(error):
            raise _UnreadableError(f"there is no such zone as {zone} here, or no such time in it") from None
        raise _UnreadableError(
            f"{zone} has this hour twice, and Athena's text does not say which; take at_timezone(column, 'UTC'), or "
            "unload=True"
        ) from None


def _instant(moment: dt.datetime, rules: zoneinfo.ZoneInfo) -> dt.datetime:
    """The instant of a local time; ArrowInvalid where there is none, or two."""
    first, second = (moment.replace(tzinfo=rules, fold=fold).astimezone(dt.UTC) for fold in (0, 1))
    if first.astimezone(rules).replace(tzinfo=None) != moment:
        raise pa.ArrowInvalid("no such time")
    if first != second:
        raise pa.ArrowInvalid("ambiguous")
    return first.replace(tzinfo=None)


def _time(texts: pa.Array, wanted: pa.DataType) -> pa.Array:
    moments = pc.binary_join_element_wise("1970-01-01", texts, " ")
    return _exact(moments).cast(pa.timestamp("us")).cast(pa.int64()).cast(wanted)


def _binary(texts: pa.Array, wanted: pa.DataType) -> pa.Array:
    return pa.array([None if text is None else bytes.fromhex(text) for text in texts.to_pylist()], wanted)


def _interval(texts: pa.Array, wanted: pa.DataType) -> pa.Array:
    return pa.array([None if text is None else _span(text) for text in texts.to_pylist()], wanted)


def _span(text: str) -> tuple[int, int, int]:
    """Months, days and nanoseconds of `1-2` and `1 02:03:04.500`."""
    found = _MONTHS.fullmatch(text)
    if found:
        return (int(found[2]) * 12 + int(found[3])) * (-1 if found[1] else 1), 0, 0
    found = _DAYS.fullmatch(text)
    if not found:
        raise _UnreadableError("no interval")
    sign = -1 if found[1] else 1
    seconds = int(found[3]) * 3600 + int(found[4]) * 60 + int(found[5])
    return 0, sign * int(found[2]), sign * (seconds * 10**9 + int((found[6] or "0").ljust(9, "0")))


def _nothing(texts: pa.Array, wanted: pa.DataType) -> pa.Array:
    if texts.null_count != len(texts):
        raise _UnreadableError("it should be NULL")
    return pa.nulls(len(texts))


def _match(texts: pa.Array, pattern: str, why: str) -> None:
    if pc.all(pc.match_substring_regex(texts, pattern)).as_py() is False:
        raise _UnreadableError(why)


_READERS: dict[str, Reader] = {
    **dict.fromkeys(("char", "varchar", "string", "json", "uuid", "ipaddress"), _text),
    **dict.fromkeys(("tinyint", "smallint", "integer", "int", "bigint"), _whole),
    **dict.fromkeys(("interval day to second", "interval year to month"), _interval),
    "boolean": _boolean,
    "timestamp": _timestamp,
    "timestamp with time zone": _zoned,
    "time": _time,
    "varbinary": _binary,
    "unknown": _nothing,
}
