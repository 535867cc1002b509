"""The source held against the staged files and against the lake: each hop gets its own findings."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import datalake_kit as dk
from datalake_kit.cdc.dms import DmsFile, list_dms_files
from tests.replication import lake_of, odp_table, staging

TO_EXPECTED, PAST_STAGING = "source -> expected", "source -> lake"


def _files(table: str) -> list[DmsFile]:
    return [f for f in list_dms_files(staging()) if f.table == table]


def _state(table: str, without: tuple[int, ...] = ()) -> pa.Table:
    files = [f for n, f in enumerate(_files(table)) if n not in without]
    return dk.cdc.expected(files, keys="PK_ID").table.drop_columns(["CDC_TIMESTAMP_SEQ"])


def _lake(folder: Path, table: str, *, staged: bool = True) -> Path:
    target = folder / "taxi" / table
    target.mkdir(parents=True)
    rows = dk.cdc.expected(_files(table), keys="PK_ID").table
    pq.write_table(rows, target / "part-0.parquet")
    if staged:
        shutil.copytree(staging() / "taxi_trips" / table, folder / "_raw/staging/taxi_trips" / table)
    return folder


def _check(folder: Path, table: str, source: Any, **options: Any) -> dk.cdc.Validation:
    with dk.connect(folder) as lake:
        return dk.cdc.validate(lake, [f"taxi.{table}"], source=source, **{"keys": "PK_ID", **options})


@pytest.mark.parametrize("level", ["counts", "keys", "values"])
@pytest.mark.parametrize("staged", [True, False])
def test_a_source_that_is_equal(staged: bool, level: str, tmp_path: Path) -> None:
    state = _state("table_10")
    check = _check(_lake(tmp_path, "table_10", staged=staged), "table_10", state.to_pandas(), level=level)
    assert check.ok, check.sentence
    row = check.summary.iloc[0]
    assert (row["source"], row["lake"], row["compared"]) == (state.num_rows, state.num_rows, level)
    assert pd.isna(row["expected"]) != staged


def test_a_change_that_dms_never_wrote_is_at_the_first_hop_alone(tmp_path: Path) -> None:
    frame = _state("table_10").to_pandas()
    frame.loc[3, "TOTAL_AMOUNT"] += 1
    gone = frame.loc[5, "PK_ID"]
    new = frame.loc[[7]].assign(PK_ID=987_654)
    source = pd.concat([frame.drop(index=5), new])
    check = _check(_lake(tmp_path, "table_10"), "table_10", source, level="values")
    assert check.status == "different"
    assert check.findings["hop"].unique().tolist() == [TO_EXPECTED]
    found = {f.kind: f for f in check.findings.itertuples()}
    assert (found["missing"].key, found["extra"].key) == (987_654, gone)
    assert found["missing"].explanation == "unexplained: no staged file has this key"
    assert (found["changed"].key, found["changed"].column) == (frame.loc[3, "PK_ID"], "TOTAL_AMOUNT")
    before, after = float(found["changed"].before), float(found["changed"].after)
    assert before - after == pytest.approx(1)
    assert check.summary[["missing", "extra", "changed"]].values.tolist() == [[1, 1, 1]]
    assert TO_EXPECTED in check.sentence


def test_both_hops_are_judged_apart(tmp_path: Path) -> None:
    folder = lake_of(tmp_path, {"t": odp_table("damaged/v6_table_10_withheld")}, staged={"t": "table_10"})
    source = _state("table_10").slice(1)
    check = _check(folder, "t", source, keys=None)
    hops = check.findings.groupby("hop")["kind"].value_counts().to_dict()
    assert hops == {(TO_EXPECTED, "extra"): 1, ("expected -> lake", "changed"): 3}


def test_a_source_that_is_older_than_the_files_says_which_change_it_lacks(tmp_path: Path) -> None:
    last = _files("table_10")[-1]
    source = _state("table_10", without=(len(_files("table_10")) - 1,))
    check = _check(_lake(tmp_path, "table_10"), "table_10", source, level="values")
    changed = check.findings[check.findings["kind"] == "changed"]
    assert len(changed) == 4
    assert set(changed["file"]) == {last.name}
    missing = check.findings[check.findings["kind"] == "missing"]
    assert missing["explanation"].str.contains("end with a delete").all()


@pytest.mark.parametrize("staged", [True, False])
def test_keys_that_are_not_unique_in_the_source(staged: bool, tmp_path: Path) -> None:
    state = _state("table_10")
    source = pa.concat_tables([state, state.slice(0, 2)])
    check = _check(_lake(tmp_path, "table_10", staged=staged), "table_10", source, level="values")
    assert check.status == "not compared"
    assert "2 keys are there several times" in check.sentence
    masked = _check(tmp_path, "table_10", source, level="values", mask=["pk_id"])
    assert f"such as {state.column('PK_ID')[0].as_py()};" in check.sentence
    assert "such as ***" in masked.sentence


def test_a_key_that_is_null_in_the_source(tmp_path: Path) -> None:
    frame = _state("table_10").to_pandas().astype({"PK_ID": "Int64"})
    frame.loc[0, "PK_ID"] = pd.NA
    check = _check(_lake(tmp_path, "table_10", staged=False), "table_10", frame, level="values")
    assert check.status == "different"
    kinds = check.findings["kind"].tolist()
    assert kinds == ["unverified", "extra"]


@pytest.mark.parametrize("staged", [True, False])
def test_the_key_column_is_missing_in_the_source_or_of_another_type(staged: bool, tmp_path: Path) -> None:
    folder = _lake(tmp_path, "table_10", staged=staged)
    state = _state("table_10")
    check = _check(folder, "table_10", state.drop_columns(["PK_ID"]), level="values")
    assert check.status == "not compared"
    assert "PK_ID" in check.sentence
    lists = state.set_column(0, "PK_ID", pa.array([[k] for k in state.column("PK_ID").to_pylist()]))
    assert _check(folder, "table_10", lists, level="values").status == "not compared"
    text = state.set_column(0, "PK_ID", state.column("PK_ID").cast(pa.string()))
    assert _check(folder, "table_10", text, level="values").ok


def test_a_source_without_rows_and_one_where_all_is_deleted(tmp_path: Path) -> None:
    folder = _lake(tmp_path, "table_10", staged=False)
    state = _state("table_10")
    check = _check(folder, "table_10", state.slice(0, 0))
    assert check.summary[["source", "extra"]].values.tolist() == [[0, state.num_rows]]
    pq.write_table(
        pq.read_table(folder / "taxi/table_10/part-0.parquet").slice(0, 0), folder / "taxi/table_10/part-0.parquet"
    )
    assert _check(folder, "table_10", state.slice(0, 0), level="values").ok
    check = _check(folder, "table_10", state)
    assert check.summary[["lake", "missing"]].values.tolist() == [[0, state.num_rows]]


def test_a_column_of_the_source_that_the_other_side_lacks(tmp_path: Path) -> None:
    folder = _lake(tmp_path, "table_10")
    source = _state("table_10").append_column("NOTE", pa.array(["x"] * _state("table_10").num_rows))
    check = _check(folder, "table_10", source, level="values")
    assert check.findings[["hop", "kind", "column"]].values.tolist() == [[TO_EXPECTED, "unverified", "NOTE"]]
    empty = _state("table_10").append_column("NOTE", pa.nulls(source.num_rows, pa.string()))
    assert _check(folder, "table_10", empty, level="values").ok


def test_a_historical_lake_against_its_source(tmp_path: Path) -> None:
    files = _files("table_10")
    rows = dk.cdc.expected(files, keys="PK_ID", mode="H").table
    target = tmp_path / "taxi" / "table_10"
    target.mkdir(parents=True)
    pq.write_table(rows, target / "part-0.parquet")
    state = _state("table_10")
    check = _check(tmp_path, "table_10", state, mode="H", level="values")
    assert check.ok, check.sentence
    assert check.summary["lake"].tolist() == [rows.num_rows]
    changed = state.to_pandas()
    changed.loc[0, "TOTAL_AMOUNT"] = np.nan
    assert _check(tmp_path, "table_10", changed, mode="H", level="values").summary["changed"].tolist() == [1]
    shutil.copytree(staging() / "taxi_trips/table_10", tmp_path / "_raw/staging/taxi_trips/table_10")
    assert _check(tmp_path, "table_10", state, mode="H", level="values").ok


def test_tolerance_and_mask_at_the_hops_of_the_source(tmp_path: Path) -> None:
    frame = _state("table_10").to_pandas()
    frame.loc[3, "TOTAL_AMOUNT"] += 0.004
    frame.loc[4, "TIP_AMOUNT"] += 1
    for staged in (True, False):
        folder = _lake(tmp_path / str(staged), "table_10", staged=staged)
        check = _check(folder, "table_10", frame, level="values", tolerance=0.005, mask=["TIP_AMOUNT"])
        assert check.findings[["key", "column", "before", "after"]].values.tolist() == [
            [frame.loc[4, "PK_ID"], "TIP_AMOUNT", "***", "***"]
        ]
