"""Slots that stand in the files and not in their names: each header is read once, on S3 several at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from datalake_kit.errors import UnreadableFileError
from datalake_kit.irradiance.describing.product import Product
from datalake_kit.irradiance.reading.rejects import DAMAGE, RejectedFileError
from datalake_kit.irradiance.reading.sources import open_source
from datalake_kit.irradiance.reading.times import read_time
from datalake_kit.storage import FoundFile, Place, for_each
from datalake_kit.storage.s3 import ReplacedError

__all__ = ["read_slots"]


def read_slots(found: Sequence[FoundFile], product: Product) -> list[datetime | RejectedFileError]:
    """Return the slot of each file by the time that it states inside, or why there is none.

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


def _read_slot(place: Place, product: Product) -> datetime:
    try:
        with open_source(place) as source:
            inside = source.parse(lambda file: read_time(file, product))
    except FileNotFoundError:
        raise RejectedFileError("gone", "it was listed, and is not there any more") from None
    except ReplacedError as error:
        raise RejectedFileError("replaced", str(error)) from error
    except UnreadableFileError:
        raise  # S3 refuses: no fault of this file
    except DAMAGE as error:
        raise RejectedFileError("unreadable", f"{type(error).__name__}: {error}") from error
    if isinstance(inside, datetime):
        return product.slot_at(inside)
    name = f"variable {product.time_variable}" if product.slot_in == "time" else f"attribute {product.time_attribute}"
    said = f"no {name}, which states the slot" if inside is None else f"the {name} is no time: {inside!r}"
    raise RejectedFileError("missing time", said)
