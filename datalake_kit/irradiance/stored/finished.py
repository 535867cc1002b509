"""The finished days of a table, and which of them another table has been made from already."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq

from datalake_kit.errors import ConfigError, DataError
from datalake_kit.irradiance.stored.daily import inspect_day
from datalake_kit.irradiance.stored.names import DATA, DAYS, day_folder, find_files, layout_of
from datalake_kit.irradiance.stored.writing import IDS
from datalake_kit.storage import Place, fingerprint, for_each, local_copy, open_parquet

__all__ = ["Known", "StoredDay", "check_places", "check_vanished", "finished_days", "ids_of", "local_files"]

Known = Mapping[date, tuple[str, str]]  # fingerprint and identity of a day as they were


@dataclass(frozen=True)
class StoredDay:
    """A finished day: the digest of its manifest, and what changes when its files are replaced."""

    day: date
    file: Place
    fingerprint: str
    identity: str
    footer: pq.FileMetaData | None = None  # where it was opened


def finished_days(table: Place, known: Known | None = None) -> dict[date, StoredDay]:
    """Return the days of a table in order; those whose files are as `known` says are not opened.

    Raises
    ------
    DataError
        There are no days, or days whose manifest does not fit their file; they are listed.
    """
    found = {date.fromisoformat(value): files for value, files in find_files(table, DAYS).items()}
    if not found:
        raise DataError(f"{table} holds no days of points (date=YYYY-MM-DD/{DATA}). Give the table that extract wrote.")
    known, identities = known or {}, {day: _identity(files) for day, files in found.items()}
    asked = [day for day in found if day not in known or known[day][1] != identities[day]]
    opened = {day: stated for day, stated in zip(asked, _inspect(table, asked), strict=True) if stated is not None}
    unfit = [str(day) for day in asked if day not in opened]
    if unfit:
        raise DataError(
            f"{len(unfit)} days of {table} are not finished, their manifest does not fit their file: "
            f"{', '.join(unfit[:10])}. Extract them again."
        )
    stated = {day: (k[0], None) for day, k in known.items()} | opened
    return {
        day: StoredDay(day, files[-1], stated[day][0], identities[day], stated[day][1]) for day, files in found.items()
    }


def ids_of(days: Iterable[StoredDay]) -> set[str]:
    """Return the ids of the points in these days; of days that say they hold the same points one is read."""
    distinct: dict[bytes, Place] = {}
    for day in days:
        stated = (day.footer.metadata or {}).get(IDS) if day.footer is not None else None
        distinct[stated or str(day.file).encode()] = day.file
    return set().union(*for_each(_read_ids, list(distinct.values())))


def _read_ids(file: Place) -> set[str]:
    with open_parquet(file) as opened:
        if "point_id" not in opened.schema_arrow.names:
            raise DataError(f"{file} is no file of points: it has no point_id. Extract the day again.")
        return set(opened.read(columns=["point_id"]).column(0).drop_null().unique().to_pylist())


def check_vanished(vanished: set[date], action: str, table: Place) -> None:
    """Raise when days that `table` holds are gone from the source and nothing was said of that."""
    if action not in ("raise", "keep", "drop"):
        raise ConfigError(f"on_vanished is one of raise, keep, drop, not {action!r}.")
    if vanished and action == "raise":
        named = ", ".join(str(d) for d in sorted(vanished)[:10])
        raise DataError(
            f"{table} holds {len(vanished)} days that are gone from the days it was made from: {named}. "
            'Give on_vanished="keep" to leave them there, or "drop" to remove them.'
        )


def check_places(source: Place, target: Place, layout: str) -> None:
    """Raise unless `source` holds days, and `target` nothing but files of its own layout."""
    if layout_of(source) != DAYS:
        raise DataError(
            f"{source} holds no days of points (date=YYYY-MM-DD/{DATA}). Give the table that extract wrote."
        )
    other = layout_of(target)
    if target == source or other not in (None, layout):
        raise ConfigError(f"{target} holds a table of another layout ({other}=). Give another folder for out.")


@contextmanager
def local_files(files: Mapping[date, Place]) -> Iterator[dict[date, Path]]:
    """Give files as local ones; those on S3 are copied for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="datalake-kit-") as folder:
        places = {place: day for day, place in files.items()}
        copies = for_each(lambda file: local_copy(file, Path(folder) / f"{places[file]}"), list(places))
        yield dict(zip(places.values(), copies, strict=True))


def _identity(files: list[Place]) -> str:
    return ";".join(f"{f.name[0]}{'-'.join(map(str, fingerprint(f)))}" for f in files)


def _inspect(table: Place, days: list[date]) -> list[tuple[str, pq.FileMetaData | None] | None]:
    """Return the digest of each day's manifest and the footer of its file; None where they do not fit."""
    folders = {day_folder(table, day): day for day in days}

    def ask(folder: Place) -> tuple[str, pq.FileMetaData | None] | None:
        manifest, footer = inspect_day(table, folders[folder])
        return None if manifest is None else (manifest.fingerprint, footer)

    return for_each(ask, list(folders))
