"""Lists the files of a product by day, before anything is read."""

from __future__ import annotations

import glob
import html
import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pandas as pd

from datalake_kit.errors import ConfigError, DataError
from datalake_kit.irradiance.describing.product import PRODUCTS, Product
from datalake_kit.storage import list_files, local_path

__all__ = ["FilesLike", "Plan", "Reject", "SourceFile", "list_days", "plan"]

FilesLike = str | Path | Iterable[str | Path]


@dataclass(frozen=True)
class SourceFile:
    """A file of a product, with what tells whether it has changed."""

    path: Path
    slot: datetime
    size: int
    modified_ns: int


@dataclass(frozen=True)
class Reject:
    """A file that is not used, and why."""

    path: Path
    day: date | None
    reason: str
    detail: str


@dataclass(frozen=True)
class Plan:
    """What an extraction would read.

    Attributes
    ----------
    product : Product
    step : timedelta
        The time between two slots, as most of the files have it.
    files : dict of date to tuple of SourceFile
        By day, by slot.
    rejects : tuple of Reject
        What is known to be no use from the names alone: alien, misplaced and duplicate files.
    """

    product: Product
    step: timedelta
    files: dict[date, tuple[SourceFile, ...]]
    rejects: tuple[Reject, ...]

    @property
    def files_seen(self) -> int:
        """Files found, usable or not."""
        return sum(map(len, self.files.values())) + len(self.rejects)

    def missing(self, day: date) -> tuple[datetime, ...]:
        """Return the slots of a day that have no file."""
        start = datetime.combine(day, time(), UTC)
        present = {f.slot for f in self.files.get(day, ())}
        count = int(timedelta(days=1) / self.step)
        return tuple(s for s in (start + i * self.step for i in range(count)) if s not in present)

    @property
    def days(self) -> tuple[date, ...]:
        """Every day from the first to the last, also those without a file."""
        if not self.files:
            return ()
        first, last = min(self.files), max(self.files)
        return tuple(first + timedelta(days=i) for i in range((last - first).days + 1))

    def frame(self) -> pd.DataFrame:
        """Return one row a day: files, missing slots, megabytes, and files rejected by their names."""
        rejected = Counter(r.day for r in self.rejects)
        rows = [
            (
                d,
                len(self.files.get(d, ())),
                len(self.missing(d)),
                sum(f.size for f in self.files.get(d, ())) / 1e6,
                rejected[d],
            )
            for d in self.days
        ]
        return pd.DataFrame(rows, columns=["day", "files", "missing_slots", "megabytes", "rejected_by_name"])

    def _facts(self) -> list[tuple[str, str]]:
        used = [f for files in self.files.values() for f in files]
        span = f"{self.days[0]} to {self.days[-1]}" if self.days else "none"
        every = f"every {self.step / timedelta(minutes=1):g} min"
        return [
            ("product", self.product.name),
            ("days", f"{len(self.days)} ({span})"),
            ("files", f"{len(used)} of {sum(f.size for f in used) / 1e6:.1f} MB together, {every}"),
            ("missing slots", f"{sum(len(self.missing(d)) for d in self.days)} without a file"),
            ("rejected", f"{len(self.rejects)} by their names"),
        ]

    def __str__(self) -> str:
        return "\n".join(f"{name:14} {text}" for name, text in self._facts())

    def __repr__(self) -> str:
        return f"Plan: {', '.join(f'{name}: {text}' for name, text in self._facts())}"

    def _repr_html_(self) -> str:
        return facts_table(self._facts())


def facts_table(facts: list[tuple[str, str]]) -> str:
    """Return names and texts as an HTML table, escaped."""
    cell = 'style="text-align:left"'
    rows = "".join(f"<tr><th {cell}>{html.escape(n)}</th><td {cell}>{html.escape(t)}</td></tr>" for n, t in facts)
    return f"<table>{rows}</table>"


def plan(files: FilesLike, *, product: Product | None = None) -> Plan:
    """List files by day and say what is missing; nothing is opened.

    Parameters
    ----------
    files : folder, glob pattern, file, or sequence of files
    product : Product, optional
        What the names look like; found from the names when not given.

    Raises
    ------
    DataError
        There is no file, or none whose name is of a known product.

    Examples
    --------
    >>> planned = plan("satellite/")             # doctest: +SKIP
    >>> planned.frame()["missing_slots"].sum()   # doctest: +SKIP
    10
    """
    paths = _paths(files)
    if not paths:
        raise DataError(f"There are no files in {files}. Give a folder, a pattern or a list of NetCDF files.")
    return list_days(paths, product or _product_of(paths))


def list_days(paths: Sequence[Path], product: Product) -> Plan:
    """Sort the files of a product by day and slot; alien, misplaced and duplicate ones are rejected."""
    taken: dict[datetime, Path] = {}
    days: dict[date, list[SourceFile]] = {}
    rejects = []
    for path in sorted(paths):
        slot = product.slot(path)
        reject = _reject_by_name(path, slot, product, taken)
        if reject:
            rejects.append(reject)
        elif slot is not None:
            taken[slot] = path
            state = path.stat()
            days.setdefault(slot.date(), []).append(SourceFile(path, slot, state.st_size, state.st_mtime_ns))
    ordered = {day: tuple(sorted(days[day], key=lambda f: f.slot)) for day in sorted(days)}
    return Plan(product, _step(sorted(taken), product), ordered, tuple(rejects))


def _reject_by_name(path: Path, slot: datetime | None, product: Product, taken: dict[datetime, Path]) -> Reject | None:
    if slot is None:
        return Reject(path, None, "alien", f"the name is not one of {product.name}")
    folder = product.day_folder(path)
    if folder is not None and folder != slot.date():
        return Reject(path, slot.date(), "misplaced", f"it lies in the folder of {folder}, its name says {slot.date()}")
    if slot in taken:
        return Reject(path, slot.date(), "duplicate", f"the same slot as {taken[slot]}")
    return None


def _paths(files: FilesLike) -> list[Path]:
    if not isinstance(files, str | Path):
        paths = [local_path(f) for f in files]
        absent = [p for p in paths if not p.is_file()]
        if absent:
            raise DataError(f"{len(absent)} of the files are not there, the first: {absent[0]}.")
        return paths
    place = local_path(files)
    if place.is_dir():
        return list_files(place)
    if place.is_file():
        return [place]
    if any(c in str(files) for c in "*?["):
        # glob and not Path.glob: the pattern may be absolute
        return sorted(Path(p) for p in glob.glob(str(place), recursive=True) if Path(p).is_file())  # noqa: PTH207 - Path.glob takes no absolute pattern
    raise DataError(f"No such folder or file: {place}. Give a folder, a pattern or a list of NetCDF files.")


def _product_of(paths: Sequence[Path]) -> Product:
    found = Counter(p.name for path in paths for p in PRODUCTS if p.slot(path))
    if not found:
        raise DataError(
            f"None of the {len(paths)} files has a name of a known product ({', '.join(p.name for p in PRODUCTS)}); "
            f"the first is {paths[0].name}. Give product=, a description of yours."
        )
    if len(found) > 1:
        raise ConfigError(f"The files are of several products: {', '.join(found)}. Give product=, one of them.")
    name = next(iter(found))
    return next(p for p in PRODUCTS if p.name == name)


def _step(slots: list[datetime], product: Product) -> timedelta:
    """Return the most frequent time between two slots; the product's own when there are too few to tell."""
    between = Counter(b - a for a, b in itertools.pairwise(slots))
    if not between:
        return product.step
    step, count = between.most_common(1)[0]
    whole = timedelta(days=1) % step == timedelta(0)
    return step if whole and count * 2 >= len(slots) - 1 else product.step
