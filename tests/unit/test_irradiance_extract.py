"""Extraction: every file is used or named, a day is finished or not there, and nothing is lost on the way."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shutil
import signal
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from datalake_kit.errors import ConfigError, DataError, PointNotFoundError, UnreadableFileError
from datalake_kit.irradiance import extract, plan
from datalake_kit.irradiance.describing.point_forms import index_points
from datalake_kit.irradiance.describing.product import MSG_MDSSFTD
from datalake_kit.irradiance.extracting import executors, memory, ways
from datalake_kit.irradiance.extracting.days import DayJob
from datalake_kit.irradiance.extracting.listing import SourceFile
from datalake_kit.irradiance.stored import daily
from tests import satellite
from tests.satellite import DAY, POINTS

NEXT = DAY + timedelta(days=1)
TEN_DAYS = [DAY + timedelta(days=i) for i in range(10)]


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    satellite.write_day(folder, DAY)
    satellite.write_day(folder, NEXT)
    return folder


@pytest.fixture
def files(tmp_path: Path, two_days: Path) -> Path:
    return shutil.copytree(two_days, tmp_path / "files")


@pytest.fixture
def few_files(tmp_path: Path) -> Path:
    for day in range(3):
        satellite.write_day(tmp_path / "few", DAY + timedelta(days=day), step=240)
    return tmp_path / "few"


def rows(table: Path) -> pd.DataFrame:
    days = [pq.read_table(p, partitioning=None).to_pandas() for p in sorted(table.glob("date=*/points.parquet"))]
    return pd.concat(days, ignore_index=True)


def test_values_are_those_of_netcdf4_bit_for_bit(files: Path, tmp_path: Path) -> None:
    result = extract(files, POINTS, tmp_path / "t")
    table = rows(result.table)
    for path in sorted(files.rglob("*.nc")):
        slot = datetime.strptime(path.name[-15:-3], "%Y%m%d%H%M").replace(tzinfo=UTC)
        here = table[table["time"] == slot.replace(tzinfo=None)].set_index("point_id")
        with netCDF4.Dataset(path) as file:
            for point in result.points.itertuples():
                for name, column in (("DSSF_TOT", "ghi"), ("FRACTION_DIFFUSE", "fraction_diffuse")):
                    assert here.loc[point.point_id, column] == file[name][0, point.row, point.column]
                assert here.loc[point.point_id, "quality_flag"] == file["quality_flag"][0, point.row, point.column]
    assert len(table) == result.rows == 48 * 3
    assert result.readers == {"chunks": 48}


def test_the_result_adds_up_and_shows_itself(files: Path, tmp_path: Path) -> None:
    result = extract(files, POINTS, tmp_path / "t")
    assert result.adds_up
    assert (result.files_seen, result.files_used, len(result.rejects), len(result.missing)) == (48, 48, 0, 0)
    assert "2 days (2 read, 0 kept), 48 files seen = 48 used + 0 rejected" in repr(result)
    assert "48 by chunks" in str(result)
    assert "read now       48 files in " in str(result)
    assert " files/s, " in str(result)
    again = extract(files, POINTS, tmp_path / "t")
    assert "nothing: every day was finished" in str(again)
    assert again.workers == "nothing was read"
    assert "<table>" in result._repr_html_()
    assert result.source_bytes == sum(p.stat().st_size for p in files.rglob("*.nc"))


def test_rows_are_sorted_and_the_layout_is_hive(files: Path, tmp_path: Path) -> None:
    extract(files, POINTS, tmp_path / "t")
    path = tmp_path / "t" / "date=2025-06-18" / "points.parquet"
    table = pq.read_table(path, partitioning=None).to_pandas()
    pd.testing.assert_frame_equal(table, table.sort_values(["point_id", "time"], ignore_index=True))
    assert [f.name for f in pq.read_schema(path)] == ["time", "point_id", "ghi", "fraction_diffuse", "quality_flag"]
    assert str(pq.read_schema(path).field("time").type) == "timestamp[us]"


def _alien(folder: Path) -> None:
    (folder / "2025/06/18/readme.txt").write_text("not a file of the product")


def _duplicate(folder: Path) -> None:
    (folder / "more").mkdir()
    shutil.copy(folder / "2025/06/18" / satellite.name_of(DAY), folder / "more")


def _misplaced(folder: Path) -> None:
    path = folder / "2025/06/18" / satellite.name_of(DAY + timedelta(hours=3))
    path.rename(folder / "2025/06/19" / path.name)


def _cut_short(folder: Path) -> None:
    path = folder / "2025/06/18" / satellite.name_of(DAY + timedelta(hours=3))
    path.write_bytes(path.read_bytes()[:-100])


def _empty(folder: Path) -> None:
    (folder / "2025/06/18" / satellite.name_of(DAY + timedelta(hours=3))).write_bytes(b"")


def _html(folder: Path) -> None:
    (folder / "2025/06/18" / satellite.name_of(DAY + timedelta(hours=3))).write_text("<html>404</html>")


def _other_time(folder: Path) -> None:
    satellite.write_file(folder, DAY + timedelta(hours=3), start=DAY + timedelta(hours=3, minutes=15))


def _other_grid(folder: Path) -> None:
    satellite.write_file(folder, DAY + timedelta(hours=3), latitude=satellite.LATITUDE + np.float32(0.05))


def _without_variable(folder: Path) -> None:
    satellite.write_file(folder, DAY + timedelta(hours=3), without="FRACTION_DIFFUSE")


@pytest.mark.parametrize(
    ("damage", "reason", "seen", "lost"),
    [
        (_alien, "alien", 49, 0),
        (_duplicate, "duplicate", 49, 0),
        (_misplaced, "misplaced", 48, 1),
        (_cut_short, "cut short", 48, 1),
        (_empty, "empty", 48, 1),
        (_html, "unreadable", 48, 1),
        (_other_time, "other time", 48, 1),
        (_other_grid, "other grid", 48, 1),
        (_without_variable, "missing variable", 48, 1),
    ],
)
def test_a_bad_file_is_named_with_its_reason(
    files: Path, tmp_path: Path, damage: Any, reason: str, seen: int, lost: int
) -> None:
    damage(files)
    result = extract(files, POINTS, tmp_path / "t")
    assert result.rejects["reason"].tolist() == [reason]
    assert (result.files_seen, result.files_used) == (seen, 48 - lost)
    assert result.adds_up
    assert len(rows(result.table)) == (48 - lost) * 3  # a gap, no zero
    if lost:
        assert result.missing["time"].tolist() == [pd.Timestamp(DAY + timedelta(hours=3))]
    again = extract(files, POINTS, tmp_path / "t")
    pd.testing.assert_frame_equal(again.rejects, result.rejects)
    assert again.days_kept == again.days
    with pytest.raises(UnreadableFileError):
        extract(files, POINTS, tmp_path / "other", on_bad="raise")


def test_a_missing_slot_is_a_gap_and_is_listed(files: Path, tmp_path: Path) -> None:
    (files / "2025/06/18" / satellite.name_of(DAY + timedelta(hours=3))).unlink()
    result = extract(files, POINTS, tmp_path / "t")
    assert result.missing.to_dict("records") == [{"time": pd.Timestamp(DAY + timedelta(hours=3)), "why": "no file"}]
    assert result.step_seconds == 3600
    assert (DAY + timedelta(hours=3)).replace(tzinfo=None) not in set(rows(result.table)["time"])


def test_a_finished_day_is_not_read_again(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extract(files, POINTS, tmp_path / "t")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "t").rglob("*") if p.is_file()}

    def refuse(*_: Any) -> None:
        raise AssertionError("a day was read again")

    monkeypatch.setattr(ways, "extract_day", refuse)
    again = extract(files, POINTS, tmp_path / "t")
    assert len(again.days_kept) == 2
    assert again.rows == 48 * 3
    assert again.written_bytes == 0
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "t").rglob("*") if p.is_file()} == before


def test_a_changed_file_makes_its_day_new_and_no_other(files: Path, tmp_path: Path) -> None:
    extract(files, POINTS, tmp_path / "t")
    path = files / "2025/06/18" / satellite.name_of(DAY)
    os.utime(path, ns=(1, 1))
    assert [str(d) for d in extract(files, POINTS, tmp_path / "t").days_kept] == ["2025-06-19"]
    (files / "2025/06/19" / satellite.name_of(NEXT)).unlink()
    result = extract(files, POINTS, tmp_path / "t")
    assert [str(d) for d in result.days_kept] == ["2025-06-18"]
    assert result.rows == 47 * 3


@pytest.mark.parametrize("name", ["points.parquet", "_manifest.json"])
def test_a_day_stopped_between_its_two_files_is_read_again(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    undisturbed = extract(files, POINTS, tmp_path / "whole")
    real = daily.write_atomically

    def stop(target: Path) -> Any:
        if target.name == name and "06-19" in str(target):
            raise KeyboardInterrupt
        return real(target)

    monkeypatch.setattr(daily, "write_atomically", stop)
    with pytest.raises(KeyboardInterrupt):
        extract(files, POINTS, tmp_path / "t")
    monkeypatch.undo()
    result = extract(files, POINTS, tmp_path / "t")
    assert [str(d) for d in result.days_kept] == ["2025-06-18"]
    pd.testing.assert_frame_equal(rows(result.table), rows(undisturbed.table))
    assert not list((tmp_path / "t").rglob("._writing-*"))


@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
def test_a_parquet_file_that_is_not_the_manifests_is_written_again(files: Path, tmp_path: Path, damage: str) -> None:
    extract(files, POINTS, tmp_path / "t")
    first, second = (tmp_path / "t" / f"date=2025-06-{d}" / "points.parquet" for d in (18, 19))
    if damage == "gone":
        first.unlink()
    else:
        first.write_bytes(first.read_bytes()[:-9] if damage == "cut" else second.read_bytes())
    result = extract(files, POINTS, tmp_path / "t")
    assert [str(d) for d in result.days_kept] == ["2025-06-19"]
    assert rows(result.table)["time"].nunique() == 48


def test_points_of_the_table_are_never_dropped(files: Path, tmp_path: Path) -> None:
    extract(files, POINTS, tmp_path / "t")
    os.utime(files / "2025/06/18" / satellite.name_of(DAY), ns=(1, 1))
    before = rows(tmp_path / "t")
    with pytest.raises(DataError, match="would drop: milan"):
        extract(files, POINTS[:2], tmp_path / "t")
    with pytest.raises(DataError, match="would drop: FRACTION_DIFFUSE"):
        extract(files, POINTS, tmp_path / "t", variables=["ghi", "quality_flag"])
    with pytest.raises(DataError, match="another place: turin"):
        extract(files, [("turin", 45.0, 7.69), *POINTS[1:]], tmp_path / "t")
    pd.testing.assert_frame_equal(rows(tmp_path / "t"), before)
    more = extract(files, [*POINTS, ("new", 45.3, 8.3)], tmp_path / "t")
    assert more.days_kept == ()
    assert rows(tmp_path / "t")["point_id"].nunique() == 4


def test_masked_points_are_an_error_or_gaps(files: Path, tmp_path: Path) -> None:
    points = [*POINTS, ("at_sea", 44.2, 9.2)]
    with pytest.raises(PointNotFoundError, match=r"1 points are masked .*at_sea \(44.2, 9.2\)"):
        extract(files, points, tmp_path / "t")
    assert not (tmp_path / "t").exists()
    result = extract(files, points, tmp_path / "t", on_masked="keep")
    assert result.masked_point_days == 2
    assert rows(result.table).set_index("point_id").loc["at_sea", "ghi"].isna().all()


def test_fewer_variables_and_a_glob(files: Path, tmp_path: Path) -> None:
    result = extract(str(files / "2025/06/18/*.nc"), POINTS, tmp_path / "t", variables=["DSSF_TOT"])
    assert list(rows(result.table).columns) == ["time", "point_id", "ghi"]
    assert result.files_seen == 24


@pytest.mark.parametrize("executor", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_days_may_run_in_any_executor(files: Path, tmp_path: Path, executor: Any) -> None:
    here = extract(files, POINTS, tmp_path / "here")
    import multiprocessing

    options = {"mp_context": multiprocessing.get_context("spawn")} if executor is ProcessPoolExecutor else {}
    with executor(2, **options) as pool:
        there = extract(files, POINTS, tmp_path / "there", executor=pool)
    pd.testing.assert_frame_equal(rows(here.table), rows(there.table))


class Cluster:
    """As a dask client: futures of its own, done in any order."""

    def __init__(self, *, tells: bool = True) -> None:
        self.waiting: list[Later] = []
        self.tells = tells

    def submit(self, fn: Any, /, *args: Any) -> Any:
        future = (Later if self.tells else Silent)(lambda: fn(*args))
        self.waiting.append(future)
        if self.tells and len(self.waiting) == 3:
            threading.Thread(target=self._run).start()
        return future

    def _run(self) -> None:
        while self.waiting:
            self.waiting.pop().run()  # the last first


class Silent:
    """A future that can only be waited for."""

    def __init__(self, call: Any) -> None:
        self.call, self.cancelled = call, False

    def result(self) -> Any:
        return self.call()

    def cancel(self) -> None:
        self.cancelled = True


class Later(Silent):
    def run(self) -> None:
        value = self.call()
        self.call = lambda: value
        self.tell(self)

    def add_done_callback(self, tell: Any) -> None:
        self.tell = tell


@pytest.mark.parametrize("tells", [True, False])
def test_days_may_run_in_a_cluster_in_any_order(few_files: Path, tmp_path: Path, tells: bool) -> None:
    here = extract(few_files, POINTS, tmp_path / "here")
    there = extract(few_files, POINTS, tmp_path / "there", executor=Cluster(tells=tells), on_masked="keep")
    pd.testing.assert_frame_equal(rows(here.table), rows(there.table))
    assert there.workers == "Cluster"
    assert here == replace(there, table=here.table)


def test_not_all_days_wait_in_an_executor_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "extract_day", lambda job: job.day)
    job = DayJob(tmp_path, DAY.date(), MSG_MDSSFTD, (), (), (), pd.DataFrame(index=range(10_000)), "")
    assert 16 <= executors.days_ahead([job]) * len(pickle.dumps(POINTS * 3000)) < 100_000_000
    assert executors.days_ahead([job]) < executors.days_ahead([replace(job, points=job.points[:100])])
    monkeypatch.setattr(executors, "days_ahead", lambda _: 3)
    cluster = Cluster(tells=False)
    for number, _ in enumerate(executors.run_in_executor(cluster, [replace(job, day=d.date()) for d in TEN_DAYS])):
        assert len(cluster.waiting) == min(number + 3, 10)


def test_two_processes_make_the_same_table(few_files: Path, tmp_path: Path) -> None:
    here = extract(few_files, POINTS, tmp_path / "here", workers=1)
    there = extract(few_files, POINTS, tmp_path / "there", workers=2)
    pd.testing.assert_frame_equal(rows(here.table), rows(there.table))
    assert here.workers == "1 process"
    assert there.workers in ("1 process", "2 processes")  # here the second may come too late to be of use


def test_processes_are_started_where_there_is_enough_to_do_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def jobs(days: int, size: int) -> list[DayJob]:
        files = tuple(SourceFile(Path(f"/{i}"), DAY, size, 1) for i in range(96))
        return [DayJob(Path(), DAY.date(), MSG_MDSSFTD, (), files, (), pd.DataFrame(), "")] * days

    monkeypatch.setattr(ways, "_cores", lambda: 4)
    way = ways.Way(executor=None, workers=None)
    assert [way.processes(jobs(days, 20_000)) for days in (0, 1, 3, 30)] == [1, 1, 1, 4]
    assert [way.processes(jobs(days, 2_700_000)) for days in (1, 2, 30)] == [1, 1, 4]
    assert [way.threads(jobs(1, size)[0], 1) for size in (20_000, 2_700_000)] == [1, 2]
    assert way.threads(jobs(1, 2_700_000)[0], 2) == 1
    assert ways.Way(executor=None, workers=3).processes(jobs(2, 100)) == 2
    assert ways.Way(executor=None, workers=1).threads(jobs(1, 2_700_000)[0], 1) == 1


def test_days_that_do_not_fit_into_memory_are_not_begun(
    few_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tuple(SourceFile(Path(f"/{i}"), DAY, 1000, 1) for i in range(96))
    million = pd.DataFrame(index=range(1_000_000))
    jobs = [DayJob(Path(), DAY.date(), MSG_MDSSFTD, (), files, (), million, "")] * 10
    assert memory.days_that_fit(jobs, free=20_000_000_000) == 2
    with pytest.raises(DataError, match=r"1,000,000 points has 96,000,000 rows and needs 8\.6 GB .*fewer points"):
        memory.days_that_fit(jobs, free=8_000_000_000)
    assert memory.days_that_fit([]) == 0
    assert (memory.free_bytes() or 1 << 30) > 1 << 20
    monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    with pytest.raises(DataError, match="Extract fewer points at a time"):
        extract(few_files, POINTS, tmp_path / "t")
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, "two"])
def test_workers_that_are_no_number_are_an_error(few_files: Path, tmp_path: Path, workers: Any) -> None:
    with pytest.raises(ConfigError, match="workers is a number of processes"):
        extract(few_files, POINTS, tmp_path / "t", workers=workers)
    with pytest.raises(ConfigError, match="not both"):
        extract(few_files, POINTS, tmp_path / "t", workers=2, executor=Cluster())


def test_the_plan_and_then_a_bar_are_shown_by_asking(
    few_files: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    extract(few_files, POINTS, tmp_path / "t")
    assert capfd.readouterr() == ("", "")
    (few_files / "2025/06/19" / satellite.name_of(NEXT)).unlink()
    extract(few_files, POINTS, tmp_path / "t", progress=True)
    out, shown = capfd.readouterr()
    assert out == ""
    assert "missing slots  1 without a file" in shown
    assert "to read        1 days, 5 files of 0.1 MB; 2 days are finished and kept" in shown
    assert "1/1 [" in shown
    assert "files/s" in shown


def test_ctrl_c_that_a_library_loses_still_stops_the_run(few_files: Path, tmp_path: Path) -> None:
    class Losing(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            return super().submit(fn, *args, **kwargs)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
    try:
        with Losing(1) as pool, pytest.raises(KeyboardInterrupt, match=r"Stopped\. 1 of 3 days are done and stay"):
            extract(few_files, POINTS, tmp_path / "t", executor=pool)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert 1 <= len(extract(few_files, POINTS, tmp_path / "t").days_kept) < 3  # one may have run on in the pool


def test_an_error_in_an_executor_is_raised_here(files: Path, tmp_path: Path) -> None:
    _cut_short(files)
    path = files / "2025/06/19" / satellite.name_of(NEXT)
    path.write_bytes(b"")
    with ThreadPoolExecutor(1) as pool, pytest.raises(UnreadableFileError, match=path.name):
        extract(files / "2025/06/19", POINTS, tmp_path / "t", executor=pool, on_bad="raise")


def test_the_table_says_what_it_is(files: Path, tmp_path: Path) -> None:
    extract(files, POINTS, tmp_path / "t")
    info = json.loads((tmp_path / "t" / "_table.json").read_text())
    assert info["step_seconds"] == 3600
    assert info["units"]["ghi"] == "W/m2"
    assert info["points"]["turin"]["cell_latitude"] == 45.05


def test_a_day_without_any_usable_file_is_a_day_without_rows(files: Path, tmp_path: Path) -> None:
    for path in (files / "2025/06/18").iterdir():
        path.write_bytes(b"")
    result = extract(files, POINTS, tmp_path / "t")
    assert len(result.rejects) == 24
    assert result.rows == 24 * 3
    assert len(rows(result.table)) == 24 * 3


def test_the_plan_lists_days_before_anything_is_read(files: Path) -> None:
    for path in (files / "2025/06/18").iterdir():
        path.write_bytes(b"x")  # a plan opens no file
    (files / "2025/06/18" / satellite.name_of(DAY + timedelta(hours=3))).unlink()
    planned = plan(files)
    assert planned.frame()[["files", "missing_slots"]].values.tolist() == [[23, 1], [24, 0]]
    assert "files: 47 of" in repr(planned)
    assert "1 without a file" in str(planned)
    assert "<table>" in planned._repr_html_()


def test_a_day_without_files_between_others_is_missing_whole(files: Path) -> None:
    satellite.write_day(files, DAY + timedelta(days=3))
    planned = plan(files)
    assert [len(planned.missing(d)) for d in planned.days] == [0, 0, 24, 0]


@pytest.mark.parametrize(
    ("files_given", "error", "message"),
    [
        ("nowhere", DataError, "No such folder or file"),
        ("empty", DataError, "There are no files"),
        ("alien", DataError, "None of the 1 files has a name of a known product"),
        (["nowhere.nc"], DataError, "1 of the files are not there"),
    ],
)
def test_no_files_is_an_error(tmp_path: Path, files_given: Any, error: Any, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "alien").mkdir()
    (tmp_path / "alien" / "a.nc").write_bytes(b"x")
    given = tmp_path / files_given if isinstance(files_given, str) else files_given
    with pytest.raises(error, match=message):
        extract(given, POINTS, tmp_path / "t")


def test_files_of_which_none_opens_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "2025/06/18" / satellite.name_of(DAY)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"<html>")
    with pytest.raises(DataError, match="None of the 1 files can be opened"):
        extract(tmp_path, POINTS, tmp_path / "t")


def test_a_choice_that_is_none_is_an_error(files: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="on_bad"):
        extract(files, POINTS, tmp_path / "t", on_bad="skip")  # type: ignore[arg-type]


def test_index_pairs_are_extracted_and_resumed_as_places_are(files: Path, tmp_path: Path) -> None:
    pairs = index_points([("turin", 19, 14), ("alba", 26, 21)])
    first = extract(files, pairs, tmp_path / "t")
    again = extract(files, pairs, tmp_path / "t")
    assert (len(first.days_kept), len(again.days_kept)) == (0, 2)
    by_place = extract(files, [p for p in POINTS if p[0] != "milan"], tmp_path / "places")
    assert first.points[["row", "column"]].values.tolist() == by_place.points[["row", "column"]].values.tolist()
    pd.testing.assert_frame_equal(rows(first.table), rows(by_place.table))
    with pytest.raises(DataError, match="already holds these points at another place: turin"):
        extract(files, index_points([("turin", 0, 0), ("alba", 26, 21)]), tmp_path / "t")
