"""The result of an extraction: what was read, what was not, and that it adds up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

import pandas as pd

from datalake_kit.irradiance.extracting.listing import Plan, facts_table
from datalake_kit.irradiance.stored.daily import DayManifest
from datalake_kit.storage import Place

__all__ = ["Extraction"]


@dataclass(frozen=True)
class Extraction:
    """What an extraction did.

    Attributes
    ----------
    product : str
    table : Path or S3Path
        The folder of the table.
    points : DataFrame
        point_id, latitude, longitude, row, column, cell_latitude, cell_longitude, distance_km.
    days : tuple of date
        Days with files; those in `days_kept` were finished before and not read again.
    days_kept : tuple of date
    files_seen, files_used : int
        `files_seen == files_used + len(rejects)` always.
    rejects : DataFrame
        file, day, reason, detail.
    missing : DataFrame
        time (UTC) and why: "no file", or "rejected".
    rows : int
        Rows in the table for these days.
    masked_point_days : int
        Days x points without any value, as for cells that are sea.
    source_bytes, written_bytes : int
        Bytes of the files used, and of the Parquet files written now.
    readers : dict
        Files by reader: "chunks" is the fast way, "netCDF4" the general one.
    fallbacks : tuple of str
        Why netCDF4 was needed.
    step_seconds : int
    workers : str
        Who read the days: "1 process, 2 threads", "2 processes", the class of the executor; and why, where it is not
        what was wanted.
    seconds : float
        How long it took, with listing and writing.
    files_read, bytes_read : int
        What was read now, used or not; days that were kept are not in it.
    """

    product: str
    table: Place
    points: pd.DataFrame = field(repr=False, compare=False)
    days: tuple[date, ...]
    days_kept: tuple[date, ...]
    files_seen: int
    files_used: int
    rejects: pd.DataFrame = field(repr=False, compare=False)
    missing: pd.DataFrame = field(repr=False, compare=False)
    rows: int
    masked_point_days: int
    source_bytes: int
    written_bytes: int
    readers: dict[str, int]
    fallbacks: tuple[str, ...]
    step_seconds: int
    workers: str = field(compare=False)
    seconds: float = field(compare=False)
    files_read: int = field(compare=False)
    bytes_read: int = field(compare=False)

    @property
    def adds_up(self) -> bool:
        """Every file that was seen was used or rejected."""
        return self.files_seen == self.files_used + len(self.rejects)

    def _facts(self) -> list[tuple[str, str]]:
        span = f"{self.days[0]} to {self.days[-1]}" if self.days else "none"
        readers = ", ".join(f"{n} by {name}" for name, n in sorted(self.readers.items())) or "none"
        far = self.points["distance_km"].max()
        return [
            ("product", self.product),
            ("points", f"{len(self.points)}, at most {far:.1f} km from the centre of their cell"),
            ("days", f"{len(self.days)} ({span}), of which {len(self.days_kept)} were finished before"),
            ("files", f"{self.files_seen} seen = {self.files_used} used + {len(self.rejects)} rejected"),
            ("rejected", _counted(self.rejects["reason"])),
            (
                "missing slots",
                f"{len(self.missing)} of {self.step_seconds / 60:g} min ({_counted(self.missing['why'])})",
            ),
            ("readers", readers + (f" ({'; '.join(self.fallbacks)})" if self.fallbacks else "")),
            ("rows", f"{self.rows:,}"),
            ("bytes", f"{self.source_bytes / 1e6:.1f} MB of files, {self.written_bytes / 1e3:.0f} kB written now"),
            ("read now", self._speed()),
            ("table", str(self.table)),
        ]

    def _speed(self) -> str:
        if not self.files_read:
            return "nothing: every day was finished"
        seconds = max(self.seconds, 1e-6)
        return (
            f"{self.files_read} files in {self.seconds:.1f} s: {self.files_read / seconds:.0f} files/s, "
            f"{self.bytes_read / 1e6 / seconds:.1f} MB/s, by {self.workers}"
        )

    def __str__(self) -> str:
        return "\n".join(f"{name:14} {text}" for name, text in self._facts())

    def __repr__(self) -> str:
        points = f"{len(self.points)} point{'s' if len(self.points) != 1 else ''}"
        return (
            f"Extraction: {self.product}, {points}, {len(self.days)} days "
            f"({len(self.days) - len(self.days_kept)} read, {len(self.days_kept)} kept), "
            f"{self.files_seen} files seen = {self.files_used} used + {len(self.rejects)} rejected, "
            f"{len(self.missing)} slots missing, {self.rows:,} rows"
        )

    def _repr_html_(self) -> str:
        return facts_table(self._facts())


def _counted(values: pd.Series) -> str:
    """Return how often each value occurs, the most frequent first."""
    return ", ".join(f"{count} {value}" for value, count in values.value_counts().items()) or "none"


def summarise(
    planned: Plan,
    table: Place,
    points: pd.DataFrame,
    *,
    kept: dict[date, DayManifest],
    done: dict[date, tuple[DayManifest, int]],
    workers: str,
    seconds: float,
) -> Extraction:
    """Put the manifests of all days together."""
    manifests = kept | {day: manifest for day, (manifest, _) in done.items()}
    rejects = _rejects(planned, manifests)
    readers: Counter[str] = Counter()
    for manifest in manifests.values():
        readers.update(dict(manifest.readers))
    return Extraction(
        product=planned.product.name,
        table=table,
        points=points,
        days=tuple(planned.files),
        days_kept=tuple(sorted(kept)),
        files_seen=planned.files_seen,
        files_used=sum(readers.values()),
        rejects=rejects,
        missing=_missing(planned, rejects),
        rows=sum(m.rows for m in manifests.values()),
        masked_point_days=sum(m.masked for m in manifests.values()),
        source_bytes=sum(m.source_bytes for m in manifests.values()),
        written_bytes=sum(size for _, size in done.values()),
        readers=dict(readers),
        fallbacks=tuple(sorted({f for m in manifests.values() for f in m.fallbacks})),
        step_seconds=int(planned.step.total_seconds()),
        workers=workers,
        seconds=seconds,
        files_read=sum(len(planned.files[day]) for day in done),
        bytes_read=sum(f.size for day in done for f in planned.files[day]),
    )


def _rejects(planned: Plan, manifests: dict[date, DayManifest]) -> pd.DataFrame:
    rows = [(str(r.path), r.day, r.reason, r.detail) for r in planned.rejects]
    for day, manifest in manifests.items():
        paths = {f.path.name: f.path for f in planned.files[day]}
        by_name = {(r.path.name, r.reason, r.detail) for r in planned.rejects}
        for name, reason, detail in manifest.rejects:
            if (name, reason, detail) not in by_name:
                rows.append((str(paths[name]), day, reason, detail))
    return pd.DataFrame(rows, columns=["file", "day", "reason", "detail"]).sort_values("file", ignore_index=True)


def _missing(planned: Plan, rejects: pd.DataFrame) -> pd.DataFrame:
    absent = [(slot, "no file") for day in planned.days for slot in planned.missing(day)]
    read = {str(f.path): f.slot for files in planned.files.values() for f in files}
    absent += [(read[name], "rejected") for name in rejects["file"] if name in read]
    frame = pd.DataFrame(absent, columns=["time", "why"])
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    return frame.sort_values("time", ignore_index=True)
