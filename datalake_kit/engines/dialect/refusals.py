"""Refusing what cannot be translated faithfully: the construct, the reason, a portable way to write it."""

from __future__ import annotations

from typing import NoReturn

from datalake_kit.errors import UnsupportedSqlError


def refuse(construct: str, reason: str, instead: str) -> NoReturn:
    """Raise UnsupportedSqlError in the one form that every refusal has.

    >>> refuse("QUALIFY", "Athena has no such clause", "filter in an outer SELECT")
    Traceback (most recent call last):
    ...
    datalake_kit.errors.UnsupportedSqlError: QUALIFY: Athena has no such clause; filter in an outer SELECT
    """
    raise UnsupportedSqlError(f"{construct}: {reason}; {instead}")
