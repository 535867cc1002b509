"""Sequences as text in their order, and where a cut lies among them. Pure text.

DMS writes sequences of 35 digits, whose order is that of text. Whole numbers are not so: 9 comes before 10. Those of up
to 19 digits, stored as numbers or as text, get zeros before them; other sequences stay as they are.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from datalake_kit.errors import ParameterError

_WIDTH = 20
_MOMENT = re.compile(r"(\d{4})-(\d{2})-(\d{2})[ T]\d{2}:\d{2}:\d{2}")


def ordered(sequence: str) -> str:
    """A sequence as text whose order is that of the sequences.

    >>> ordered("9") < ordered("10")
    True
    """
    return sequence.zfill(_WIDTH) if sequence.isdecimal() and len(sequence) < _WIDTH else sequence


def ordered_sql(text: str) -> str:
    """The SQL of the same for a value that is text; NULL is the empty text: a row of the full load has none."""
    short = f"length({text}) BETWEEN 1 AND {_WIDTH - 1} AND regexp_full_match({text}, '[0-9]+')"
    return f"coalesce(CASE WHEN {short} THEN lpad({text}, {_WIDTH}, '0') ELSE {text} END, '')"


def shown(sequence: str) -> str:
    """A sequence as it is stored.

    >>> shown(ordered("10"))
    '10'
    """
    return sequence.lstrip("0") or "0" if _is_padded(sequence) else sequence


def shown_sql(text: str) -> str:
    """The SQL of the same."""
    padded = f"length({text}) = {_WIDTH} AND starts_with({text}, '0')"
    return f"CASE WHEN {padded} THEN coalesce(nullif(ltrim({text}, '0'), ''), '0') ELSE {text} END"


def cut_at(until: str | datetime | date, example: str) -> str:
    """The text that no sequence up to a cut exceeds.

    Parameters
    ----------
    until : str, datetime or date
        A sequence, or a time (UTC; text as ISO 8601 has it). A date is the whole day.
    example : str
        A sequence of the table, ordered; empty where it has none.

    Raises
    ------
    ParameterError
        Neither a sequence like those of the table nor a time, or a time where sequences do not begin with one.

    >>> cut_at("2026-03-01 10:00:00", "20260301" + "0" * 27)[:20]
    '20260301100000000000'
    """
    like = shown(example)
    if isinstance(until, str):
        text = until.strip()
        if not _MOMENT.match(like) and (not like or _is_like(text, like)):
            return ordered(text)
        until = _moment(text, like)
    digits = _digits(until)
    if not like or _begins_with_time(like):
        return ordered((digits + "9" * 15)[: len(like) or 35])
    if _MOMENT.match(like):
        parts = digits[:4], digits[4:6], digits[6:8]
        clock = f"{digits[8:10]}:{digits[10:12]}:{digits[12:14]}.{digits[14:]}"
        return f"{'-'.join(parts)}{like[10]}{clock}"
    raise ParameterError(
        f"until={str(until)!r} is a time, and the sequences of the table, such as {like}, do not begin with one. Give "
        "a sequence."
    )


def _is_padded(sequence: str) -> bool:
    return len(sequence) == _WIDTH and sequence.startswith("0") and sequence.isdecimal()


def _is_like(text: str, like: str) -> bool:
    """Whether text is a sequence like another; whole numbers that are no times may be of any length."""
    counters = max(len(text), len(like)) < _WIDTH and not _begins_with_time(like)
    return text.isdecimal() == like.isdecimal() and (len(text) == len(like) or (text.isdecimal() and counters))


def _moment(text: str, like: str) -> datetime | date:
    try:
        if text.isdecimal():
            raise ValueError
        return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError:
        raise ParameterError(
            f"until={text!r} is neither a time such as 2026-03-01T10:00:00 nor a sequence like those of the table, "
            f"such as {like} ({len(like)} characters)."
        ) from None


def _digits(moment: datetime | date) -> str:
    if not isinstance(moment, datetime):
        return f"{moment.year:04d}{moment:%m%d}235959999999"
    utc = moment.astimezone(UTC) if moment.tzinfo else moment
    return f"{utc.year:04d}{utc:%m%d%H%M%S%f}"


def _begins_with_time(sequence: str) -> bool:
    """Whether a sequence is digits that begin with a time to the second."""
    if len(sequence) < 14 or not sequence.isdecimal():
        return False
    try:
        datetime.strptime(sequence[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


__all__ = ["cut_at", "ordered", "ordered_sql", "shown", "shown_sql"]
