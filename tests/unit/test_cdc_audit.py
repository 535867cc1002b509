"""Cuts and sequences of every kind, masks in all that is told, and what the records of the pipeline say."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import datalake_kit as dk
from datalake_kit import cdc
from datalake_kit.cdc.cuts import cut_at, ordered, shown
from datalake_kit.cdc.explain import UNEXPLAINED, Case, explain
from datalake_kit.cdc.explain.case import LATE, OVERWRITTEN
from datalake_kit.cdc.pipeline import Version
from datalake_kit.errors import ParameterError
from tests.replication import lake_of, odp_table


def _staged(folder: Path, versions: list[Any], *, load: Any, values: str = "abcdefgh") -> Any:
    """A table of one key whose changes have these versions, all in one file."""
    table = folder / "shop" / "orders"
    table.mkdir(parents=True)
    kind = pa.array(versions).type
    pq.write_table(pa.table({"ID": [1], "V": ["load"], "VER": pa.array([load], kind)}), table / "LOAD00000001.parquet")
    changes = {"Op": ["U"] * len(versions), "ID": [1] * len(versions), "V": list(values[: len(versions)])}
    pq.write_table(pa.table({**changes, "VER": pa.array(versions, kind)}), table / "20260301-110000000.parquet")
    return cdc.files(folder)


def _value(files: Any, **options: Any) -> str:
    return str(cdc.expected(files, keys="ID", sequence="VER", **options).frame()["V"].iloc[0])


@pytest.mark.parametrize("versions", [[9, 10], [10, 9], ["9", "10"], ["10", "9"], [99, 100], [2**62, 9]])
def test_whole_numbers_are_in_the_order_of_numbers(versions: list[Any], tmp_path: Path) -> None:
    newest = "abcdefgh"[max(range(len(versions)), key=lambda n: int(versions[n]))]
    assert _value(_staged(tmp_path, versions, load=versions[0])) == newest


def test_a_cut_among_whole_numbers(tmp_path: Path) -> None:
    files = _staged(tmp_path, [8, 9, 10, 11], load=1)
    assert [_value(files, until=cut) for cut in ("7", "9", "10", "100")] == ["load", "b", "c", "d"]
    with pytest.raises(ParameterError, match=r"do not begin with one\. Give a sequence"):
        _value(files, until=dt.datetime(2026, 3, 1))
    with pytest.raises(ParameterError, match="neither a time"):
        _value(files, until="nine")


_TIMES = [dt.datetime(2026, 3, 1, 9), dt.datetime(2026, 3, 1, 10), dt.datetime(2026, 3, 1, 10, 0, 0, 500_000)]
_CUTS: list[tuple[Any, str]] = [
    (dt.datetime(2026, 3, 1, 9, 59, 59), "a"),
    (dt.datetime(2026, 3, 1, 10), "b"),
    (dt.datetime(2026, 3, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2))), "b"),
    (dt.datetime(2026, 3, 1, 10, 0, 1), "c"),
    ("2026-03-01 10:00:00", "b"),
    ("2026-03-01T10:00:00", "b"),
    ("2026-03-01T12:00:00+02:00", "b"),
    ("2026-03-01 10:00:00.5", "c"),
    (dt.date(2026, 2, 28), "load"),
    ("2026-02-28", "load"),
    (dt.date(2026, 3, 1), "c"),
    ("2026-03-01", "c"),
]
_WRITTEN = {
    "times": lambda t: t,
    "35 digits": lambda t: f"{t:%Y%m%d%H%M%S}{t.microsecond // 10_000:02}" + "0" * 18 + "7",
    "17 digits": lambda t: f"{t:%Y%m%d%H%M%S}{t.microsecond // 1000:03}",
    "17 digits as a number": lambda t: int(f"{t:%Y%m%d%H%M%S}{t.microsecond // 1000:03}"),
    "text": lambda t: t.isoformat(sep=" ", timespec="milliseconds"),
}


@pytest.mark.parametrize("kind", _WRITTEN)
def test_a_cut_at_a_time_whatever_sequences_look_like(kind: str, tmp_path: Path) -> None:
    versions = [_WRITTEN[kind](t) for t in _TIMES]
    files = _staged(tmp_path, versions, load=_WRITTEN[kind](dt.datetime(2026, 1, 1)))
    for cut, value in _CUTS:
        assert _value(files, until=cut) == value, cut


@pytest.mark.parametrize("cut", ["garbage", "20260301", "2026030110", "20260301100000", "2026-13-01", ""])
def test_a_cut_that_is_neither_a_time_nor_such_a_sequence(cut: str, tmp_path: Path) -> None:
    files = _staged(tmp_path, [_WRITTEN["35 digits"](t) for t in _TIMES], load="")
    with pytest.raises(ParameterError, match=r"neither a time such as .* nor a sequence like those of the table"):
        _value(files, until=cut)


@given(st.integers(0, 10**25), st.integers(0, 10**25))
def test_sequences_keep_their_order_and_their_looks(one: int, other: int) -> None:
    if max(len(str(one)), len(str(other))) < 20:
        assert (ordered(str(one)) < ordered(str(other))) == (one < other)
    assert shown(ordered(str(one))) == str(one)
    assert shown(cut_at(str(one), ordered(str(one)))) == str(one)


# --- masks


def test_a_masked_partition_is_not_shown_in_words(tmp_path: Path) -> None:
    folder = lake_of(tmp_path, {"t": odp_table("tables/v8_table_2")}, staged={"t": "table_2"})
    with dk.connect(folder) as lake:
        open_ = cdc.validate(lake, level="values")
        masked = cdc.validate(lake, level="values", mask=["vendorid"])
    assert open_.findings["explanation"].str.contains("stays in VENDORID=[12]").any()
    assert masked.findings["explanation"].str.contains(r"stays in VENDORID=\*\*\*").any()
    assert not masked.findings["explanation"].str.contains("VENDORID=[12]").any()
    assert masked.findings["kind"].tolist() == open_.findings["kind"].tolist()
    assert masked.findings["file"].tolist() == open_.findings["file"].tolist()


# --- an explanation that another key contradicts is none


def _explained(versions: dict[str, list[tuple[int, str, int]]], lake: dict[str, list[int]], names: list[str]) -> Any:
    """Explain the keys that differ, of versions (file, operation, row) and the rows that the lake has."""
    told = {
        key: [Version(f, ("" if op == "L" else str(f), f, n), op, row, None, "") for n, (f, op, row) in enumerate(own)]
        for key, own in versions.items()
    }
    there = {key: Counter(rows) for key, rows in lake.items()}
    newest = {key: [own[-1][2]] if own[-1][1] != "D" else [] for key, own in versions.items()}
    damaged = [key for key in versions if newest[key] != lake.get(key, [])]
    return explain(Case(told, there, damaged, names))


_DATED = [
    "s/t/LOAD00000001.parquet",
    "s/t/2026/03/01/20260301-100000000.parquet",
    "s/t/2026/03/01/20260301-110000000.parquet",
]


def test_a_late_file_is_blamed_only_when_every_key_of_it_agrees() -> None:
    versions = {key: [(0, "L", n), (1, "U", n + 1), (2, "U", n + 2)] for key, n in (("a", 10), ("b", 20), ("c", 30))}
    late = {key: [own[1][2]] for key, own in versions.items()} | {"new": [40]}
    versions["new"] = [(2, "I", 40)]
    assert {e.cause for e in _explained(versions, late, _DATED).values()} == {LATE}
    one = late | {"c": [32]}
    found = _explained(versions, one, _DATED)
    assert sorted(found) == ["a", "b"]
    assert {e.text for e in found.values()} == {UNEXPLAINED}


def test_a_file_that_overwrote_the_table_is_blamed_only_when_every_key_agrees() -> None:
    names = ["s/t/LOAD00000001.parquet", "s/t/20260301-100000000.parquet"]
    versions = {"gone": [(0, "L", 1)], "back": [(0, "L", 2), (1, "D", 3)], "dead": [(0, "L", 4), (1, "D", 5)]}
    found = _explained(versions, {"back": [3], "dead": [5]}, names)
    assert {key: e.cause for key, e in found.items()} == dict.fromkeys(versions, OVERWRITTEN)
    assert _explained(versions, {"back": [3]}, names)["back"].text == UNEXPLAINED


# --- the exact place of a cut, and of changes with one sequence


def test_a_row_at_the_cut_is_no_lag_and_changes_of_one_sequence_count_by_their_place(tmp_path: Path) -> None:
    files = _staged(tmp_path / "one", ["5"] * 3, load="0")
    assert _value(files) == "c"
    folder = tmp_path / "lake"
    staged = _staged(folder / "_raw/staging", ["7", "8", "9"], load="0")
    (folder / "shop" / "orders").mkdir(parents=True)
    for version, lag, status in (("8", 0, "different"), ("9", 1, "equal")):
        rows = pa.table({"ID": [1], "V": ["wrong"], "VER": [version]})
        pq.write_table(rows, folder / "shop" / "orders" / "part.parquet")
        with dk.connect(folder) as lake:
            check = cdc.validate(lake, keys="ID", until="8", settings=cdc.DmsSettings(sequence="VER"))
        assert (check.status, check.summary["lag"].iloc[0]) == (status, lag), len(staged)


# --- words and verdicts


def test_null_and_the_quoted_text_are_apart_with_any_delimiter(tmp_path: Path) -> None:
    table = tmp_path / "shop" / "orders"
    table.mkdir(parents=True)
    (table / "LOAD00000001.csv").write_bytes(b'1||NULL\n2||"NULL"\n3||\n4||""\n')
    how = cdc.DmsSettings(columns={"orders": ["ID", "V"]}, csv_delimiter="||")
    found = cdc.expected(cdc.files(tmp_path, how), keys="ID", settings=how).table
    assert found.column("V").to_pylist() == [None, "NULL", "", ""]


def test_different_comes_before_not_compared(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    _staged(folder / "_raw/staging", ["7"], load="0")
    (folder / "shop" / "orders").mkdir(parents=True)
    pq.write_table(pa.table({"ID": [2], "V": ["a"], "VER": ["7"]}), folder / "shop" / "orders" / "part.parquet")
    (folder / "shop" / "alone").mkdir()
    pq.write_table(pa.table({"ID": [1]}), folder / "shop" / "alone" / "part.parquet")
    with dk.connect(folder) as lake:
        check = cdc.validate(lake, ["shop.alone", "shop.orders"], keys="ID")
    assert check.summary["verdict"].tolist() == ["not compared", "different"]
    assert (check.status, check.not_compared, check.different) == ("different", ["shop.alone"], ["shop.orders"])


@pytest.mark.parametrize(("newest", "told"), [("b", "the newest is right"), ("wrong", "the newest is not right")])
def test_a_key_with_several_rows_says_whether_its_newest_is_right(newest: str, told: str, tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    _staged(folder / "_raw/staging", ["7", "8"], load="0")
    (folder / "shop" / "orders").mkdir(parents=True)
    rows = pa.table({"ID": [1, 1], "V": ["a", newest], "VER": ["7", "8"]})
    pq.write_table(rows, folder / "shop" / "orders" / "part.parquet")
    with dk.connect(folder) as lake:
        check = cdc.validate(lake, keys="ID", level="values", settings=cdc.DmsSettings(sequence="VER"))
    assert check.findings["kind"].tolist() == ["duplicate"]
    assert f"(2 rows; {told})" in check.findings["explanation"].iloc[0]


def test_the_report_shows_the_source_and_what_waits(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    _staged(folder / "_raw/staging", ["7"], load="0")
    (folder / "shop" / "orders").mkdir(parents=True)
    lake_rows = pa.table({"ID": [1], "V": ["load"], "VER": ["0"]})
    pq.write_table(lake_rows, folder / "shop" / "orders" / "part.parquet")
    change = "shop/orders/20260301-110000000.parquet"
    tracker = {"file_ingestion_path": change, "file_ingestion_status": "raw_file_landed", "schema_name": "shop"}
    tracker |= {"table_name": "orders", "file_ingestion_date_time": "2026-03-01 11:00:00"}
    failed = {"raw_table_name": "orders", "glue_job_run_id": "jr_1", "refresh_status": "refresh_error"}
    failed |= {"refresh_start_time": "2026-03-01 11:05:00", "error_msg": "out of memory"}
    with dk.connect(folder) as lake:
        check = cdc.validate(lake, keys="ID", source=lake_rows.to_pandas(), trackers=[tracker, failed], level="values")
        plain = cdc.validate(lake, keys="ID")
    for text in (check.to_markdown(), check.to_html()):
        assert "source" in text
        assert change in text
        assert "the last run (jr_1 since 2026-03-01 11:05:00 UTC) failed: out of memory" in text.replace("\\_", "_")
    assert "| source |" in check.to_markdown()
    assert "| lag |" in check.to_markdown()
    assert "| source |" not in plain.to_markdown()


def test_control_tables_that_cannot_be_read_are_no_reason_to_say_equal(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    _staged(folder / "_raw/staging", ["7"], load="0")
    control = folder / "_raw/staging/shop/awsdms_apply_exceptions"
    control.mkdir()
    pq.write_table(pa.table({"odd": [1]}), control / "LOAD00000001.parquet")
    (folder / "shop" / "orders").mkdir(parents=True)
    pq.write_table(pa.table({"ID": [1], "V": ["a"], "VER": ["7"]}), folder / "shop" / "orders" / "part.parquet")
    with dk.connect(folder) as lake:
        check = cdc.validate(lake, keys="ID")
    assert check.status == "different"
    assert check.findings["explanation"].str.startswith("DMS's own tables cannot be read").tolist() == [True]


@pytest.mark.parametrize(
    ("values", "status", "lag"),
    [
        ({1: "x", 2: "b", 3: "c"}, "equal", 0),
        ({1: "x", 2: "y", 4: "d"}, "equal", 3),
        ({1: "x", 2: "other", 4: "d"}, "different", 2),
        ({2: "y", 4: "d"}, "different", 3),
    ],
)
def test_a_source_that_has_staged_changes_after_the_cut_is_ahead(
    values: dict[int, str], status: str, lag: int, tmp_path: Path
) -> None:
    """After the cut key 2 is changed, 3 deleted and 4 inserted; what no staged change tells is a difference."""
    table, lake_table = tmp_path / "_raw/staging/shop/orders", tmp_path / "shop" / "orders"
    table.mkdir(parents=True)
    lake_table.mkdir(parents=True)
    early, late = ("20260301" + digits + "0" * 21 for digits in ("090000", "110000"))
    pq.write_table(
        pa.table({"ID": [1, 2, 3], "V": list("abc"), "CDC_TIMESTAMP_SEQ": [""] * 3}), table / "LOAD00000001.parquet"
    )
    changes = {
        "Op": list("UUDI"),
        "ID": [1, 2, 3, 4],
        "V": list("xycd"),
        "CDC_TIMESTAMP_SEQ": [early, late, late, late],
    }
    pq.write_table(pa.table(changes), table / "20260301-110000000.parquet")
    rows = {"ID": [1, 2, 3], "V": list("xbc"), "CDC_TIMESTAMP_SEQ": [early, "", ""]}
    pq.write_table(pa.table(rows), lake_table / "part.parquet")
    source = pa.table({"ID": list(values), "V": list(values.values())}).to_pandas()
    with dk.connect(tmp_path) as lake:
        check = cdc.validate(lake, keys="ID", source=source, until="2026-03-01T10:00", level="values")
    assert (check.status, check.summary["lag"].iloc[0]) == (status, lag)
