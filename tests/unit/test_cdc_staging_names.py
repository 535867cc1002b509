"""What the names of DMS's files and folders tell, what lies in Parquet staging, and loads that came twice."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalake_kit.cdc import dms_content
from datalake_kit.cdc.dms import CHANGE, FULL_LOAD, OTHER, DmsFile, by_table, current_load, files, from_frame
from datalake_kit.cdc.dms import list_dms_files as listed
from datalake_kit.cdc.dms_names import CONTROL, change_time, file_format, kind_of, load_number, table_folder
from datalake_kit.cdc.settings import DmsSettings
from datalake_kit.cdc.spool import Spool
from datalake_kit.errors import DataError, ParameterError, UnreadableFileError
from datalake_kit.storage import S3Path
from tests.replication import staging
from tests.s3 import BUCKET, client, s3_server, use_s3

SEQUENCE = "20260301100000000000000000000000{:03d}"


def _write(file: Path, table: pa.Table | None = None, **options: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"ID": [1]}) if table is None else table, file, **options)
    return file


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("LOAD00000001.parquet", FULL_LOAD),
        ("LOAD0000001F.csv", FULL_LOAD),
        ("LOAD001.csv.gz", FULL_LOAD),
        ("SEGMENT12_LOAD00000009.csv", FULL_LOAD),
        ("20141029-1134010000.csv", CHANGE),
        ("20260301-101207737.parquet", CHANGE),
        ("20260301-101207.parquet", CHANGE),
        ("CDC_TXN-20201117153046033.csv", CHANGE),
        ("20261301-101207737.parquet", OTHER),
        ("20260301-251207737.parquet", OTHER),
        ("LOADED.parquet", OTHER),
        ("LOADFACE.csv", OTHER),
        ("DOWNLOAD00000001.parquet", OTHER),
        ("LOAD00000001.json", OTHER),
        ("part-00000.snappy.parquet", OTHER),
        ("LOAD00000001", OTHER),
    ],
)
def test_kinds_by_name(name: str, kind: str) -> None:
    assert kind_of(name) == kind


@given(st.datetimes(datetime(1990, 1, 1), datetime(2199, 1, 1)), st.sampled_from([3, 4, 6]), st.booleans())
def test_a_name_tells_its_time(when: datetime, digits: int, transactions: bool) -> None:
    text = f"{when:%Y%m%d-%H%M%S}" + f"{when.microsecond:06d}"[:digits]
    name = f"CDC_TXN-{text.replace('-', '')}.csv" if transactions else f"{text}.parquet"
    cut = when.microsecond - when.microsecond % 10 ** (6 - digits)
    assert change_time(name) == when.replace(microsecond=cut, tzinfo=UTC)
    assert kind_of(name) == CHANGE


@given(st.integers(1, 16**8 - 1))
def test_a_load_file_tells_its_number(number: int) -> None:
    assert load_number(f"LOAD{number:08X}.parquet") == (0, number)


@given(st.text(max_size=30))
def test_any_name_is_of_some_kind(name: str) -> None:
    assert kind_of(name) in (FULL_LOAD, CHANGE, OTHER)
    assert kind_of(name) == OTHER or file_format(name)


_FOLDERS = [
    "%Y/%m/%d", "%Y/%m/%d/%H", "%Y/%m", "%m/%Y/%d", "%d/%m/%Y", "%Y-%m-%d", "%Y_%m_%d_%H", "%Y%m", "%m-%Y-%d",
    "%d_%m_%Y", "%Y%m%d", "%Y%m%d%H", "%m%Y%d", "%d%m%Y", "",
]  # fmt: skip


@given(st.sampled_from(_FOLDERS), st.datetimes(datetime(1990, 1, 1), datetime(2199, 1, 1)))
def test_folders_of_dates_are_no_tables(form: str, when: datetime) -> None:
    dated = tuple(p for p in when.strftime(form).split("/") if p)
    assert table_folder(("bucket", "sales", "orders", *dated), set()) == ("bucket", "sales", "orders")
    assert table_folder(("sales", "2026", *dated), {("sales", "2026")}) == ("sales", "2026")


def test_staging_may_be_the_folder_of_one_table_or_schema(tmp_path: Path) -> None:
    _write(tmp_path / "in" / "sales" / "orders" / "LOAD00000001.parquet")
    _write(tmp_path / "in" / "sales" / "orders" / "2026" / "03" / "01" / "20260301-101207737.parquet")
    for root in (tmp_path, tmp_path / "in", tmp_path / "in" / "sales", tmp_path / "in" / "sales" / "orders"):
        assert {(f.schema, f.table) for f in listed(root)} == {("sales", "orders")}
    (tmp_path / "in" / "sales" / "orders" / "LOAD00000001.parquet").unlink()
    assert {(f.schema, f.table) for f in listed(tmp_path / "in" / "sales" / "orders")} == {("sales", "orders")}


def test_a_parallel_full_load_lies_below_its_table(tmp_path: Path) -> None:
    for name in ("p1/LOAD00000001", "p2/LOAD00000001", "20260301-101207737", "SEGMENT1_LOAD00000002"):
        _write(tmp_path / "s" / "t" / f"{name}.parquet")
    _write(tmp_path / "s" / "u" / "LOAD00000001.parquet")
    assert {key: len(found) for key, found in by_table(listed(tmp_path)).items()} == {("s", "t"): 4, ("s", "u"): 1}


def test_two_tables_under_one_name_are_told_apart(tmp_path: Path) -> None:
    for folder in ("a/sales/orders", "b/sales/orders", "b/other/orders"):
        _write(tmp_path / folder / "LOAD00000001.parquet")
    assert sorted(by_table(listed(tmp_path))) == [("a/sales", "orders"), ("b/sales", "orders"), ("other", "orders")]


def test_the_order_of_load_files_is_that_of_their_numbers(tmp_path: Path) -> None:
    for name in ("LOAD00000002", "LOAD0000000A", "LOAD00000010", "LOAD00000001", "20260301-101207737"):
        _write(tmp_path / "s" / "t" / f"{name}.parquet")
    assert [f.path.stem[-3:] for f in listed(tmp_path)] == ["001", "002", "00A", "010", "737"]


def test_control_tables_are_no_tables(tmp_path: Path) -> None:
    _write(tmp_path / "s" / "awsdms_status" / "LOAD00000001.parquet")
    _write(tmp_path / "s" / "awsdms_apply_exceptions" / "20260301-101207737.parquet")
    _write(tmp_path / "s" / "t" / "LOAD00000001.parquet")
    assert sorted(f.kind for f in listed(tmp_path)) == [CONTROL, CONTROL, FULL_LOAD]
    assert list(by_table(listed(tmp_path))) == [("s", "t")]


def test_files_come_back_from_their_frame() -> None:
    assert from_frame(files(staging())) == listed(staging())
    assert all(f.landed and f.landed.tzinfo and f.bytes for f in listed(staging()))
    with pytest.raises(ParameterError, match="column file is not there"):
        from_frame(files(staging()).drop(columns="file"))


# --- what is in Parquet


@pytest.mark.parametrize("name", ["CDC_TIMESTAMP_SEQ", "ar_h_change_seq", "TRANSACT_SEQ", "my_order"])
def test_the_sequence_is_found_by_its_name_or_by_its_digits(name: str, tmp_path: Path) -> None:
    table = pa.table({"Op": ["I", "U"], "A": ["1" * 34, "x"], name: [SEQUENCE.format(7), SEQUENCE.format(3)]})
    _write(tmp_path / "s" / "t" / "20260301-101207737.parquet", table)
    found = files(tmp_path)
    assert found["first_sequence"].tolist() == [SEQUENCE.format(3)]
    assert found["last_sequence"].tolist() == [SEQUENCE.format(7)]


@pytest.mark.parametrize("options", [{}, {"row_group_size": 2}, {"write_statistics": False}])
def test_ends_are_exact_with_and_without_statistics(options: dict[str, Any], tmp_path: Path) -> None:
    sequences = ["", SEQUENCE.format(5), None, SEQUENCE.format(2), SEQUENCE.format(9) + "0"]
    table = pa.table({"Op": ["I"] * 5, "CDC_TIMESTAMP_SEQ": sequences})
    _write(tmp_path / "s" / "t" / "20260301-101200.parquet", table, **options)
    row = files(tmp_path).iloc[0]
    assert (row["rows"], row["first_sequence"], row["last_sequence"]) == (5, SEQUENCE.format(2), sequences[4])


@pytest.mark.parametrize(
    ("low", "high", "exact"),
    [("2026", "2027", True), ("2026", "20270", False), ("", "", False), (1, 2, False), ("x" * 64, "y" * 64, False)],
)
def test_statistics_that_a_writer_cut_short_do_not_count(low: Any, high: Any, exact: bool) -> None:
    assert dms_content.is_exact(SimpleNamespace(min=low, max=high)) is exact


def test_empty_sequences_are_none(tmp_path: Path) -> None:
    _write(tmp_path / "s" / "t" / "LOAD00000001.parquet", pa.table({"ID": [1, 2], "CDC_TIMESTAMP_SEQ": ["", ""]}))
    assert files(tmp_path)[["first_sequence", "last_sequence"]].isna().all(axis=None)


def test_only_footers_are_read_where_they_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table({"Op": ["I", "U"], "CDC_TIMESTAMP_SEQ": [SEQUENCE.format(1), SEQUENCE.format(2)]})
    _write(tmp_path / "s" / "t" / "20260301-101207737.parquet", table)

    def refuse(*_: object) -> None:
        raise AssertionError("rows were read")

    monkeypatch.setattr(dms_content, "smallest_and_largest", refuse)
    assert files(tmp_path)["last_sequence"].tolist() == [SEQUENCE.format(2)]


@pytest.mark.parametrize(
    ("columns", "how", "found"),
    [
        ({"OP": ["I"], "ID": ["1"]}, {}, "OP"),
        ({"ID": ["I"], "CDC_OPERATION": ["INSERT"]}, {}, "CDC_OPERATION"),
        ({"what": ["I", "D"], "ID": ["1", "2"]}, {}, "what"),
        ({"what": ["I", None], "ID": ["1", "2"]}, {}, None),
        ({"what": ["I", "X"], "ID": ["1", "2"]}, {}, None),
        ({"ID": ["1"], "kind": ["I"]}, {}, None),
        ({"ID": ["1"], "kind": ["I"]}, {"operation": "KIND"}, "kind"),
    ],
)
def test_the_operation_is_found_by_its_name_or_by_its_words(
    columns: dict[str, list[str | None]], how: dict[str, str], found: str | None, tmp_path: Path
) -> None:
    file = _write(tmp_path / "x.parquet", pa.table(columns))
    with pq.ParquetFile(file) as opened:
        assert dms_content.find_operation(opened, DmsSettings(**how)) == found  # type: ignore[arg-type]


def test_a_settings_sequence_that_a_full_load_lacks_is_none(tmp_path: Path) -> None:
    _write(tmp_path / "s" / "t" / "LOAD00000001.parquet")
    assert files(tmp_path, DmsSettings(sequence="SEQ"))["first_sequence"].isna().all()


def test_a_file_of_zero_rows(tmp_path: Path) -> None:
    table = pa.table({"Op": pa.array([], pa.string()), "CDC_TIMESTAMP_SEQ": pa.array([], pa.string())})
    _write(tmp_path / "s" / "t" / "20260301-101207737.parquet", table)
    row = files(tmp_path).iloc[0]
    assert row["rows"] == 0
    assert pd.isna(row["first_sequence"])


def test_packed_parquet(tmp_path: Path) -> None:
    plain = _write(tmp_path / "x.parquet", pa.table({"ID": [1, 2]}))
    (tmp_path / "s" / "t").mkdir(parents=True)
    packed = tmp_path / "s" / "t" / "LOAD00000001.parquet.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    assert files(tmp_path)["rows"].tolist() == [2]
    with Spool() as spool:
        assert pq.read_table(spool.parquet(listed(tmp_path))[0]).num_rows == 2
        inside = spool.folder
    assert not inside.exists()


def test_files_that_are_gone_or_broken_are_named(tmp_path: Path) -> None:
    file = _write(tmp_path / "s" / "t" / "LOAD00000001.parquet")
    found = listed(tmp_path)
    file.write_bytes(file.read_bytes()[:-30])
    with Spool() as spool, pytest.raises(UnreadableFileError, match=str(file)):
        spool.parquet(found)
    file.write_bytes(b"1,2,3\n" * 4)
    with pytest.raises(UnreadableFileError, match="Not a Parquet file"):
        files(tmp_path)
    file.unlink()
    with Spool() as spool, pytest.raises(UnreadableFileError, match="is gone"):
        spool.parquet(found)
    other = DmsFile(tmp_path / "a.json", "a.json", "s", "t", OTHER, None)
    other.path.write_text("{}")
    with Spool() as spool, pytest.raises(DataError, match="neither Parquet nor CSV"):
        spool.parquet([other])


# --- loads that came twice


def _landed(file: Path, when: datetime) -> None:
    os.utime(file, (when.timestamp(), when.timestamp()))


START = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)


def _generations(folder: Path, **minutes: float) -> list[DmsFile]:
    """Files of one table: LOAD files by number and changes (c0, c1, ...), by the minute in which they landed."""
    for name, minute in minutes.items():
        when = START + timedelta(minutes=minute)
        own = f"LOAD0000000{name[1:]}" if name[0] == "l" else f"{when:%Y%m%d-%H%M%S}000"
        _landed(_write(folder / "s" / "t" / f"{own}.parquet"), when)
    return listed(folder)


def test_one_load_generation_stays_together(tmp_path: Path) -> None:
    found = _generations(tmp_path, l1=0, l2=7, l3=30, c0=31, c1=90)
    assert current_load(found) == (found, [])


def test_a_second_load_supersedes_the_changes_before_it(tmp_path: Path) -> None:
    found = _generations(tmp_path, l1=120, l2=121, c0=31, c1=90, c2=125)
    kept, old = current_load(found)
    assert [f.path.stem for f in kept] == ["LOAD00000001", "LOAD00000002", "20260301-120500000"]
    assert len(old) == 2


def test_a_smaller_second_load_leaves_files_of_the_first(tmp_path: Path) -> None:
    kept, old = current_load(_generations(tmp_path, l1=120, l2=1, l3=2, c0=31, c1=125))
    assert [f.path.stem for f in old] == ["LOAD00000002", "LOAD00000003", "20260301-103100000"]
    assert len(kept) == 2


def test_a_change_in_the_second_of_the_load_counts(tmp_path: Path) -> None:
    found = _generations(tmp_path, l1=31, c0=31)
    assert current_load(found) == (found, [])


def test_times_of_a_copy_supersede_nothing(tmp_path: Path) -> None:
    found = _generations(tmp_path, l1=0, c0=31, c1=90)
    for number, file in enumerate(found):
        _landed(Path(str(file.path)), START + timedelta(days=9, hours=-number))
    again = listed(tmp_path)
    assert current_load(again) == (again, [])
    unknown = [DmsFile(f.path, f.name, f.schema, f.table, f.kind, f.time) for f in again]
    assert current_load(unknown) == (unknown, [])


# --- on S3


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_staging_on_s3_is_listed_and_read_as_a_folder(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_s3(monkeypatch, endpoint)
    s3 = client(endpoint)
    local = tmp_path / "here"
    for file in sorted((staging() / "taxi_trips" / "table_1").rglob("*.parquet")):
        target = local / "taxi_trips" / "table_1" / file.relative_to(staging() / "taxi_trips" / "table_1")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    (local / "CDC_TXN-20260401100000000.csv").write_text("I,orders,sales,1\nD,orders,sales,1\n")
    for file in local.rglob("*.*"):
        s3.put_object(Bucket=BUCKET, Key=f"staging/{file.relative_to(local)}", Body=file.read_bytes())
    columns = DmsSettings(columns={"orders": ["ID"]})
    there, here = files(f"s3://{BUCKET}/staging/", columns), files(local, columns)
    same = [c for c in here.columns if c not in ("path", "landed")]
    assert there[same].equals(here[same])
    assert there["path"].iloc[-1].startswith(f"s3://{BUCKET}/staging/taxi_trips")
    assert (there["landed"] - pd.Timestamp.now("UTC") < pd.Timedelta("1min")).all()
    found = from_frame(there[there["table"] == "table_1"])
    assert all(isinstance(f.path, S3Path) for f in found)
    with Spool(tmp_path) as spool:
        copies = spool.parquet(found)
        assert [p.stat().st_size for p in copies] == here[here["table"] == "table_1"]["bytes"].tolist()
        changes = spool.parquet(from_frame(there[there["table"] == "orders"]), columns)
        assert pq.read_table(changes[0]).to_pylist() == [{"Op": "I", "ID": "1"}, {"Op": "D", "ID": "1"}]
    with pytest.raises(UnreadableFileError, match="staging folder is empty"):
        files(f"s3://{BUCKET}/nothing/")
    s3.delete_object(Bucket=BUCKET, Key=f"staging/{found[0].name}")
    with Spool() as spool, pytest.raises(UnreadableFileError, match="is gone"):
        spool.parquet(found)
