"""Instants as Hudi writes them (17 digits, yyyyMMddHHmmssSSS) and as people write them.

Hudi writes instants in the time of a zone: UTC, or the local time of the machine that wrote the table (LOCAL), of which
the table does not keep the name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from datalake_kit.errors import HudiError, ParameterError

TIMEZONE_PROPERTY = "hoodie.table.timeline.timezone"


@dataclass(frozen=True)
class WriterZone:
    """The zone in which a table's instants are written, and how that is known."""

    zone: tzinfo
    told: str

    def instant(self, moment: datetime | date | str) -> str:
        """Turn a moment into an instant of this zone; see `to_instant`."""
        return to_instant(moment, self.zone)


def writer_zone(given: str | None, declared: str = "") -> WriterZone:
    """Return the zone of a table's instants: the one given, else the one its properties declare, else UTC.

    Raises
    ------
    ParameterError
        The zone given is no zone.

    >>> writer_zone(None, "LOCAL").told
    'UTC (assumed: the table says LOCAL)'
    >>> writer_zone("+02:00").zone.utcoffset(None)
    datetime.timedelta(seconds=7200)
    """
    if given is not None:
        return WriterZone(_zone(given), str(given))
    if declared.strip().upper() == "UTC":
        return WriterZone(UTC, "UTC")
    said = f"the table says {declared.strip()}" if declared.strip() else "the table does not say"
    return WriterZone(UTC, f"UTC (assumed: {said})")


def to_instant(moment: datetime | date | str, zone: tzinfo = UTC) -> str:
    """Turn a moment into the 17 digits of a Hudi instant of a zone.

    A moment without a zone is in UTC; a date means its first millisecond. Digits are an instant already and stay as
    they are; 14 of them mean the end of their second, as Hudi reads it. In the hour that a zone has twice, when its
    summer ends, both moments have the same digits: as in Hudi itself, the digits decide.

    Raises
    ------
    HudiError
        The text is neither ISO 8601 nor an instant of 14 or 17 digits, or its digits are no date and time.
    ParameterError
        Neither a moment nor text.

    >>> to_instant("2026-03-01 10:00:00")
    '20260301100000000'
    >>> to_instant("20260301100000")
    '20260301100000999'
    >>> to_instant("2026-03-01 10:00:00", ZoneInfo("America/Chicago"))
    '20260301040000000'
    """
    if isinstance(moment, str):
        return _from_text(moment.strip(), zone)
    if isinstance(moment, datetime) and moment == moment:  # pandas' NaT is a datetime that equals nothing
        return _digits(moment, zone)
    if isinstance(moment, date) and not isinstance(moment, datetime):
        return _digits(datetime(moment.year, moment.month, moment.day, tzinfo=UTC), zone)
    raise ParameterError(
        f"A moment is a datetime, a date, ISO text such as '2026-03-01T10:00:00' or an instant of 14 or 17 digits as "
        f"text, not {moment!r}."
    )


def to_datetime(instant: str | None, zone: tzinfo = UTC) -> datetime | None:
    """Turn an instant of 14 or 17 digits, written in a zone, into a time in UTC; None for anything else."""
    if not instant or not re.fullmatch(r"[0-9]{14}|[0-9]{17}", instant):
        return None
    try:
        local = datetime.strptime(instant.ljust(17, "0") + "000", "%Y%m%d%H%M%S%f")  # noqa: DTZ007 (given below)
        return local.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(given: str) -> tzinfo:
    text = given.strip() if isinstance(given, str) else ""
    offset = re.fullmatch(r"([+-])([0-9]{2}):?([0-9]{2})", text)
    if offset and int(offset[2]) < 24 and int(offset[3]) < 60:
        hours = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(-hours if offset[1] == "-" else hours)
    if text.upper() in ("UTC", "Z"):
        return UTC
    try:
        return ZoneInfo(text)
    except (ValueError, OSError, LookupError):  # no such zone, a path, a folder of zones
        raise ParameterError(
            f"timezone={given!r} is no time zone. Give a name such as 'Europe/Athens', 'UTC', or an offset '+02:00'."
        ) from None


def _from_text(text: str, zone: tzinfo) -> str:
    if re.fullmatch(r"[0-9]{14}|[0-9]{17}", text):
        if not _is_date(text):
            raise HudiError(
                f"as_of={text!r} is no moment: its digits are no date and time (yyyyMMddHHmmss, then milliseconds). "
                "Give an instant that dk.hudi.timeline lists, or ISO text such as 2026-03-01T10:00:00."
            )
        return text if len(text) == 17 else text + "999"
    try:
        if text.isdigit():
            raise ValueError
        return _digits(datetime.fromisoformat(text), zone)
    except ValueError:
        raise HudiError(
            f"as_of={text!r} is no moment. Give a datetime, ISO text such as 2026-03-01T10:00:00, or an "
            "instant of 14 or 17 digits."
        ) from None


def _is_date(instant: str) -> bool:
    """Whether digits are a date and time; those of what was there before the table begin with 0000."""
    if instant.startswith("0000"):
        return True
    try:
        datetime.strptime(instant[:14], "%Y%m%d%H%M%S")  # noqa: DTZ007 (any zone: it is looked at alone)
    except ValueError:
        return False
    return True


def _digits(moment: datetime, zone: tzinfo) -> str:
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    try:
        local = utc.astimezone(zone)
    except OverflowError:  # the first or last day that Python knows
        local = utc
    return f"{local.year:04d}" + local.strftime("%m%d%H%M%S") + f"{local.microsecond // 1000:03d}"
