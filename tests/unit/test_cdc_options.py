"""The options of a table's check: a cut, lag, tolerance, masks, settings; and input that is bad or odd."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import datalake_kit as dk
from datalake_kit.cdc import details, ordering, workspace
from datalake_kit.cdc.check import check_table
from datalake_kit.cdc.dms import DmsFile, list_dms_files
from datalake_kit.cdc.lake_side import open_side
from datalake_kit.cdc.table_check import TableCheck
from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError
from tests.replication import staging
from tests.worlds import World, expected_rows, rows_table, worlds

UTC = dt.UTC


def _files(table: str) -> list[DmsFile]:
    return [f for f in list_dms_files(staging()) if f.table == table]


def _lake(folder: Path, rows: pa.Table, table: str = "t") -> Path:
    target = folder / "taxi" / table
    target.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, target / "part-0.parquet")
    return folder


def _check(folder: Path, files: list[DmsFile], keys: Any = ("PK_ID",), **options: Any) -> TableCheck:
    chosen: dict[str, Any] = {"level": "values", "mode": "S", **options}
    mode = chosen.pop("mode")
    with dk.connect(folder) as lake:
        return check_table(open_side(lake, "taxi.t"), "s.t", files, keys, mode, count=None, **chosen)


def _state(files: list[DmsFile], **options: Any) -> pa.Table:
    return dk.cdc.expected(files, keys="PK_ID", **options).table


# --- a cut


@pytest.mark.parametrize("mode", ["S", "H"])
def test_a_lake_that_is_behind_or_ahead_of_the_cut_is_equal_at_it(mode: Any, tmp_path: Path) -> None:
    files = _files("table_10")
    cut = dk.cdc.files(staging()).query("table == 'table_10'")["last_sequence"].dropna().iloc[1]
    ahead = _check(_lake(tmp_path, _state(files, mode=mode)), files, until=cut, mode=mode)
    assert (ahead.verdict, ahead.findings) == ("equal", [])
    assert ahead.lag is not None
    assert ahead.lag > 0
    assert "newer than the cut" in ahead.explanation
    at_cut = _check(_lake(tmp_path, _state(files, mode=mode, until=cut)), files, until=cut, mode=mode)
    assert (at_cut.verdict, at_cut.lag, at_cut.explanation) == ("equal", 0, "")
    assert _check(tmp_path, files, mode=mode).verdict == "different"


def test_damage_before_the_cut_is_found_all_the_same(tmp_path: Path) -> None:
    files = _files("table_10")
    cut = dk.cdc.files(staging()).query("table == 'table_10'")["last_sequence"].dropna().iloc[2]
    lost = _state([f for n, f in enumerate(files) if n != 3])
    check = _check(_lake(tmp_path, lost), files, until=cut)
    assert check.verdict == "different"
    assert {f["file"] for f in check.findings} == {files[3].name}
    moment = files[3].time
    assert moment is not None
    assert _check(tmp_path, files, until=moment - dt.timedelta(hours=1)).verdict == "equal"


# --- lag


@settings(max_examples=12, deadline=None)
@given(world=worlds(tidy=True, moves=False), data=st.data())
def test_files_that_wait_are_lag_and_nothing_else(
    world: World, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("world")
    files = _written(world, folder)
    waiting = data.draw(st.sets(st.sampled_from(range(1, len(files))))) if len(files) > 1 else set()
    _lake(folder, rows_table([("", *r) for r in expected_rows(world.without(*waiting), "S")]))  # type: ignore[arg-type]
    landed = {files[n].name: dt.datetime(2026, 3, 1, tzinfo=UTC) for n in waiting}
    check = _check(folder, files, ["ID"], lag=landed)
    whole, behind = ({r[0]: r for r in expected_rows(w, "S")} for w in (world, world.without(*waiting)))
    late = {k for k in whole.keys() | behind.keys() if whole.get(k) != behind.get(k)}
    assert (check.verdict, check.findings, check.lag) == ("equal", [], len(late))
    if late:
        assert "not processed yet" in check.explanation
        assert _check(folder, files, ["ID"]).verdict == "different"


def _written(world: World, folder: Path) -> list[DmsFile]:
    for number, rows in enumerate(world.files):
        file = folder / world.dms_files()[number].name
        file.parent.mkdir(parents=True, exist_ok=True)
        table = rows_table(rows)
        if number >= world.loads:
            table = table.add_column(0, "Op", pa.array([r[0] for r in rows], pa.string()))
        pq.write_table(table, file)
    return list_dms_files(folder)


def test_a_waiting_file_does_not_hide_a_lost_one(tmp_path: Path) -> None:
    files = _files("table_1")
    kept = [f for n, f in enumerate(files) if n not in (1, 3)]
    check = _check(_lake(tmp_path, _state(kept)), files, lag=[files[3].name])
    assert check.verdict == "different"
    assert check.lag
    assert {f["file"] for f in check.findings} == {files[1].name}
    with pytest.raises(ParameterError, match="not staged"):
        _check(tmp_path, files, lag=["20990101-000000000.parquet"])


# --- tolerance and masks


def test_a_tolerance_is_kept_and_said(tmp_path: Path) -> None:
    files = _files("table_5")
    rows = _state(files)
    at = rows.schema.get_field_index("TOTAL_AMOUNT")
    totals = [v if v is None else v + 0.001 for v in rows.column(at).to_pylist()]
    hit = next(n for n, v in enumerate(totals) if v is not None)
    totals[hit] += 1
    _lake(tmp_path, rows.set_column(at, "TOTAL_AMOUNT", pa.array(totals)))
    check = _check(tmp_path, files, tolerance={"total_amount": 0.01})
    assert [(f["kind"], f["column"], f["explanation"]) for f in check.findings] == [
        ("changed", "TOTAL_AMOUNT", "unexplained")
    ]
    assert [c[4] for c in check.checks if "TOTAL_AMOUNT" in c[1]] == ["0.01"]
    assert check.counts["changed"] == 1
    assert _check(tmp_path, files).counts["changed"] == sum(v is not None for v in totals)


def test_masked_values_are_shown_nowhere(tmp_path: Path) -> None:
    files = _files("table_10")
    rows = _state([f for n, f in enumerate(files) if n != 3])
    at = rows.schema.get_field_index("TIP_AMOUNT")
    tips = rows.column(at).to_pylist()
    tips[0] = 87654.25
    _lake(tmp_path, rows.set_column(at, "TIP_AMOUNT", pa.array(tips)))
    open_ = _check(tmp_path, files)
    check = _check(tmp_path, files, mask=["tip_amount", "pk_id"])
    told = str(check.findings)
    assert "87654.25" in str(open_.findings)
    assert "87654.25" not in told
    assert "TIP_AMOUNT=***" in told
    assert [f["kind"] for f in check.findings] == [f["kind"] for f in open_.findings]
    keys = {f["key"]: g["key"] for f, g in zip(open_.findings, check.findings, strict=True)}
    assert all(str(masked).startswith("***") for masked in keys.values())
    assert len(set(keys.values())) == len(keys)
    assert {f["file"] for f in check.findings} == {f["file"] for f in open_.findings}


# --- before and after


def test_a_finding_tells_what_should_be_there_and_what_is(tmp_path: Path) -> None:
    files = _files("table_5")
    rows = _state(files)
    flags = rows.column("STORE_AND_FWD_FLAG").to_pylist()
    flags[2] = "é" * 500
    at = rows.schema.get_field_index("STORE_AND_FWD_FLAG")
    _lake(tmp_path, rows.set_column(at, "STORE_AND_FWD_FLAG", pa.array(flags)))
    found = _check(tmp_path, files).findings[0]
    assert (found["column"], found["before"], found["after"]) == ("STORE_AND_FWD_FLAG", "N", "é" * 200 + "...")
    _lake(tmp_path, rows.slice(1))
    found = _check(tmp_path, files).findings[0]
    assert (found["kind"], found["before"], found["after"]) == ("missing", "full load", None)


def test_very_many_keys_are_counted_though_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = _files("table_1")
    _lake(tmp_path, _state(files).slice(0, 0))
    monkeypatch.setattr(details.differences, "__kwdefaults__", {"most": 10, "without": ""})
    check = _check(tmp_path, files)
    assert (check.counts["missing"], len(check.findings)) == (2200, 10)
    assert check.summary_row()["missing"] == 2200
    assert "2190 more keys differ" in check.explanation


def test_a_column_that_is_null_in_the_whole_lake_never_arrived(tmp_path: Path) -> None:
    files = _files("table_4")
    rows = _state(files)
    at = rows.schema.get_field_index("AIRPORT_FEE")
    _lake(tmp_path, rows.set_column(at, "AIRPORT_FEE", pa.nulls(rows.num_rows, rows.schema.field(at).type)).slice(1))
    check = _check(tmp_path, files)
    assert {(f["kind"], f["column"]) for f in check.findings} == {("unverified", "AIRPORT_FEE"), ("missing", None)}
    filled = rows.num_rows - rows.column(at).null_count
    assert f"AIRPORT_FEE never arrived: {filled} rows" in check.explanation


# --- bad and odd input


def _table(folder: Path, load: dict[str, Any], changes: dict[str, Any] | None = None) -> list[DmsFile]:
    target = folder / "_staging" / "s" / "t"
    target.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(load), target / "LOAD00000001.parquet")
    if changes is not None:
        pq.write_table(pa.table(changes), target / "20260301-100000000.parquet")
    return list_dms_files(folder / "_staging")


def test_no_rows_and_all_rows_deleted(tmp_path: Path) -> None:
    none = pa.table({"ID": pa.array([], pa.int64()), "A": pa.array([], pa.string())})
    files = _table(tmp_path, {"ID": none.column(0), "A": none.column(1)})
    assert _check(_lake(tmp_path, none), files, ["ID"]).verdict == "equal"
    files = _table(tmp_path, {"ID": [1], "A": ["x"]}, {"Op": ["D"], "ID": [1], "A": ["x"]})
    for level in ("counts", "keys", "values"):
        assert _check(tmp_path, files, ["ID"], level=level).verdict == "equal"
    check = _check(_lake(tmp_path, pa.table({"ID": [1], "A": ["x"]})), files, ["ID"])
    assert check.counts == {"extra": 1}


def test_names_with_quotes_and_names_in_two_cases(tmp_path: Path) -> None:
    names = ['quo"te', "o'dd", "sp ace", "select", "seq", "file", "h", "k0", "id"]
    load = {"K'\"": [1, 2], **{n: [1, 2] for n in names}}
    files = _table(tmp_path, load, {"Op": ["U"], "K'\"": [2], **{n: [3] for n in names}})
    rows = pa.table({k: [1, 3] if k in names else v for k, v in load.items()})
    assert _check(_lake(tmp_path, rows), files, ["k'\""]).verdict == "equal"
    check = _check(_lake(tmp_path, pa.table(load)), files, ["k'\""])
    assert check.findings[0]["column"].split(", ") == names
    files = _table(tmp_path, {"ID": [1], "a": [1], "A": [2]})
    check = _check(_lake(tmp_path, pa.table({"id": [1], "a": [1]})), files, ["ID"])
    assert (check.verdict, check.findings[0]["column"]) == ("different", "A")
    check = _check(_lake(tmp_path, pa.table({"id": [1], "x": [1]})), files, ["ID"])
    assert check.verdict == "different"


def test_a_sequence_of_another_length_is_doubted_and_compared(tmp_path: Path) -> None:
    sequence = ["2" * 35, "2" * 35, "3" * 34]
    files = _table(
        tmp_path,
        {"ID": [1, 2, 3], "CDC_TIMESTAMP_SEQ": ["", "", ""]},
        {"Op": ["U", "U", "U"], "ID": [1, 2, 3], "CDC_TIMESTAMP_SEQ": sequence},
    )
    lake = pa.table({"ID": [1, 2, 3], "CDC_TIMESTAMP_SEQ": sequence})
    check = _check(_lake(tmp_path, lake), files, ["ID"])
    assert check.verdict == "equal"
    assert check.untrusted is not None
    assert check.untrusted["kind"].tolist() == ["sequence of another length"]


def test_keys_that_are_missing_null_or_of_another_type(tmp_path: Path) -> None:
    files = _table(tmp_path, {"ID": [1, None], "A": [1, 2]})
    with pytest.raises(DataError, match=r"1 staged rows of s\.t have NULL in the key column ID"):
        _check(_lake(tmp_path, pa.table({"ID": [1], "A": [1]})), files, ["ID"])
    files = _table(tmp_path, {"ID": [1.5, float("nan"), float("nan")], "A": [1, 2, 3]})
    with pytest.raises(DataError, match=r"2 staged rows of s\.t have NaN in the key column ID"):
        _check(_lake(tmp_path, pa.table({"ID": [1.5], "A": [1]})), files, ["ID"])
    files = _table(tmp_path, {"ID": [1.5, 2.5], "A": [1, 2]})
    with pytest.raises(DataError, match="a float key column holds NaN"):
        _check(_lake(tmp_path, pa.table({"ID": [1.5, float("nan"), float("nan")], "A": [1, 2, 3]})), files, ["ID"])
    files = _table(tmp_path, {"ID": [1, 2], "A": [1, 2]})
    with pytest.raises(ColumnNotFoundError, match="no key column 'IDD'"):
        _check(tmp_path, files, ["IDD"])
    with pytest.raises(DataError, match="The key column ID is missing in the lake"):
        _check(_lake(tmp_path, pa.table({"A": [1]})), files, ["ID"])
    with pytest.raises(DataError, match="The key column ID is of another type in the lake"):
        _check(_lake(tmp_path, pa.table({"ID": [[1]], "A": [1]})), files, ["ID"])
    check = _check(_lake(tmp_path, pa.table({"ID": [1, 2, None], "A": [1, 2, 3]})), files, ["ID"])
    assert [(f["kind"], f["key"]) for f in check.findings] == [("extra", None)]


def test_more_passes_than_one_find_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "ROWS_A_PASS", 100)
    files = _files("table_4")
    rows = _state(files)
    check = _check(_lake(tmp_path, pa.concat_tables([rows, rows.slice(5, 2)])), files)
    assert check.counts == {"duplicate": 2}
    assert check.untrusted is not None
    assert (check.untrusted["kind"] == "duplicate key in the full load").any()


# --- the room that is worked in


def _folders() -> set[str]:
    return {p.name for p in Path(tempfile.gettempdir()).glob("datalake-kit-work-*")}


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_nothing_is_left_behind(scratch: Path, tmp_path: Path) -> None:
    files = _files("table_10")
    _check(_lake(tmp_path, _state(files).slice(3)), files)
    with pytest.raises(ColumnNotFoundError):
        _check(tmp_path, files, ["nothing"])
    with pytest.raises(ZeroDivisionError), workspace.Workspace() as work:
        assert work.folder.is_dir()
        raise ZeroDivisionError
    assert list(scratch.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="asks for a process by its id")
def test_what_a_killed_run_left_is_removed_by_the_next(scratch: Path) -> None:
    code = (
        "import time; from datalake_kit.cdc.workspace import Workspace\n"
        "with Workspace() as work:\n"
        "    print(work.folder, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "TMPDIR": str(scratch)}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as run:
        assert run.stdout is not None
        left = Path(run.stdout.readline().strip())
        with workspace.Workspace():
            assert left.is_dir()  # its owner is alive
        run.send_signal(signal.SIGKILL)
        run.wait()
    assert left.is_dir()
    with workspace.Workspace():
        assert not left.exists()


def test_too_little_room_is_said(scratch: Path) -> None:
    begun = time.monotonic()
    with workspace.Workspace(memory_mb=1, threads=1) as work:
        work.run("SET max_temp_directory_size = '1MB'")
        with pytest.raises(DataError, match="Not enough room"):
            work.run(
                "CREATE TABLE t AS SELECT range AS i, repeat('x', 1000) || range AS t FROM range(2000000) ORDER BY t"
            )
    assert time.monotonic() - begun < 60
