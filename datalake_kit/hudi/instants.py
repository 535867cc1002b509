"""Instants as Hudi writes them (17 digits, yyyyMMddHHmmssSSS) and as people write them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from datalake_kit.errors import HudiError


def to_instant(moment: datetime | date | str) -> str:
    """Turn a moment into the 17 digits of a Hudi instant, in UTC.

    An instant of 14 digits means the end of its second, as Hudi reads it; a date means its first millisecond.

    Raises
    ------
    HudiError
        The text is neither ISO 8601 nor an instant of 14 or 17 digits.

    >>> to_instant("2026-03-01 10:00:00")
    '20260301100000000'
    >>> to_instant("20260301100000")
    '20260301100000999'
    """
    if isinstance(moment, str):
        return _from_text(moment.strip())
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return _digits(moment)


def to_datetime(instant: str | None) -> datetime | None:
    """Turn an instant of 14 or 17 digits into a time in UTC; None for anything else."""
    if not instant or not re.fullmatch(r"\d{14}|\d{17}", instant):
        return None
    try:
        return datetime.strptime(instant.ljust(17, "0") + "000", "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)
    except ValueError:
        return None


def _from_text(text: str) -> str:
    if re.fullmatch(r"\d{17}", text):
        return text
    if re.fullmatch(r"\d{14}", text):
        return text + "999"
    try:
        if text.isdigit():
            raise ValueError
        return _digits(datetime.fromisoformat(text))
    except ValueError:
        raise HudiError(
            f"as_of={text!r} is no moment. Give a datetime, ISO text such as 2026-03-01T10:00:00, or an "
            "instant of 14 or 17 digits."
        ) from None


def _digits(moment: datetime) -> str:
    utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return utc.strftime("%Y%m%d%H%M%S") + f"{utc.microsecond // 1000:03d}"
