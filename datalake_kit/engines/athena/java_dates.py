"""Date formats of Java, such as yyyy/MM/dd, as partition projection has them."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Sequence

__all__ = ["JavaFormat", "months_apart", "moved"]

_LETTERS = {"y": "year", "u": "year", "M": "month", "d": "day", "H": "hour", "m": "minute", "s": "second", "S": "part"}
_ORDER = ("year", "month", "day", "hour", "minute", "second", "part")
_UNITS = {"year": "YEARS", "month": "MONTHS", "day": "DAYS", "hour": "HOURS", "minute": "MINUTES", "second": "SECONDS"}
_MONTH_NAMES = [m[:3].lower() for m in calendar.month_name]
_TOKEN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|([^A-Za-z'])")


class JavaFormat:
    """A format: how its texts look, and the moment that a text means. ValueError for a letter that is not known.

    >>> JavaFormat("yyyy/MM/dd").read("2026/03/01")
    datetime.datetime(2026, 3, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """

    def __init__(self, text: str) -> None:
        self.text = text
        pieces: list[str] = []
        self._fields: list[str] = []
        position = 0
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                raise ValueError(f"the format {text!r} has a quotation mark without its other")
            pieces.append(self._piece(found))
            position = found.end()
        self.pattern = "".join(pieces)
        self._shape = re.compile("".join(f"({p})" if p in _DIGITS else p for p in pieces))

    @property
    def unit(self) -> str:
        """The step of a range without one: a day or a month; empty where the format is finer, as in Athena."""
        finest = max(self._fields, key=_ORDER.index, default="")
        return _UNITS[finest] if finest in ("year", "month", "day") else ""

    def read(self, text: str) -> dt.datetime | None:
        """Return the moment that a text means; None where it is none of this format."""
        found = self._shape.fullmatch(text)
        if found is None:
            return None
        values = {"year": 1970, "month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0, "part": 0}
        try:
            for name, part in zip(self._fields, found.groups(), strict=True):
                values[name] = _number(name, part)
            return _moment([values[n] for n in _ORDER])
        except ValueError:
            return None

    def cut(self, moment: dt.datetime) -> dt.datetime:
        """Return the beginning of what the format tells of a moment: its day, hour and so on."""
        finest = max((_ORDER.index(f) for f in self._fields), default=0)
        first = (1970, 1, 1, 0, 0, 0, 0)
        known = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second, moment.microsecond)
        return _moment([*known[: finest + 1], *first[finest + 1 :]])

    def _piece(self, found: re.Match[str]) -> str:
        letters = found.group()
        if letters == "''":
            return re.escape("'")
        if found[1] is not None:
            return re.escape(found[1].replace("''", "'"))
        if found[3] is not None:
            return re.escape(found[3])
        name = _LETTERS.get(letters[0])
        if name is None:
            raise ValueError(f"the letter {letters[0]!r} of the format {self.text!r} is not known here")
        self._fields.append(name)
        if name == "month" and len(letters) == 3:
            return _NAME
        if name == "year":
            return _DIGITS[0] if len(letters) != 2 else _DIGITS[1]
        if name == "part":
            return _DIGITS[3]
        return _DIGITS[1] if len(letters) == 2 else _DIGITS[2]


_NAME = "[A-Za-z]{3}"
_DIGITS = (r"\d{4}", r"\d{2}", r"\d{1,2}", r"\d{1,9}", _NAME)


def _number(name: str, text: str) -> int:
    if name == "month" and not text.isdigit():
        return _MONTH_NAMES.index(text.lower())
    if name == "year" and len(text) == 2:
        return 2000 + int(text)
    return int(text[:6].ljust(6, "0")) if name == "part" else int(text)


def months_apart(one: dt.datetime, other: dt.datetime) -> int:
    """Return how many months lie between the months of two moments."""
    return (other.year - one.year) * 12 + other.month - one.month


def moved(moment: dt.datetime, months: int) -> dt.datetime:
    """Return a moment some months later, on the last day of the month where it has not so many."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def _moment(parts: Sequence[int]) -> dt.datetime:
    year, month, day, hour, minute, second, part = parts
    return dt.datetime(year, month, day, hour, minute, second, part, tzinfo=dt.UTC)
