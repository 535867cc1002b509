"""What goes wrong around an extraction: no room, no rights, files that move away, another run at the same time."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from datalake_kit.errors import DataError, UnreadableFileError
from datalake_kit.irradiance.extracting.claims import claim_folder
from datalake_kit.irradiance.extracting.days import DayJob
from datalake_kit.irradiance.extracting.run import extract
from tests import satellite
from tests.satellite import DAY, POINTS

NEXT = DAY + timedelta(days=1)
OTHER_POINTS = [("asti", 44.90, 8.20)]
STEP = 240
NOBODY = 65534


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for day in range(3):
        satellite.write_day(tmp_path / "files", DAY + timedelta(days=day), step=STEP)
    return tmp_path / "files"


def tree(table: Path) -> dict[str, bytes]:
    return {str(p.relative_to(table)): p.read_bytes() for p in table.rglob("*") if p.is_file()}


def ids(table: Path) -> list[set[str]]:
    days = sorted(table.glob("date=*/points.parquet"))
    return [set(pq.read_table(p, partitioning=None)["point_id"].to_pylist()) for p in days]


class Beforehand:
    """Runs each day at once, and something else before it."""

    def __init__(self, act: Callable[[DayJob], None]) -> None:
        self.act = act

    def submit(self, fn: Any, /, *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.act(args[0])
        try:
            future.set_result(fn(*args))
        except Exception as error:  # noqa: BLE001 - as an executor does
            future.set_exception(error)
        return future


def before_day(number: int, act: Callable[[], None]) -> Beforehand:
    return Beforehand(lambda job: act() if job.day == (DAY + timedelta(days=number)).date() else None)


# no room, no rights


def run_with_room(files: Path, table: Path, *, bytes: int, workers: int) -> subprocess.CompletedProcess[str]:
    code = f"""
        from datalake_kit.irradiance.extracting.run import extract
        from tests.satellite import POINTS
        extract({str(files)!r}, POINTS * 1, {str(table)!r}, workers={workers})
        """

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes, bytes))

    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        preexec_fn=limit,
        check=False,
    )


def test_no_room_is_an_error_that_names_the_day_and_with_room_the_run_goes_on(files: Path, tmp_path: Path) -> None:
    table = tmp_path / "t"
    done = run_with_room(files, table, bytes=1000, workers=1)
    assert "DataError: The day 2025-06-18 could not be written to " in done.stderr
    assert "File too large. What was there before stays." in done.stderr
    assert "0 of 3 days are done and stay; the same call goes on from there." in done.stderr
    assert tree(table) == {}
    extract(files, POINTS, table)
    assert tree(table) == tree(extract(files, POINTS, tmp_path / "whole").table)


def test_no_room_for_a_day_that_was_there_leaves_it_as_it_was(files: Path, tmp_path: Path) -> None:
    table = extract(files, POINTS, tmp_path / "t").table
    before = tree(table)
    os.utime(files / "2025/06/19" / satellite.name_of(NEXT), ns=(1, 1))
    assert "could not be written" in run_with_room(files, table, bytes=1000, workers=1).stderr
    assert tree(table) == before


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that a process without rights can reach; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def without_rights() -> Iterator[None]:
    """Root may do all; so the test goes on as nobody, where it began as root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    yield
    os.seteuid(user)


def as_root(act: Callable[[], None]) -> None:
    user = os.geteuid()
    if os.getuid() == 0:
        os.seteuid(0)
    act()
    os.seteuid(user)


def test_a_target_without_rights_is_an_error_before_anything_is_read(
    files: Path, shared: Path, request: pytest.FixtureRequest
) -> None:
    shutil.copytree(files, shared / "files")
    (shared / "lake").mkdir(mode=0o555)
    request.getfixturevalue("without_rights")
    with pytest.raises(DataError, match=r"cannot be written to .*/lake/t: .*/lake is read-only here"):
        extract(shared / "files", POINTS, shared / "lake" / "t")


def test_a_target_that_cannot_be_reached_is_an_error(files: Path, shared: Path, request: pytest.FixtureRequest) -> None:
    shutil.copytree(files, shared / "files")
    (shared / "lake").mkdir(mode=0o700)
    request.getfixturevalue("without_rights")
    if os.getuid() != 0:
        (shared / "lake").chmod(0o000)
    with pytest.raises(DataError, match=r"cannot be written to .*/lake/d/t: Permission denied"):
        extract(shared / "files", POINTS, shared / "lake" / "d" / "t")


def test_a_file_without_rights_is_rejected_and_read_as_soon_as_it_can_be(
    files: Path, shared: Path, request: pytest.FixtureRequest
) -> None:
    source, closed = shutil.copytree(files, shared / "files"), "2025/06/18/" + satellite.name_of(DAY)
    (source / closed).chmod(0o000)
    (shared / "lake").mkdir()
    (shared / "lake").chmod(0o777)
    request.getfixturevalue("without_rights")
    result = extract(source, POINTS, shared / "lake" / "t")
    assert result.rejects[["reason", "detail"]].values.tolist() == [
        ["no access", "it may not be read: Permission denied"]
    ]
    assert result.adds_up
    assert [str(d) for d in extract(source, POINTS, result.table).days_kept] == ["2025-06-19", "2025-06-20"]
    as_root(lambda: (source / closed).chmod(0o644))
    again = extract(source, POINTS, result.table)
    assert len(again.rejects) == 0
    assert again.rows == 3 * 6 * 3
    assert len(extract(source, POINTS, result.table).days_kept) == 3


def test_a_folder_without_rights_is_an_error(files: Path, shared: Path, request: pytest.FixtureRequest) -> None:
    source = shutil.copytree(files, shared / "files")
    (source / "2025/06/19").chmod(0o000)
    (shared / "lake").mkdir()
    (shared / "lake").chmod(0o777)
    request.getfixturevalue("without_rights")
    with pytest.raises(UnreadableFileError, match=r"/2025/06/19 cannot be listed: Permission denied"):
        extract(source, POINTS, shared / "lake" / "t")
    as_root(lambda: (source / "2025/06/19").chmod(0o755))


# what moves while it is read


def test_a_day_whose_folder_goes_away_stops_the_run_and_what_was_there_stays(files: Path, tmp_path: Path) -> None:
    table = extract(files, POINTS, tmp_path / "t").table
    before = tree(table)
    for path in files.rglob("*.nc"):
        os.utime(path, ns=(1, 1))
    vanish = before_day(1, lambda: shutil.rmtree(files / "2025/06/19"))
    with pytest.raises(UnreadableFileError, match=r"All 6 files of 2025-06-19 went away .*Is the disk still there"):
        extract(files, POINTS, table, executor=vanish)
    assert {n: b for n, b in tree(table).items() if "06-19" in n} == {n: b for n, b in before.items() if "06-19" in n}


def test_a_file_that_goes_away_is_rejected_and_forgotten_by_the_next_run(files: Path, tmp_path: Path) -> None:
    gone = files / "2025/06/19" / satellite.name_of(NEXT)
    result = extract(files, POINTS, tmp_path / "t", executor=before_day(1, gone.unlink))
    assert result.rejects["reason"].tolist() == ["gone"]
    assert result.adds_up
    again = extract(files, POINTS, tmp_path / "t")
    assert (len(again.rejects), len(again.missing), again.files_seen) == (0, 1, 17)


def test_a_file_that_is_replaced_while_it_runs_is_read_again_by_the_next_run(files: Path, tmp_path: Path) -> None:
    path = files / "2025/06/19" / satellite.name_of(NEXT)
    other = satellite.write_file(tmp_path / "new", NEXT)
    with satellite.netCDF4.Dataset(other, "a") as file:
        file["DSSF_TOT"].set_auto_maskandscale(False)
        file["DSSF_TOT"][:] = 4321
    extract(files, POINTS, tmp_path / "t", executor=before_day(1, lambda: shutil.copy2(other, path)))
    again = extract(files, POINTS, tmp_path / "t")
    assert [str(d) for d in again.days_kept] == ["2025-06-18", "2025-06-20"]
    day = pq.read_table(tmp_path / "t/date=2025-06-19/points.parquet", partitioning=None).to_pandas()
    assert set(day["ghi"][day["time"] == NEXT.replace(tzinfo=None)].round(1)) == {432.1}
    assert len(extract(files, POINTS, tmp_path / "t").days_kept) == 3


def test_links_in_a_circle_end_and_no_file_is_seen_twice(files: Path, tmp_path: Path) -> None:
    (files / "2025" / "again").symlink_to(files)
    (files / "2025" / "itself").symlink_to("itself")
    (files / "2025/06/18" / satellite.name_of(DAY + timedelta(hours=2))).symlink_to("nowhere.nc")
    result = extract(files, POINTS, tmp_path / "t")
    assert result.files_used == 18
    assert result.adds_up
    assert sorted(result.rejects["reason"]) == ["alien", "unreadable"]


# two runs at once


def test_two_runs_of_the_same_points_make_one_table(files: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(extract, files, POINTS, tmp_path / "t") for _ in range(2)]
        rows = [run.result().rows for run in both]
    assert rows == [54, 54]
    assert tree(tmp_path / "t") == tree(extract(files, POINTS, tmp_path / "whole").table)
    assert len(extract(files, POINTS, tmp_path / "t").days_kept) == 3


def test_another_run_with_other_points_loses_none_of_a_days_points(files: Path, tmp_path: Path) -> None:
    table = tmp_path / "t"
    meanwhile = before_day(1, lambda: extract(files / "2025/06/19", OTHER_POINTS, table) and None)
    with pytest.raises(DataError, match=r"holds for 2025-06-19 what this run would drop: asti"):
        extract(files, POINTS, table, executor=meanwhile)
    named = {p[0] for p in POINTS}
    assert ids(table)[:2] == [named, {"asti"}]
    extract(files, [*POINTS, *OTHER_POINTS], table)
    assert ids(table) == [named | {"asti"}] * 3


def test_another_run_with_a_point_of_the_same_name_elsewhere_is_refused(files: Path, tmp_path: Path) -> None:
    elsewhere = [("turin", 45.5, 8.5)]
    refused = []

    def meanwhile() -> None:
        with pytest.raises(DataError, match="another place: turin") as caught:
            extract(files / "2025/06/20", elsewhere, tmp_path / "t")
        refused.append(caught)

    extract(files, POINTS, tmp_path / "t", executor=before_day(1, meanwhile))
    assert len(refused) == 1


def test_runs_of_different_days_add_up_to_one_table(files: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(extract, files / f"2025/06/{d}", POINTS, tmp_path / "t") for d in (18, 19, 20)]
        assert [run.result().rows for run in runs] == [18, 18, 18]
    assert len(extract(files, POINTS, tmp_path / "t").days_kept) == 3


def test_what_a_dead_run_left_goes_and_what_a_live_one_writes_stays(files: Path, tmp_path: Path) -> None:
    table = extract(files, POINTS, tmp_path / "t").table
    left = [table / "._writing-a.json", table / "date=2025-06-18/._writing-b.parquet"]
    alive = table / "date=2025-06-19" / "._writing-c.parquet"
    for path in left:
        path.touch()
    with claim_folder(alive.parent):
        alive.touch()
        extract(files, POINTS, table)
        assert alive.exists()
    assert not any(p.exists() for p in left)
    extract(files, POINTS, table)
    assert not alive.exists()
