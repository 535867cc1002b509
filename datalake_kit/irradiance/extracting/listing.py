"""Lists the files of a product by day, before anything of them is read."""

from __future__ import annotations

import functools
import html
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import PurePosixPath

import pandas as pd

from datalake_kit.errors import ConfigError, DataError
from datalake_kit.irradiance.describing.product import PRODUCTS, Product
from datalake_kit.irradiance.extracting.slots import read_slots
from datalake_kit.irradiance.reading.rejects import RejectedFileError
from datalake_kit.storage import FilesLike, FoundFile, Place, find_files

__all__ = ["FilesLike", "Plan", "Reject", "SourceFile", "list_days", "plan"]

DAYS_SHOWN = 31
_NO_FILE = "no file: it is gone, or a link that leads nowhere, or a device"


@dataclass(frozen=True)
class SourceFile:
    """A file of a product, with what tells whether it has changed: size, and time in ns or on S3 the ETag."""

    path: Place
    slot: datetime
    size: int
    version: int | str


@dataclass(frozen=True)
class Reject:
    """A file that is not used, and why."""

    path: Place
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
        What is known to be no use before anything is read: alien, misplaced and duplicate files, links that lead
        nowhere.
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
        """Return one row a day: files, missing slots, megabytes, and files rejected before they are read."""
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
        why = ", ".join(f"{n} {reason}" for reason, n in sorted(Counter(r.reason for r in self.rejects).items()))
        return [
            ("product", self.product.name),
            ("days", f"{len(self.days)} ({span}), {len(self.days) - len(self.files)} without any file"),
            ("files", f"{len(used)} of {sum(f.size for f in used) / 1e6:.1f} MB together, {every}"),
            ("missing slots", f"{sum(len(self.missing(d)) for d in self.days)} without a file"),
            ("rejected", f"{len(self.rejects)} by their names" + (f" ({why})" if why else "")),
        ]

    def _by_day(self) -> pd.DataFrame:
        """Return the first days of the frame as they are shown."""
        shown = self.frame().head(DAYS_SHOWN)
        return shown.assign(megabytes=shown["megabytes"].map("{:.1f}".format))

    def _more(self) -> str:
        more = len(self.days) - DAYS_SHOWN
        return f"and {more} more days: frame() has them all" if more > 0 else ""

    def __str__(self) -> str:
        facts = "\n".join(f"{name:14} {text}" for name, text in self._facts())
        return f"{facts}\n\n{self._by_day().to_string(index=False)}\n{self._more()}".rstrip()

    def __repr__(self) -> str:
        return f"Plan: {', '.join(f'{name}: {text}' for name, text in self._facts())}"

    def _repr_html_(self) -> str:
        by_day = self._by_day().to_html(index=False, border=0)
        return f"{facts_table(self._facts())}{by_day}{html.escape(self._more())}"


def facts_table(facts: list[tuple[str, str]]) -> str:
    """Return names and texts as an HTML table, escaped."""
    cell = 'style="text-align:left"'
    rows = "".join(f"<tr><th {cell}>{html.escape(n)}</th><td {cell}>{html.escape(t)}</td></tr>" for n, t in facts)
    return f"<table>{rows}</table>"


def plan(files: FilesLike, *, product: Product | None = None) -> Plan:
    """List files by day and say what is missing.

    Nothing is opened, unless the slot of the product stands in the files and not in their names: then the header of
    each is read.

    Parameters
    ----------
    files : folder, glob pattern, file, or sequence of these
        On disk, or on S3: `s3://bucket/folder`, `s3://bucket/folder/2025/06/*/*.nc`. A folder of a sequence on S3 ends
        with a slash. S3 is asked for one listing, page by page, and for no object by itself.
    product : Product, optional
        What the files look like; found from the names when not given.

    Raises
    ------
    DataError
        There is no file, or none whose name is of a known product.
    UnreadableFileError
        A folder cannot be listed; S3 refuses.

    Examples
    --------
    >>> planned = plan("satellite/")             # doctest: +SKIP
    >>> planned.frame()["missing_slots"].sum()   # doctest: +SKIP
    10
    """
    found = find_files(files)
    if not found:
        raise DataError(f"There are no files in {_named(files)}. Give a folder, a pattern or a list of NetCDF files.")
    return list_days(found, product or _product_of(found))


def list_days(found: Sequence[FoundFile], product: Product) -> Plan:
    """Sort the files of a product by day and slot; alien, misplaced and duplicate ones are rejected."""
    taken: dict[datetime, Place] = {}
    days: dict[date, list[SourceFile]] = {}
    folder_day = functools.cache(lambda folder: product.day_folder(PurePosixPath(folder, "file")))
    rejects = []
    ordered = sorted(found, key=lambda f: str(f.place))
    for file, slot in zip(ordered, _slots(ordered, product), strict=True):
        folder = folder_day(str(file.place).rpartition("/")[0])
        reject = _reject(file, slot, product, folder) or _duplicate(file, slot, taken)
        if reject:
            rejects.append(reject)
        elif isinstance(slot, datetime) and file.version is not None:
            taken[slot] = file.place
            days.setdefault(slot.date(), []).append(SourceFile(file.place, slot, file.size, file.version))
    by_slot = {day: tuple(sorted(days[day], key=lambda f: f.slot)) for day in sorted(days)}
    return Plan(product, _step(sorted(taken), product), by_slot, tuple(rejects))


def _slots(found: Sequence[FoundFile], product: Product) -> list[datetime | RejectedFileError | None]:
    """Return the slot of each file, by its name or from inside, or why there is none; None: of another product."""
    if product.slot_in == "name":
        return [product.slot(f.place.name) for f in found]
    named = re.compile(product.pattern).fullmatch
    slots = iter(read_slots([f for f in found if named(f.place.name) and f.version is not None], product))
    gone = RejectedFileError("unreadable", _NO_FILE)
    return [(gone if f.version is None else next(slots)) if named(f.place.name) else None for f in found]


def _reject(
    file: FoundFile, slot: datetime | RejectedFileError | None, product: Product, folder: date | None
) -> Reject | None:
    path = file.place
    if slot is None:
        return Reject(path, None, "alien", f"the name is not one of {product.name}")
    if isinstance(slot, RejectedFileError):
        return Reject(path, None, slot.reason, slot.detail)
    if file.version is None:
        return Reject(path, slot.date(), "unreadable", _NO_FILE)
    if folder is not None and folder != slot.date():
        said = f"its {product.slot_in} says {slot.date()}"
        return Reject(path, slot.date(), "misplaced", f"it lies in the folder of {folder}, {said}")
    return None


def _duplicate(
    file: FoundFile, slot: datetime | RejectedFileError | None, taken: dict[datetime, Place]
) -> Reject | None:
    if not isinstance(slot, datetime) or slot not in taken:
        return None
    return Reject(file.place, slot.date(), "duplicate", f"the same slot as {taken[slot]}")


def _named(files: FilesLike) -> str:
    return str(files) if isinstance(files, str) or not isinstance(files, Iterable) else "the list"


def _product_of(found: Sequence[FoundFile]) -> Product:
    """Return the product of which the names are; every file is looked at, so that a mixture is seen."""
    named = [(p.name, re.compile(p.pattern)) for p in PRODUCTS]
    counts = Counter(name for file in found for name, pattern in named if pattern.fullmatch(file.place.name))
    if not counts:
        raise DataError(
            f"None of the {len(found)} files has a name of a known product ({', '.join(p.name for p in PRODUCTS)}); "
            f"the first is {found[0].place.name}. Give product=, a description of yours."
        )
    if len(counts) > 1:
        raise ConfigError(f"The files are of several products: {', '.join(counts)}. Give product=, one of them.")
    name = next(iter(counts))
    return next(p for p in PRODUCTS if p.name == name)


def _step(slots: list[datetime], product: Product) -> timedelta:
    """Return the most frequent time between two slots; the product's own when there are too few to tell."""
    between = Counter(b - a for a, b in itertools.pairwise(slots))
    if not between:
        return product.step
    step, count = between.most_common(1)[0]
    whole = timedelta(days=1) % step == timedelta(0)
    return step if whole and count * 2 >= len(slots) - 1 else product.step
