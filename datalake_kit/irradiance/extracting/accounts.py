"""What a table knows of the files that it does not hold: rejects with their reasons, and slots that are missing."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pandas as pd

from datalake_kit.errors import DataError
from datalake_kit.irradiance.extracting.listing import Plan
from datalake_kit.irradiance.stored import daily
from datalake_kit.storage import Place, list_files, open_parquet, place, write_atomically

__all__ = ["missing_slots", "rejects", "write_aliens"]

ALIENS, DATA = "_alien.json", "points.parquet"


def rejects(table: str | Place) -> pd.DataFrame:
    """Return the files that were not used for a table, with the reason.

    Parameters
    ----------
    table : folder
        The table that `extract` wrote.

    Returns
    -------
    DataFrame
        file (its name), day (None for files whose name states none), reason, detail. They come from the manifests of
        the days; files whose names are not of the product belong to no day: those of the last run are given.

    Raises
    ------
    DataError
        There is no such table.

    Examples
    --------
    >>> from datalake_kit import irradiance
    >>> irradiance.rejects("lake/irradiance/plants")["reason"].value_counts()    # doctest: +SKIP
    cut short    3
    """
    folder = place(table)
    found: list[tuple[str, date | None, str, str]] = []
    for manifest in _manifests(folder).values():
        found += [(name, date.fromisoformat(manifest.day), why, detail) for name, why, detail in manifest.rejects]
    found += [(name, None, why, detail) for name, why, detail in _read_aliens(folder)]
    return pd.DataFrame(found, columns=["file", "day", "reason", "detail"])


def missing_slots(table: str | Place) -> pd.DataFrame:
    """Return the slots without a value between the first and the last day of a table.

    Parameters
    ----------
    table : folder
        The table that `extract` wrote.

    Returns
    -------
    DataFrame
        time (start of the slot, UTC), and why: "no file", "rejected" where files of that day were rejected (as many of
        the day's missing slots as there are such files may be theirs), "no day" where the table has no such day.

    Raises
    ------
    DataError
        There is no such table.

    Examples
    --------
    >>> from datalake_kit import irradiance
    >>> len(irradiance.missing_slots("lake/irradiance/plants"))    # doctest: +SKIP
    10
    """
    folder = place(table)
    manifests = _manifests(folder)
    step = pd.Timedelta(seconds=int(daily.read_table_info(folder)["step_seconds"]))
    parts = [pd.DataFrame({"time": pd.DatetimeIndex([], tz="UTC"), "why": pd.Series([], dtype=object)})]
    first, last = min(manifests), max(manifests)
    for day in (first + timedelta(days=i) for i in range((last - first).days + 1)):
        slots = pd.date_range(pd.Timestamp(day), periods=int(pd.Timedelta(days=1) / step), freq=step)
        absent = slots if day not in manifests else slots.difference(_slots_of(folder, day))
        parts.append(pd.DataFrame({"time": absent.tz_localize("UTC"), "why": _why(manifests.get(day))}))
    return pd.concat([p for p in parts if len(p)] or parts, ignore_index=True)


def write_aliens(table: Place, planned: Plan) -> None:
    """Keep the files of this run that belong to no day."""
    found = [[r.path.name, r.reason, r.detail] for r in planned.rejects if r.day is None]
    if sorted(found) != sorted(_read_aliens(table)):
        with write_atomically(table / ALIENS) as temporary:
            temporary.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")


def _read_aliens(table: Place) -> list[list[str]]:
    try:
        found: list[list[str]] = json.loads((table / ALIENS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return found


def _manifests(table: Place) -> dict[date, daily.DayManifest]:
    days = sorted({date.fromisoformat(f.parent.name[len("date=") :]) for f in list_files(table) if _is_day(f)})
    found = {day: daily.finished_manifest(table, day) for day in days}
    manifests = {day: manifest for day, manifest in found.items() if manifest is not None}
    if not manifests:
        raise DataError(f"There is no table of points with a finished day in {table}. Give the folder of `extract`.")
    return manifests


def _is_day(file: Place) -> bool:
    return file.name == DATA and file.parent.name.startswith("date=")


def _slots_of(table: Place, day: date) -> pd.DatetimeIndex:
    """Return the slots of a day: every point has all of them, and the first row group holds the first point."""
    with open_parquet(daily.day_folder(table, day) / DATA) as opened:
        rows = opened.read(columns=["time"]) if opened.num_row_groups < 2 else opened.read_row_group(0, ["time"])
    return pd.DatetimeIndex(rows.column(0).unique().to_pandas())


def _why(manifest: daily.DayManifest | None) -> str:
    if manifest is None:
        return "no day"
    return "rejected" if manifest.rejects else "no file"
