"""The grid of a table: that of most of the files at first, from then on the table's own."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from datalake_kit.errors import DataError, UnreadableFileError
from datalake_kit.irradiance.describing.points import Grid
from datalake_kit.irradiance.describing.product import Product
from datalake_kit.irradiance.extracting.listing import SourceFile
from datalake_kit.irradiance.reading.readers import Header, RejectedFileError, read_header
from datalake_kit.storage.s3 import ReplacedError

__all__ = ["find_header", "state_grid"]

_FEW, _MANY = 3, 25  # headers that are read: when all agree, and when they do not


def state_grid(grid: Grid) -> dict[str, Any]:
    """Return what a table keeps of its grid: a digest of all centres, their numbers, and the outer ones in degrees.

    >>> state_grid(Grid(np.linspace(46, 44, 41), np.linspace(7, 9, 41)))["latitude"]
    [46.0, 44.0]
    """
    axes = [np.ascontiguousarray(a, "<f8") for a in (grid.latitude, grid.longitude)]
    return {
        "digest": hashlib.sha256(b"|".join(a.tobytes() for a in axes)).hexdigest(),
        "shape": [len(a) for a in axes],
        "latitude": [round(float(axes[0][i]), 5) for i in (0, -1)],
        "longitude": [round(float(axes[1][i]), 5) for i in (0, -1)],
    }


def find_header(files: list[SourceFile], product: Product, known: dict[str, Any]) -> Header:
    """Return the header of a file on the grid that counts: the table's (`known`), else the one of most files.

    Three files spread over all are opened, the first alone where it is on the grid of the table. When they agree, that
    is the grid; otherwise it is the one of most of 25, the earliest of them where two have as many. Files on another
    grid are rejected when they are read.

    Raises
    ------
    DataError
        No file can be opened, or none is on the grid of the table.
    UnreadableFileError
        S3 refuses or cannot be reached.
    """
    found = []
    for header in _each_header(_spread(files, _FEW), product):
        if known and state_grid(header.grid)["digest"] == known["digest"]:
            return header
        found.append(header)
    counts = Counter(state_grid(h.grid)["digest"] for h in found)
    if not _decided(counts, known):
        found = list(_each_header(_spread(files, _MANY), product)) or _first_header(files, product)
        counts = Counter(state_grid(h.grid)["digest"] for h in found)
    if not found:
        first = f": the first is {files[0].path}" if files else ""
        raise DataError(f"None of the {len(files)} files can be opened as NetCDF{first}.")
    wanted = known.get("digest") or counts.most_common(1)[0][0]
    for header in found:
        if state_grid(header.grid)["digest"] == wanted:
            return header
    raise DataError(_other_grid(state_grid(found[0].grid), known))


def _decided(counts: Counter[str], known: dict[str, Any]) -> bool:
    return known["digest"] in counts if known else len(counts) == 1


def _each_header(files: list[SourceFile], product: Product) -> Iterator[Header]:
    for file in files:
        try:
            yield read_header(file.path, product)
        except (RejectedFileError, ReplacedError, OSError):
            continue  # it is rejected with its reason when its day is read
        except UnreadableFileError:
            raise
        except DataError:
            continue  # its coordinates are no grid


def _first_header(files: list[SourceFile], product: Product) -> list[Header]:
    """Look at one file after another until one can be opened: most are damaged."""
    return list(itertools.islice(_each_header(files, product), 1))


def _spread(files: list[SourceFile], count: int) -> list[SourceFile]:
    """Return at most so many files, the first and the last and between them, in their order."""
    return [files[i] for i in sorted({round(i) for i in np.linspace(0, len(files) - 1, count)})] if files else []


def _other_grid(found: dict[str, Any], known: dict[str, Any]) -> str:
    said = [
        "{} x {} cells from {:g} to {:g} N, {:g} to {:g} E".format(*g["shape"], *g["latitude"], *g["longitude"])
        for g in (found, known)
    ]
    return (
        f"The files are on another grid than the table: {said[0]}, not {said[1]}. The cells of its points are on its "
        "grid, so these files need a table of their own: give another folder."
    )
