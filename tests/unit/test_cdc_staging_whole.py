"""Whatever DMS was told to write, and wherever, the verdict on the lake is the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import datalake_kit as dk
from datalake_kit import cdc
from datalake_kit.cdc.settings import DmsSettings
from tests.replication import TRUTH, lake_of, odp_table, staging
from tests.s3 import s3_server, upload, use_s3

WITHHELD, HEALTHY = "damaged/v6_table_1_withheld", "tables/v6_table_10"
NUMBERS = {"withheld": "table_1", "healthy": "table_10"}


def _text(value: Any) -> str:
    if value is None:
        return "NULL"
    text = f"{value:%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else str(value)
    return f'"{text}"' if "," in text else text


def _rows(file: Path, begin: tuple[str, ...] = ()) -> list[str]:
    """The rows of a file as CSV; `begin` stands after the operation."""
    table = pq.read_table(file)
    rows = (list(map(_text, row.values())) for row in table.to_pylist())
    if "Op" not in table.column_names:
        return [",".join(row) for row in rows]
    return [",".join((row[0], *begin, *row[1:])) for row in rows]


def _files(number: str) -> list[Path]:
    return sorted((staging() / "taxi_trips" / number).rglob("*.parquet"))


def _columns() -> DmsSettings:
    names = {n: pq.read_schema(_files(n)[-1]).names for n in NUMBERS.values()}
    return DmsSettings(columns={n: [c for c in columns if c != "Op"] for n, columns in names.items()})


def _csv(folder: Path) -> DmsSettings:
    for number in NUMBERS.values():
        for file in _files(number):
            target = (folder / file.relative_to(staging())).with_suffix(".csv")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text("".join(f"{r}\n" for r in _rows(file)))
    return _columns()


def _with_header(folder: Path) -> DmsSettings:
    for number in NUMBERS.values():
        for file in _files(number):
            target = folder / "deep" / "taxi_trips" / number / f"{file.stem}.csv"
            target.parent.mkdir(parents=True, exist_ok=True)
            header = ",".join(pq.read_schema(file).names)
            target.write_text("".join(f"{r}\n" for r in [header, *_rows(file)]))
    return DmsSettings()


def _transactions(folder: Path) -> DmsSettings:
    """Full loads in Parquet, the changes of both tables together in CSV."""
    changes: dict[str, list[str]] = {}
    for number in NUMBERS.values():
        for file in _files(number):
            if file.stem.startswith("LOAD"):
                target = folder / file.relative_to(staging())
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())
            else:
                changes.setdefault(file.stem[:13], []).extend(_rows(file, (number, "taxi_trips")))
    (folder / "changes").mkdir()
    for time, rows in changes.items():
        name = f"CDC_TXN-{time.replace('-', '')}00000.csv"
        (folder / "changes" / name).write_text("".join(f"{r}\n" for r in rows))
    return _columns()


@pytest.mark.parametrize("write", [_csv, _with_header, _transactions])
def test_the_verdict_is_that_of_parquet(write: Callable[[Path], DmsSettings], tmp_path: Path) -> None:
    how = write(tmp_path / "staging")
    tables = {"withheld": odp_table(WITHHELD), "healthy": odp_table(HEALTHY)}
    lake = dk.connect(lake_of(tmp_path / "lake", tables))
    names = {f"taxi.{name}": number for name, number in NUMBERS.items()}
    check = cdc.validate(lake, names, staging=tmp_path / "staging", settings=how, level="values")
    found = check.summary.set_index("table")
    assert found.loc["taxi.healthy", "verdict"] == "equal", found.loc["taxi.healthy", "explanation"]
    assert found.loc["taxi.withheld", "missing"] == len(TRUTH[f"{WITHHELD}.zip"]["missing"])
    assert int(check.findings["kind"].eq("missing").sum()) == len(check.findings)
    if write is not _transactions:  # there the file that was withheld holds changes of both tables
        assert check.findings["explanation"].str.contains("was never processed").all()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_staging_on_s3_gives_the_same_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server() as endpoint:
        use_s3(monkeypatch, endpoint)
        there = upload(staging() / "taxi_trips" / "table_1", endpoint, "in/taxi_trips/table_1")
        lake = dk.connect(lake_of(tmp_path / "lake", {"table_1": odp_table(WITHHELD)}))
        check = cdc.validate(lake, staging=there.removesuffix("/taxi_trips/table_1"))
    assert len(check.findings) == len(TRUTH[f"{WITHHELD}.zip"]["missing"])
    assert check.findings["explanation"].str.contains("20260301-101207737.parquet was never processed").all()
