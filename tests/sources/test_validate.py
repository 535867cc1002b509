"""`validate` with the URL of a real database: both hops, and what each says."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import datalake_kit as dk
from datalake_kit.cdc import validate
from tests.services import PASSWORD
from tests.sources.conftest import Database

pytestmark = pytest.mark.external

MOMENT = dt.datetime(2021, 1, 1, 8, 30)
ROWS = 500


def trip(key: int, fare: float, flag: str | None = "N") -> dict[str, Any]:
    return {"PK_ID": key, "PICKUP": MOMENT + dt.timedelta(seconds=key), "FARE": fare, "FLAG": flag}


def write(rows: list[dict[str, Any]], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), file)


@pytest.fixture
def folder(tmp_path: Path, fresh: Database) -> Path:
    """Full load, one change file, a lake that holds what they lead to, and a source that holds it too."""
    loaded = [trip(k, k / 4, None if k % 7 == 0 else "N") for k in range(1, ROWS + 1)]
    staging = tmp_path / "_raw" / "staging" / "shop" / "t"
    write([{**r, "CDC_TIMESTAMP_SEQ": ""} for r in loaded], staging / "LOAD00000001.parquet")
    changes = [("U", trip(5, 0.25)), ("D", trip(6, 1.5)), ("I", trip(ROWS + 1, 9.75, ""))]
    sequence = "202101011000000000000000000000000"
    write(
        [{"Op": op, **row, "CDC_TIMESTAMP_SEQ": f"{sequence}{i:02d}"} for i, (op, row) in enumerate(changes)],
        staging / "2021" / "01" / "01" / "20210101-100000000.parquet",
    )
    state = {r["PK_ID"]: {**r, "CDC_TIMESTAMP_SEQ": ""} for r in loaded}
    for i, (op, row) in enumerate(changes):
        state[row["PK_ID"]] = {**row, "CDC_TIMESTAMP_SEQ": f"{sequence}{i:02d}"}
        if op == "D":
            del state[row["PK_ID"]]
    write(list(state.values()), tmp_path / "shop" / "t" / "part.parquet")
    double, schema = ("double precision", "public") if fresh.is_postgresql else ("double", "shop")
    assert schema
    fresh.run(f"CREATE TABLE t (pk_id bigint primary key, pickup timestamp null, fare {double}, flag varchar(9))")
    fresh.insert("t", [tuple(r[c] for c in ("PK_ID", "PICKUP", "FARE", "FLAG")) for r in state.values()])
    return tmp_path


def checked(folder: Path, database: Database, **options: Any) -> Any:
    table = "public.t" if database.is_postgresql else "shop.t"
    source = {"shop.t": (database.service.url, table)}
    with dk.connect(folder) as lake:
        return validate(lake, ["shop.t"], source=source, keys="PK_ID", level="values", **options)


def test_source_files_and_lake_agree(folder: Path, fresh: Database) -> None:
    check = checked(folder, fresh)
    assert check.ok, check.findings
    assert int(check.summary.loc[0, "source"]) == ROWS
    for text in (check.to_html(), check.to_markdown(), str(check.to_dict()), repr(check)):
        assert PASSWORD not in text
        assert "s3cret" not in text


def test_what_the_source_holds_and_the_files_do_not(folder: Path, fresh: Database) -> None:
    fresh.run(
        "UPDATE t SET fare = 99.5 WHERE pk_id = 40",
        "DELETE FROM t WHERE pk_id = 41",
        "UPDATE t SET flag = '' WHERE pk_id = 49",
    )
    fresh.run(f"INSERT INTO t VALUES ({ROWS + 2}, NULL, 1, NULL)")
    check = checked(folder, fresh)
    found = check.findings[check.findings["hop"].str.contains("source")]
    kinds = {(str(k), kind, column) for k, kind, column in found[["key", "kind", "column"]].itertuples(index=False)}
    assert {(k, kind) for k, kind, _ in kinds} == {
        ("40", "changed"), ("41", "extra"), ("49", "changed"), (str(ROWS + 2), "missing"),
    }  # fmt: skip
    assert {str(c).lower() for _, kind, c in kinds if kind == "changed"} == {"fare", "flag"}
    assert not check.ok


def test_a_source_that_cannot_be_reached_is_not_compared(folder: Path, fresh: Database) -> None:
    fresh.run("ALTER TABLE t RENAME TO elsewhere")
    check = checked(folder, fresh)
    fresh.run("ALTER TABLE elsewhere RENAME TO t")
    assert check.status == "not compared"
    assert "no table" in check.summary.loc[0, "explanation"]
