"""`validate` with the URL of a real database: both hops, and what each says."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import datalake_kit as dk
from datalake_kit.cdc import validate
from datalake_kit.errors import ColumnNotFoundError
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


@pytest.mark.parametrize("staged", [True, False])
def test_rows_that_the_source_changed_after_the_cut_are_lag(staged: bool, folder: Path, fresh: Database) -> None:
    """The cut is the last sequence, 10:00; PICKUP says when a row changed: key 40 and a new row later, 49 before."""
    if not staged:
        shutil.rmtree(folder / "_raw")
    fresh.run(
        "UPDATE t SET fare = 99.5, pickup = '2021-01-01 10:00:01' WHERE pk_id = 40",
        "UPDATE t SET fare = 98.5, pickup = '2021-01-01 09:59:59' WHERE pk_id = 49",
        f"INSERT INTO t VALUES ({ROWS + 2}, '2021-01-01 10:05:00', 1, NULL)",
        f"INSERT INTO t VALUES ({ROWS + 3}, NULL, 1, NULL)",
        "DELETE FROM t WHERE pk_id = 41",
    )
    check = checked(folder, fresh, changed_at="PICKUP")
    found = {(str(f.key), f.kind): f.explanation for f in check.findings.itertuples()}
    assert set(found) == {("49", "changed"), (str(ROWS + 3), "missing"), ("41", "extra")}
    assert found["41", "extra"].endswith("or deleted in the source after the cut")
    assert check.summary["lag"].item() == 2
    assert "the oldest by its change of 2021-01-01 10:00:01" in check.summary["explanation"].item()
    later = checked(folder, fresh, changed_at="pickup", until=dt.datetime(2021, 1, 1, 10, 0, 1))
    assert later.summary["lag"].item() == 1
    fresh.run("UPDATE t SET fare = 12.25, pickup = '2021-01-01 08:30:49', flag = NULL WHERE pk_id = 49")
    fresh.run(
        f"DELETE FROM t WHERE pk_id = {ROWS + 3}", "INSERT INTO t SELECT 41, pickup, 1, flag FROM t WHERE pk_id = 40"
    )
    late = checked(folder, fresh, changed_at="pickup")
    assert late.ok, late.findings
    assert late.summary["lag"].item() == 3
    assert late.checks["passed"].all()
    assert not checked(folder, fresh).ok


def test_other_columns_that_say_when_a_row_of_a_database_was_changed(folder: Path, fresh: Database) -> None:
    shutil.rmtree(folder / "_raw")
    varying = "timestamp with time zone" if fresh.is_postgresql else "timestamp null"
    fresh.run(
        f"ALTER TABLE t ADD COLUMN d date, ADD COLUMN s varchar(35), ADD COLUMN n bigint, ADD COLUMN z {varying}",
        "UPDATE t SET d = '2021-01-01', s = '20210101095959000000000000000000000', n = 20210101095959, "
        "z = '2021-01-01 09:59:59'",
        "UPDATE t SET fare = 99.5, d = '2021-01-02', s = '20210101100001000000000000000000000', n = 20210101100001, "
        "z = '2021-01-01 10:00:01' WHERE pk_id = 40",
        "UPDATE t SET fare = 98.5 WHERE pk_id = 49",
    )
    for name in ("d", "s", "n", "z"):
        check = checked(folder, fresh, changed_at=name)
        assert (check.summary["lag"].item(), check.summary["changed"].item()) == (1, 1), name
    keys = checked(folder, fresh, changed_at="n", until=dt.datetime(2021, 1, 1, 9))
    assert keys.summary["lag"].item() == 2
    wrong = checked(folder, fresh, changed_at="fare")
    assert wrong.status == "not compared"
    assert "changed_at names fare, a column of type double" in wrong.sentence
    with pytest.raises(ColumnNotFoundError, match="pickup"):
        checked(folder, fresh, changed_at="pick_up")


def test_a_historical_lake_against_the_database_by_its_newest_rows(folder: Path, fresh: Database) -> None:
    file = folder / "shop" / "t" / "part.parquet"
    state = pq.read_table(file).to_pylist()
    sequence = "202101011000000000000000000000000"
    older = [{**trip(5, 77.0), "CDC_TIMESTAMP_SEQ": ""}]
    dead = [{**trip(6, 1.5), "CDC_TIMESTAMP_SEQ": f"{sequence}01"}]
    write([{**r, "OP": "D" if r in dead else "U"} for r in (*older, *dead, *state)], file)
    shutil.rmtree(folder / "_raw")
    check = checked(folder, fresh, mode="H")
    assert check.ok, check.findings
    at_cut = checked(folder, fresh, mode="H", until=dt.datetime(2021, 1, 1, 9))
    assert {(str(f.key), f.kind) for f in at_cut.findings.itertuples()} == {
        ("5", "changed"),
        (str(ROWS + 1), "missing"),
    }


def test_a_column_that_the_database_lacks_is_not_passed_over(folder: Path, fresh: Database) -> None:
    fresh.run("ALTER TABLE t DROP COLUMN flag")
    check = checked(folder, fresh, tolerance={"FARE": 0.5})
    assert check.status == "not compared"
    assert check.findings["column"].tolist() == ["FLAG"]
    assert check.checks["check"].str.contains("no tolerance").any()
