"""Slots that stand in the files and not in their names: each header is read once, on S3 several at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

import pandas as pd

from datalake_kit.errors import UnreadableFileError
from datalake_kit.irradiance.describing.product import Product
from datalake_kit.irradiance.reading.rejects import DAMAGE, RejectedFileError
from datalake_kit.irradiance.reading.sources import open_source
from datalake_kit.storage import FoundFile, Place, for_each
from datalake_kit.storage.s3 import ReplacedError

__all__ = ["nearest_slot", "read_slots"]


def read_slots(found: Sequence[FoundFile], product: Product) -> list[datetime | RejectedFileError]:
    """Return the slot of each file by its time attribute, or why there is none.

    Raises
    ------
    UnreadableFileError
        S3 refuses or cannot be reached.
    """
    sizes = {f.place: f.size for f in found}

    def ask(place: Place) -> datetime | RejectedFileError:
        try:
            if not sizes[place]:
                raise RejectedFileError("empty", "the file has 0 bytes")
            return _read_slot(place, product)
        except RejectedFileError as error:
            return error

    return for_each(ask, [f.place for f in found])


def nearest_slot(instant: datetime, step: timedelta) -> datetime:
    """Return the slot of a time: the nearest whole step of its day, for files may state seconds after it.

    >>> nearest_slot(datetime(2025, 6, 18, 12, 15, 9, tzinfo=UTC), timedelta(minutes=15)).isoformat()
    '2025-06-18T12:15:00+00:00'
    """
    start = datetime.combine(instant.date(), time(), UTC)
    return start + round((instant - start) / step) * step


def _read_slot(place: Place, product: Product) -> datetime:
    name = product.time_attribute
    try:
        with open_source(place) as source:
            stated = source.parse(lambda file: file.attrs.get(name))
    except FileNotFoundError:
        raise RejectedFileError("gone", "it was listed, and is not there any more") from None
    except ReplacedError as error:
        raise RejectedFileError("replaced", str(error)) from error
    except UnreadableFileError:
        raise  # S3 refuses: no fault of this file
    except DAMAGE as error:
        raise RejectedFileError("unreadable", f"{type(error).__name__}: {error}") from error
    if stated is None:
        raise RejectedFileError("missing time", f"no attribute {name}, which states the slot")
    text = stated.decode() if isinstance(stated, bytes) else str(stated)
    try:
        instant = pd.Timestamp(text)
        instant = instant.tz_localize("UTC") if instant.tzinfo is None else instant.tz_convert("UTC")
        return nearest_slot(instant.to_pydatetime(warn=False), product.step)
    except (ValueError, TypeError):
        raise RejectedFileError("missing time", f"{name} is no time: {text!r}") from None
