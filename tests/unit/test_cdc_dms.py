"""DMS files: known by their names, whatever folders they lie in."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datalake_kit import cdc
from datalake_kit.cdc.dms import CHANGE, FULL_LOAD, OTHER, list_dms_files
from datalake_kit.cdc.staged import read_staged
from datalake_kit.errors import ColumnNotFoundError, DataError, UnreadableFileError
from datalake_kit.storage.listing import listing
from tests.replication import staging


def test_one_row_a_file() -> None:
    found = cdc.files(staging())
    one = found[found["table"] == "table_1"]
    assert one["kind"].tolist() == [FULL_LOAD, CHANGE, CHANGE, CHANGE]
    assert one["rows"].tolist() == [2000, 90, 70, 40]
    assert one["schema"].unique().tolist() == ["taxi_trips"]
    assert one["time"].iloc[1] == pd.Timestamp("2026-03-01 10:01:40.878", tz="UTC")
    assert one["first_sequence"].isna().tolist() == [True, False, False, False]
    assert (one["first_sequence"].dropna() <= one["last_sequence"].dropna()).all()
    assert one["file"].iloc[2] == "taxi_trips/table_1/2026/03/01/20260301-101207737.parquet"
    assert (one["bytes"] == [Path(p).stat().st_size for p in one["path"]]).all()
    assert found["kind"].value_counts().to_dict() == {CHANGE: 18, FULL_LOAD: 7, OTHER: 6}


@pytest.mark.parametrize(
    "folders",
    ["2026/03/01", "2026-03-01", "20260301", "2026_03_01", "2026030110", "2026/03/01/10", "202603", ""],
)
def test_the_table_is_found_whatever_the_date_folders(folders: str, tmp_path: Path) -> None:
    change = tmp_path / "in" / "sales" / "orders" / folders / "20260301-100140878.parquet"
    load = tmp_path / "in" / "sales" / "orders" / "LOAD0000000A.parquet"
    for file in (load, change):
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"ID": [1]}), file)
    found = list_dms_files(tmp_path)
    assert [(f.schema, f.table, f.kind) for f in found] == [("sales", "orders", FULL_LOAD), ("sales", "orders", CHANGE)]


def test_a_table_whose_name_is_a_year(tmp_path: Path) -> None:
    for name in ("LOAD00000001", "20260301-100140878"):
        (tmp_path / "sales" / "2026").mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"ID": [1]}), tmp_path / "sales" / "2026" / f"{name}.parquet")
    assert {f.table for f in list_dms_files(tmp_path)} == {"2026"}


def _write(folder: Path, name: str, **columns: list[object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), folder / name)


LOAD, FIRST, SECOND = "LOAD00000001.parquet", "20260301-100000000.parquet", "20260301-110000000.parquet"


def test_operations_come_from_op_or_from_cdc_operation(tmp_path: Path) -> None:
    table = tmp_path / "s" / "t"
    _write(table, LOAD, ID=[1, 2])
    _write(table, FIRST, Op=["U", "D"], ID=[1, 2])
    _write(table, SECOND, ID=[3], CDC_OPERATION=["insert"])
    staged = read_staged(list_dms_files(tmp_path))
    assert staged.rows.column("_dms_op").to_pylist() == ["L", "L", "U", "D", "I"]
    assert staged.columns == ["ID", "CDC_OPERATION"]
    assert staged.sequence is None


def test_columns_of_later_files_are_joined(tmp_path: Path) -> None:
    table = tmp_path / "s" / "t"
    _write(table, LOAD, ID=[1], A=[1])
    _write(table, FIRST, Op=["I"], ID=[2], A=[2.5], B=["new"])
    rows = read_staged(list_dms_files(tmp_path)).rows
    assert rows.column("A").to_pylist() == [1.0, 2.5]
    assert rows.column("B").to_pylist() == [None, "new"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"ID": [1]}, "no column Op or CDC_OPERATION"),
        ({"Op": ["X"], "ID": [1]}, "operations other than I, U, D: X"),
        ({"Op": [None], "ID": [1]}, "operations other than I, U, D: None"),
        ({"Op": ["I"], "ID": [{"a": 1}]}, "do not go together"),
    ],
)
def test_change_files_that_cannot_be_used(tmp_path: Path, columns: dict[str, list[object]], message: str) -> None:
    _write(tmp_path / "s" / "t", LOAD, ID=[1])
    table = pa.table({k: pa.array(v, pa.string() if k == "Op" else None) for k, v in columns.items()})
    pq.write_table(table, tmp_path / "s" / "t" / FIRST)
    with pytest.raises(DataError, match=message):
        read_staged(list_dms_files(tmp_path))


def test_files_that_are_not_dmss_are_listed_and_not_read(tmp_path: Path) -> None:
    _write(tmp_path / "s" / "t", LOAD, ID=[1])
    _write(tmp_path / "s" / "t", "part-0000.parquet", ID=[1])
    _write(tmp_path / "s" / "t", "20261301-100000000.parquet", ID=[1])
    (tmp_path / "s" / "t" / "20260301-100000000.csv").write_text("I,1\n")
    (tmp_path / "s" / "t" / "_SUCCESS").write_text("")
    found = cdc.files(tmp_path)
    assert found["kind"].value_counts().to_dict() == {OTHER: 2, FULL_LOAD: 1, CHANGE: 1}
    assert found["rows"].tolist() == [1, 1, 1, 1]  # of the CSV too: it begins with an operation
    with pytest.raises(DataError, match="has no name of DMS's"):
        read_staged(list_dms_files(tmp_path))


def test_a_dangling_link_is_called_one(tmp_path: Path) -> None:
    _write(tmp_path / "s" / "t", LOAD, ID=[1])
    (tmp_path / "s" / "t" / FIRST).symlink_to(tmp_path / "gone")
    for listed in (list_dms_files, listing):
        with pytest.raises(UnreadableFileError, match=rf"{FIRST} is a dangling link: .*gone is not there. Remove"):
            listed(tmp_path)


def test_no_staging(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="No such staging folder"):
        cdc.files(tmp_path / "none")
    with pytest.raises(UnreadableFileError, match="is empty"):
        cdc.files(tmp_path)
    with pytest.raises(DataError, match="no DMS file"):
        read_staged([])


def test_a_file_cut_short_is_named(tmp_path: Path) -> None:
    shutil.copytree(staging() / "taxi_trips" / "table_5", tmp_path / "s" / "table_5")
    file = tmp_path / "s" / "table_5" / LOAD
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(UnreadableFileError) as caught:
        cdc.files(tmp_path)
    assert str(file) in str(caught.value)


def test_an_unknown_sequence_column() -> None:
    files = [f for f in list_dms_files(staging()) if f.table == "table_5"]
    with pytest.raises(ColumnNotFoundError, match="Did you mean CDC_TIMESTAMP_SEQ"):
        read_staged(files, sequence="CDC_TIMESTAMP")
