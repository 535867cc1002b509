"""The real Hudi tables and DMS files of tests/data, unpacked once a run, and the truth that Hudi's own reader told."""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa

DATA = Path(__file__).parent / "data"
TRUTH: dict[str, Any] = json.loads((DATA / "odp" / "truth.json").read_text(encoding="utf-8"))
UNREADABLE = sorted(z for z in TRUTH if "base_deleted" in z or "truncated" in z)
READABLE = sorted(z for z in TRUTH if z not in UNREADABLE)
PUBLIC_ROWS = {
    "cow/v6_nonpartitioned": 4,
    "cow/v6_complexkeygen_hivestyle": 4,
    "cow/v6_simplekeygen_nonhivestyle": 4,
    "cow/v6_simplekeygen_nonhivestyle_overwritetable": 1,
    "cow/v6_empty": 0,
    "cow/v8_nonpartitioned": 4,
    "cow/v9_txns_simple_nometa": 12,
    "cow/v9_txns_nonpart_meta": 14,
    "cow/v9_timebasedkeygen_nonhivestyle": 5,
    "mor/v6_trips_8i1u": 8,
    "mor/v8_trips_8i3u1d": 6,
    "mor/v6_nonpartitioned_rollback": 3,
    "mor/v9_txns_simple_nometa": 12,
}


@functools.cache
def _scratch() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="datalake-kit-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@functools.cache
def _unpacked(archive: Path) -> Path:
    target = _scratch() / archive.parent.name / archive.stem
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(target)
    return target


def odp_table(name: str) -> Path:
    """A table of tests/data/odp such as "tables/v6_table_1"; read it, do not change it."""
    folder = _unpacked(DATA / "odp" / f"{name.removesuffix('.zip')}.zip")
    return next(p for p in folder.iterdir() if (p / ".hoodie").is_dir())


def public_table(name: str) -> Path:
    """A table of tests/data/hudi such as "cow/v6_empty"; read it, do not change it."""
    folder = _unpacked(DATA / "hudi" / f"{name}.zip")
    return next(p for p in folder.iterdir() if (p / ".hoodie").is_dir())


@functools.cache
def staging() -> Path:
    """All DMS files: taxi_trips/table_N/...; read them, do not change them."""
    target = _scratch() / "staging"
    for archive in sorted((DATA / "odp" / "staging").glob("*.zip")):
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(target)
    return target


def digest(table: pa.Table) -> str:
    """The digest of MANIFEST.md: key, total and sequence of every row."""
    columns = (table.column(c).to_pylist() for c in ("PK_ID", "TOTAL_AMOUNT", "CDC_TIMESTAMP_SEQ"))
    lines = (f"{k}|{'' if a is None else format(a, '.2f')}|{s or ''}" for k, a, s in zip(*columns, strict=True))
    return hashlib.md5("\n".join(sorted(lines)).encode()).hexdigest()


def lake_of(folder: Path, tables: dict[str, Path], *, staged: dict[str, str] | None = None) -> Path:
    """Build a lake folder: database taxi with copies of the tables, and their staging tables under the same names.

    `staged` maps a table of the lake to the number of the staging table behind it.
    """
    for name, source in tables.items():
        shutil.copytree(source, folder / "taxi" / name)
    for name, number in (staged or {}).items():
        shutil.copytree(staging() / "taxi_trips" / number, folder / "_raw" / "staging" / "taxi_trips" / name)
    return folder
