"""`dk.hudi.read` and `dk.hudi.timeline` over a lake."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import datalake_kit as dk
from datalake_kit.errors import ColumnNotFoundError, HudiError, ParameterError, TableNotFoundError, UnreadableFileError
from datalake_kit.hudi.commits import load_timeline
from datalake_kit.hudi.history import timeline_frame
from datalake_kit.hudi.rows import read_snapshot
from datalake_kit.hudi.snapshot import open_snapshot
from tests.replication import PUBLIC_ROWS, TRUTH, digest, lake_of, odp_table, public_table


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> dk.Lake:
    tables = {
        "table_1": odp_table("tables/v6_table_1"),
        "table_4": odp_table("tables/v6_table_4"),
        "table_10": odp_table("tables/v6_table_10_mor"),
        "broken": odp_table("damaged/v6_table_1_base_deleted"),
    }
    folder = lake_of(tmp_path_factory.mktemp("rows") / "lake", tables)
    (folder / "taxi" / "plain").mkdir()
    pq.write_table(pa.table({"a": [1]}), folder / "taxi" / "plain" / "a.parquet")
    return dk.connect(folder)


def test_all_columns_as_they_are_stored(lake: dk.Lake) -> None:
    rows = dk.hudi.read(lake, "taxi.table_10", arrow=True)
    assert rows.schema.names[:2] == ["PK_ID", "VENDORID"]
    assert digest(rows) == TRUTH["tables/v6_table_10_mor.zip"]["md5"]
    frame = dk.hudi.read(lake, "taxi.table_10")
    assert list(frame.columns) == rows.schema.names
    assert len(frame) == 2003
    assert frame["PK_ID"].dtype == "int64"


def test_whole_numbers_with_nulls_stay_whole(lake: dk.Lake) -> None:
    frame = dk.hudi.read(lake, "taxi.table_4", columns=["VENDORID"])
    assert frame["VENDORID"].isna().any()
    assert frame["VENDORID"].dtype == pd.Int64Dtype()


def test_chosen_columns_in_any_case_and_meta_columns_when_asked(lake: dk.Lake) -> None:
    frame = dk.hudi.read(lake, "TAXI.Table_10", columns=["total_amount", "pk_id", "_hoodie_commit_time"])
    assert list(frame.columns) == ["TOTAL_AMOUNT", "PK_ID", "_hoodie_commit_time"]
    assert frame["_hoodie_commit_time"].str.len().eq(17).all()
    assert len(dk.hudi.read(lake, lake.table("taxi.table_1"), columns=["PK_ID"])) == 2200


def test_rows_come_in_the_same_order_each_time(lake: dk.Lake) -> None:
    once, again = (dk.hudi.read(lake, "taxi.table_10", arrow=True) for _ in range(2))
    assert once.equals(again)


def test_as_of_a_commit(lake: dk.Lake) -> None:
    for commit in TRUTH["tables/v6_table_10_mor.zip"]["commits"]:
        rows = dk.hudi.read(lake, "taxi.table_10", as_of=commit["instant"], arrow=True)
        assert (rows.num_rows, digest(rows)) == (commit["rows_as_of"], commit["md5_as_of"])


def test_what_is_refused(lake: dk.Lake) -> None:
    with pytest.raises(ColumnNotFoundError, match="Did you mean PK_ID"):
        dk.hudi.read(lake, "taxi.table_10", columns=["PKID"])
    with pytest.raises(ParameterError, match="list of names"):
        dk.hudi.read(lake, "taxi.table_10", columns="PK_ID")
    with pytest.raises(TableNotFoundError, match="Did you mean table_1"):
        dk.hudi.read(lake, "taxi.tabel_1")
    with pytest.raises(HudiError, match=r"taxi\.plain is no Hudi table"):
        dk.hudi.timeline(lake, "taxi.plain")
    with pytest.raises(UnreadableFileError, match="is gone"):
        dk.hudi.read(lake, "taxi.broken")


def test_the_past_of_a_table_whose_newest_file_is_gone_can_be_read(lake: dk.Lake) -> None:
    before = load_timeline(odp_table("damaged/v6_table_1_base_deleted")).commits[-2]
    assert len(dk.hudi.read(lake, "taxi.broken", as_of=before.requested)) == 2160


# --- the timeline


@pytest.mark.parametrize("name", [z for z, t in sorted(TRUTH.items()) if t["commits"]])
def test_the_timeline_says_what_the_writer_counted(name: str) -> None:
    frame = timeline_frame(load_timeline(odp_table(name))).set_index("instant")
    for commit in TRUTH[name]["commits"]:
        row = frame.loc[commit["instant"]]
        assert row[["action", "operation", "inserts", "updates", "deletes"]].tolist() == [
            commit[k] for k in ("action", "operation", "inserts", "updates", "deletes")
        ]
        if commit["rows_as_of"] is not None and not pd.isna(row["rows_after"]):
            assert row["rows_after"] == commit["rows_as_of"]
    if TRUTH[name]["type"] == "COPY_ON_WRITE":
        assert frame["rows_after"].notna().all()


@pytest.mark.parametrize("name", [n for n in PUBLIC_ROWS if n != "cow/v6_empty"])
def test_rows_after_of_public_tables(name: str) -> None:
    frame = timeline_frame(load_timeline(public_table(name)))
    last = frame["rows_after"].iloc[-1]
    assert pd.isna(last) or last == PUBLIC_ROWS[name]
    assert not pd.isna(last) or open_snapshot(public_table(name)).needs_merge
    for instant, rows in zip(frame["instant"], frame["rows_after"], strict=True):
        if not pd.isna(rows):
            assert read_snapshot(open_snapshot(public_table(name), as_of=instant)).num_rows == rows, instant


def test_times_and_types(lake: dk.Lake) -> None:
    frame = dk.hudi.timeline(lake, "taxi.table_1")
    assert frame["started_at"].iloc[0] == pd.Timestamp("2026-11-23 21:58:58.787", tz="UTC")
    assert frame["completed_at"].isna().all()  # table version 6 does not record it
    assert frame["bytes"].iloc[0] == sum(
        s.bytes for s in load_timeline(lake.table("taxi.table_1").location).commits[0].stats
    )
    newer = timeline_frame(load_timeline(odp_table("tables/v8_table_1")))
    assert (newer["completed_at"] > newer["started_at"]).all()
    empty = timeline_frame(load_timeline(public_table("cow/v6_empty")))
    assert len(empty) == 0
    assert (empty.dtypes == frame.dtypes).all()


def test_commits_that_wrote_nothing_are_told() -> None:
    frame = timeline_frame(load_timeline(odp_table("tables/v6_table_4")))
    assert [a for a in frame["anomalies"] if a] == ["wrote nothing (a delete of keys that were not there)"]


def test_rows_after_are_unknown_when_the_first_commits_are(tmp_path: Path) -> None:
    import shutil

    table = shutil.copytree(odp_table("tables/v6_table_10_cleaned"), tmp_path / "table")
    shutil.rmtree(table / ".hoodie" / "archived")
    assert timeline_frame(load_timeline(table))["rows_after"].isna().all()
