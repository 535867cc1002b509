"""Validation of real tables, healthy and damaged, and of tables that lost other files than those at hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import datalake_kit as dk
from datalake_kit.cdc.dms import DmsFile, list_dms_files
from datalake_kit.errors import DataError, NotFoundError, ParameterError, UnreadableFileError
from tests.replication import READABLE, TRUTH, UNREADABLE, lake_of, odp_table, staging

KINDS = {"missing": "missing", "extra": "extra", "changed": "changed", "duplicate": "duplicate"}


def _check(folder: Path, **options: Any) -> dk.cdc.Validation:
    with dk.connect(folder) as lake:
        return dk.cdc.validate(lake, **options)


def _keys(check: dk.cdc.Validation, kind: str) -> list[Any]:
    return sorted(check.findings.loc[check.findings["kind"] == kind, "key"])


@pytest.mark.parametrize("level", ["counts", "values"])
@pytest.mark.parametrize("name", READABLE)
def test_every_table_gets_the_keys_and_the_reason_of_its_story(name: str, level: Any, tmp_path: Path) -> None:
    truth = TRUTH[name]
    folder = lake_of(tmp_path, {"t": odp_table(name)}, staged={"t": truth["source"]})
    check = _check(folder, level=level)
    row = check.summary.iloc[0]
    assert (row["expected"], row["lake"], row["mode"]) == (truth["expected_rows"], truth["rows"], truth["mode"])
    wrong = {kind: truth[kind] or [] for kind in KINDS}
    assert {kind: _keys(check, kind) for kind in KINDS} == wrong
    assert check.ok == (not any(wrong.values()))
    assert check.status == ("equal" if check.ok else "different")
    assert not check.findings["explanation"].str.startswith("unexplained").any()
    if check.ok:
        assert check.findings.empty
        assert row["explanation"] == ""
    for file in truth["withheld"] or []:
        rest = file.split("/", 1)[1]
        assert check.findings["file"].str.endswith(rest).all()
        assert rest in check.sentence


@pytest.mark.parametrize("name", UNREADABLE)
def test_files_of_the_table_that_are_gone_or_cut(name: str, tmp_path: Path) -> None:
    truth = TRUTH[name]
    folder = lake_of(tmp_path, {"t": odp_table(name)}, staged={"t": truth["source"]})
    check = _check(folder)
    assert check.status == "different"
    fault = check.findings[check.findings["kind"] == "unverified"].iloc[0]
    assert fault["file"].endswith(".parquet" if "base" in name else ".log.1_0-1395-1897")
    if truth["rows"] is None:
        truth = TRUTH["damaged/v6_table_1_base_deleted.zip"]
        assert len(_keys(check, "missing")) == len(truth["missing"])
    else:
        assert {kind: _keys(check, kind) for kind in KINDS} == {kind: truth[kind] for kind in KINDS}
    assert not check.findings["explanation"].str.startswith("unexplained").any()
    lost = check.findings[check.findings["kind"].isin(["missing", "changed"])]
    assert (lost["file"] == fault["file"]).all()
    assert fault["file"] in check.sentence
    with dk.connect(folder) as lake, pytest.raises(UnreadableFileError, match="Restore it"):
        dk.hudi.read(lake, "taxi.t")


# --- other tables that lost other files: plain Parquet, replayed from the staging without them


def _plain_lake(folder: Path, files: list[DmsFile], without: list[DmsFile], mode: Any = "S") -> Path:
    kept = dk.cdc.expected([f for f in files if f not in without], keys="PK_ID", mode=mode).table
    target = folder / "taxi" / files[0].table
    target.mkdir(parents=True)
    pq.write_table(kept.slice(0, kept.num_rows // 2), target / "part-0.parquet")
    pq.write_table(kept.slice(kept.num_rows // 2), target / "part-1.parquet")
    shutil.copytree(staging() / "taxi_trips" / files[0].table, folder / "_raw/staging/taxi_trips" / files[0].table)
    return folder


def _files(table: str) -> list[DmsFile]:
    return [f for f in list_dms_files(staging()) if f.table == table]


CHANGES = [
    f for table in ("table_1", "table_2", "table_3", "table_4", "table_5", "table_10") for f in _files(table)[1:]
]


@pytest.mark.parametrize("mode", ["S", "H"])
@pytest.mark.parametrize("lost", CHANGES, ids=lambda f: f.name)
def test_any_withheld_file_is_named(lost: DmsFile, mode: Any, tmp_path: Path) -> None:
    folder = _plain_lake(tmp_path, _files(lost.table), [lost], mode)
    check = _check(folder, keys="PK_ID", mode=mode)
    if lost.name.endswith("20260301-100107219.parquet") and mode == "S":
        assert check.ok  # later files overwrite or delete every key of it
        return
    assert check.status == "different"
    kinds = check.findings["kind"].unique()
    assert set(check.findings["file"]) == {lost.name}, (kinds, check.sentence)
    assert lost.name in check.sentence
    assert f"taxi.{lost.table} is different" in check.sentence


def test_two_withheld_files_are_both_named(tmp_path: Path) -> None:
    files = _files("table_10")
    folder = _plain_lake(tmp_path, files, [files[1], files[4]])
    check = _check(folder, keys={"taxi.table_10": ["PK_ID"]})
    assert {name for f in check.findings["file"] for name in f.split(", ")} == {files[1].name, files[4].name}


def test_a_whole_plain_table_is_equal(tmp_path: Path) -> None:
    folder = _plain_lake(tmp_path, _files("table_10"), [])
    for level in ("counts", "keys", "values"):
        check = _check(folder, keys="pk_id", level=level)
        assert check.ok, check.sentence
        assert check.summary["compared"].tolist() == [level]


def test_every_file_lost_from_a_historical_table(tmp_path: Path) -> None:
    table = lake_of(tmp_path, {"t": odp_table("tables/v8_table_10_history")}, staged={"t": "table_10"})
    extra = tmp_path / "_raw/staging/taxi_trips/t/2026/03/02/20260302-020000000.parquet"
    rows = pq.read_table(_files("table_10")[2].path)
    names = [f"20260302015900000000000000000000{n:03d}" for n in range(rows.num_rows)]
    at = rows.schema.get_field_index("CDC_TIMESTAMP_SEQ")
    pq.write_table(rows.set_column(at, "CDC_TIMESTAMP_SEQ", pa.array(names)), extra)
    check = _check(table)
    assert _keys(check, "missing") == sorted(zip(rows.column("PK_ID").to_pylist(), names, strict=True))
    assert check.findings["file"].str.endswith(extra.name).all()


# --- mutations on a healthy table


@pytest.fixture
def healthy(tmp_path: Path) -> Path:
    return lake_of(tmp_path, {"t": odp_table("tables/v6_table_10_mor")}, staged={"t": "table_10"})


def test_a_log_file_removed(healthy: Path) -> None:
    log = next((healthy / "taxi" / "t").glob("VENDORID=2/.*log.3*"))
    log.unlink()
    check = _check(healthy)
    assert check.status == "different"
    assert check.findings["file"].str.endswith(log.name).all()


def test_a_duplicate_key_across_partitions(tmp_path: Path) -> None:
    source = _files("table_5")
    folder = _plain_lake(tmp_path, source, [])
    rows = pq.read_table(folder / "taxi/table_5/part-0.parquet").slice(0, 1)
    at = rows.schema.get_field_index("VENDORID")
    pq.write_table(rows.set_column(at, "VENDORID", pa.array([9])), folder / "taxi/table_5/part-2.parquet")
    check = _check(folder, keys="PK_ID")
    assert _keys(check, "duplicate") == rows.column("PK_ID").to_pylist()
    assert check.findings["explanation"].tolist() == ["unexplained (2 rows; the newest is right)"]


def test_a_changed_value_is_seen_at_level_values_only_and_counts_say_what_they_compared(tmp_path: Path) -> None:
    folder = _plain_lake(tmp_path, _files("table_5"), [])
    file = folder / "taxi/table_5/part-0.parquet"
    rows = pq.read_table(file)
    totals = rows.column("TOTAL_AMOUNT").to_pylist()
    totals[3] += 0.01
    pq.write_table(rows.set_column(rows.schema.get_field_index("TOTAL_AMOUNT"), "TOTAL_AMOUNT", pa.array(totals)), file)
    check = _check(folder, keys="PK_ID", level="values")
    assert check.findings[["kind", "column", "explanation"]].values.tolist() == [
        ["changed", "TOTAL_AMOUNT", "unexplained"]
    ]
    assert _check(folder, keys="PK_ID").summary["compared"].tolist() == ["counts"]


def test_a_column_that_never_arrived(tmp_path: Path) -> None:
    folder = _plain_lake(tmp_path, _files("table_4"), [])
    for file in (folder / "taxi/table_4").iterdir():
        pq.write_table(pq.read_table(file).drop_columns(["AIRPORT_FEE"]), file)
    for level in ("counts", "values"):
        check = _check(folder, keys="PK_ID", level=level)
        assert check.status == "different"
        assert check.findings[["kind", "column"]].values.tolist() == [["unverified", "AIRPORT_FEE"]]


def test_a_column_of_a_type_that_cannot_be_compared_is_not_equal(tmp_path: Path) -> None:
    folder = _plain_lake(tmp_path, _files("table_5"), [])
    for file in (folder / "taxi/table_5").iterdir():
        rows = pq.read_table(file)
        at = rows.schema.get_field_index("TIP_AMOUNT")
        pq.write_table(rows.set_column(at, "TIP_AMOUNT", pa.array([[1]] * rows.num_rows)), file)
    check = _check(folder, keys="PK_ID", level="values")
    assert check.status == "not compared"
    assert "TIP_AMOUNT" in check.sentence


def test_other_types_of_the_same_values_are_equal(tmp_path: Path) -> None:
    folder = _plain_lake(tmp_path, _files("table_5"), [])
    for file in (folder / "taxi/table_5").iterdir():
        rows = pq.read_table(file)
        for name, kind in {
            "PK_ID": pa.int32(),
            "VENDORID": pa.string(),
            "TPEP_PICKUP_DATETIME": pa.timestamp("ms"),
        }.items():
            at = rows.schema.get_field_index(name)
            rows = rows.set_column(at, name, rows.column(name).cast(kind))
        pq.write_table(rows, file)
    assert _check(folder, keys="PK_ID", level="values").ok


def test_a_full_load_row_has_no_sequence_whether_null_or_empty(tmp_path: Path) -> None:
    folder = _plain_lake(tmp_path, _files("table_5"), [])
    for file in (folder / "taxi/table_5").iterdir():
        rows = pq.read_table(file)
        at = rows.schema.get_field_index("CDC_TIMESTAMP_SEQ")
        named = [s or None for s in rows.column(at).to_pylist()]
        pq.write_table(rows.set_column(at, "CDC_TIMESTAMP_SEQ", pa.array(named, pa.string())), file)
    for level in ("counts", "keys", "values"):
        assert _check(folder, keys="PK_ID", level=level).ok


# --- what cannot be compared is said to be so


def test_a_cut_parquet_file_of_a_plain_table_is_named_and_the_rest_compared(tmp_path: Path) -> None:
    folder = _plain_lake(tmp_path, _files("table_5"), [])
    file = folder / "taxi/table_5/part-1.parquet"
    lost = pq.read_table(file).column("PK_ID").to_pylist()
    file.write_bytes(file.read_bytes()[:-30])
    for level in ("counts", "keys", "values"):
        check = _check(folder, keys="PK_ID", level=level)
        assert (check.status, check.ok) == ("different", False)
        assert _keys(check, "missing") == sorted(lost)
        assert set(check.findings["file"]) == {"part-1.parquet"}
        assert str(file) in check.sentence
        assert check.summary["lake"].tolist() == [check.summary["expected"].iloc[0] - len(lost)]


def test_a_plain_table_of_which_no_file_can_be_read_is_not_compared(tmp_path: Path) -> None:
    folder = _plain_lake(tmp_path, _files("table_5"), [])
    for file in (folder / "taxi/table_5").iterdir():
        file.write_bytes(b"PAR1")
    check = _check(folder, keys="PK_ID")
    assert check.status == "not compared"
    assert check.summary[["lake", "missing"]].isna().all(axis=None)


@pytest.mark.parametrize("broken", ["t", "u"])
def test_a_base_file_of_wrong_content_does_not_spoil_the_other_tables(broken: str, tmp_path: Path) -> None:
    table = odp_table("tables/v6_table_1")
    folder = lake_of(tmp_path, {"t": table, "u": table}, staged={"t": "table_1", "u": "table_1"})
    file = Path(str(dk.hudi.open_snapshot(folder / "taxi" / broken).parquet_files[0]))
    lost = pq.read_table(file, partitioning=None).column("PK_ID").to_pylist()
    file.write_bytes(b"x" * file.stat().st_size)
    check = _check(folder)
    verdicts = dict(zip(check.summary["table"], check.summary["verdict"], strict=True))
    assert verdicts == {"taxi.t": "equal", "taxi.u": "equal"} | {f"taxi.{broken}": "different"}
    assert _keys(check, "missing") == sorted(lost)
    assert check.findings["file"].str.endswith(file.name).all()
    assert file.name in check.sentence


def test_a_commit_that_cannot_be_read(healthy: Path) -> None:
    commit = sorted((healthy / "taxi/t/.hoodie").glob("*.deltacommit"))[-1]
    commit.write_bytes(b"")
    check = _check(healthy)
    assert check.status == "not compared"
    assert str(commit) in check.sentence


def test_a_staged_file_cut_short_or_of_another_name(healthy: Path) -> None:
    file = next((healthy / "_raw").rglob("20260302-013717988.parquet"))
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    check = _check(healthy)
    assert check.status == "not compared"
    assert file.name in check.sentence
    file.write_bytes(whole)
    file.rename(file.with_name("odd.parquet"))
    assert _check(healthy).status == "not compared"


def test_tables_without_staging(healthy: Path) -> None:
    shutil.copytree(healthy / "taxi" / "t", healthy / "taxi" / "other")
    assert _check(healthy).summary["table"].tolist() == ["taxi.t"]
    check = _check(healthy, tables=["taxi.t", "taxi.other"])
    assert check.summary["verdict"].tolist() == ["equal", "not compared"]
    assert "no staging table other" in check.sentence
    assert _check(healthy, tables={"taxi.other": "t", "taxi.t": "taxi_trips.t"}).ok


def test_staged_tables_that_nothing_was_compared_with_are_told(healthy: Path) -> None:
    shutil.copytree(staging() / "taxi_trips" / "table_5", healthy / "_raw/staging/taxi_trips/forgotten")
    assert _check(healthy).provenance["staging tables not compared"] == ["taxi_trips.forgotten"]


def test_several_staging_tables_of_one_name(healthy: Path) -> None:
    shutil.copytree(staging() / "taxi_trips" / "table_10", healthy / "_raw/staging/elsewhere/t")
    check = _check(healthy)
    assert check.status == "not compared"
    assert "several staging tables" in check.sentence
    assert _check(healthy, tables={"taxi.t": "elsewhere.t"}).ok
    (healthy / "_raw/staging/elsewhere").rename(healthy / "_raw/staging/taxi")
    assert _check(healthy).summary["staging"].tolist() == ["taxi.t"]


def test_arguments_that_cannot_be_used(healthy: Path, tmp_path: Path) -> None:
    with dk.connect(healthy) as lake:
        with pytest.raises(ParameterError, match="level is one of"):
            dk.cdc.validate(lake, level="all")  # type: ignore[arg-type]
        with pytest.raises(NotFoundError, match="Did you mean t"):
            dk.cdc.validate(lake, ["taxi.tt"])
        with pytest.raises(ParameterError, match="tables is a list"):
            dk.cdc.validate(lake, "taxi.t")
        with pytest.raises(ParameterError, match="names no table"):
            dk.cdc.validate(lake, [])
        with pytest.raises(UnreadableFileError, match="No such staging folder"):
            dk.cdc.validate(lake, staging=tmp_path / "none")
        with pytest.raises(DataError, match="No lake table has a staging table of its name"):
            dk.cdc.validate(lake, staging=staging())
        with pytest.raises(ParameterError, match="mode is"):
            dk.cdc.validate(lake, mode="Z")  # type: ignore[arg-type]


def test_keys_of_a_plain_table_must_be_given(tmp_path: Path) -> None:
    folder = _plain_lake(tmp_path, _files("table_5"), [])
    with dk.connect(folder) as lake, pytest.raises(ParameterError, match="Give keys="):
        dk.cdc.validate(lake, ["taxi.table_5"])
    check = _check(folder)
    assert check.status == "not compared"
    assert "Give keys=" in check.sentence


def test_wrong_keys_are_told(tmp_path: Path) -> None:
    folder = _plain_lake(tmp_path, _files("table_5"), [])
    check = _check(folder, keys="PK_IDS")
    assert check.status == "not compared"
    assert "Did you mean PK_ID" in check.sentence


# --- counts and reports


def test_counts_in_one_statement(tmp_path: Path) -> None:
    tables = {
        "table_1": odp_table("tables/v6_table_1"),
        "table_10": odp_table("tables/v6_table_10_mor"),
        "table_2": odp_table("tables/v8_table_2"),
    }
    with dk.connect(lake_of(tmp_path, tables)) as lake:
        counts = dk.cdc.row_counts(lake)
        assert counts["table_name"].tolist() == ["taxi.table_1", "taxi.table_2", "taxi.table_10"]
        assert counts["row_count"].tolist() == [2200, 2022, 2003]
        assert dk.cdc.row_counts(lake, ["taxi.table_2"])["row_count"].tolist() == [2022]
        assert dk.cdc.row_counts(lake, []).empty
        with pytest.raises(NotFoundError):
            dk.cdc.row_counts(lake, ["taxi.table_9"])
        with pytest.raises(ParameterError):
            dk.cdc.row_counts(lake, "taxi.table_1")


def test_the_report_is_whole_and_escaped(tmp_path: Path) -> None:
    name = "<b>t & co"
    folder = lake_of(tmp_path, {name: odp_table("damaged/v6_table_10_withheld")}, staged={name: "table_10"})
    check = _check(folder)
    page = check.to_html()
    assert "<b>t" not in page
    assert "&lt;b&gt;t &amp; co" in page
    order = ["Replication check", "What was compared", "Counts", "worst first", "Keys: changed", "Checks"]
    assert [page.index(title) for title in order] == sorted(page.index(title) for title in order)
    assert "20260301-102509832.parquet was never processed" in page
    assert "<b>" not in check._repr_html_()
    assert "## Keys: changed" in check.to_markdown()
    told = json.loads(json.dumps(check.to_dict()))
    assert (told["status"], told["ok"]) == ("different", False)
    assert [f["key"] for f in told["findings"]] == [171, 254, 1423]
    assert told["summary"][0]["changed"] == 3


def test_a_report_says_how_many_rows_it_leaves_out(tmp_path: Path) -> None:
    folder = lake_of(tmp_path, {"t": odp_table("damaged/v6_table_1_withheld")}, staged={"t": "table_1"})
    check = _check(folder)
    assert "50 more rows are not shown" in check.to_html()
    assert "50 more rows are not shown" in check.to_markdown()


@pytest.mark.parametrize("name", ["o'dd", "a.b", 'quo"te', "sp ace; drop table x --", "déjà"])
def test_odd_table_names(name: str, tmp_path: Path) -> None:
    folder = lake_of(tmp_path, {name: odp_table("tables/v6_table_5_global")}, staged={name: "table_5"})
    check = _check(folder, level="values")
    assert check.ok, check.sentence
    with dk.connect(folder) as lake:
        assert len(dk.hudi.read(lake, check.summary["table"].iloc[0])) == 294


def test_rows_by_the_file_that_wrote_them_last(tmp_path: Path) -> None:
    folder = lake_of(tmp_path, {"t": odp_table("damaged/v6_table_10_withheld")}, staged={"t": "table_10"})
    by_file = _check(folder).by_file
    assert by_file["difference"].tolist() == [3, 0, 0, -3, 0, 0]
    assert by_file["expected"].sum() == by_file["lake"].sum() == 2003
