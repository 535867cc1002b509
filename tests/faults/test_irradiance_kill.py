"""An extraction that is killed, interrupted, or loses a worker: what is finished stays, and the next run goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import fields
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pandas as pd
import pytest

from datalake_kit.errors import DataError
from datalake_kit.irradiance.describing.product import MSG_MDSSFTD, Product
from datalake_kit.irradiance.extracting import workers
from datalake_kit.irradiance.extracting.days import DayJob
from datalake_kit.irradiance.extracting.run import extract
from tests import satellite
from tests.satellite import DAY, POINTS

ROOT = Path(__file__).parents[2]


def kill(folder: Path, kills: int, processes: int) -> dict[str, int]:
    command = [sys.executable, "-m", "tests.satellite_kills", str(folder), str(kills), str(processes), "7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, int] = json.loads(done.stdout)
    return seen


def tree(table: Path) -> dict[str, bytes]:
    return {str(p.relative_to(table)): p.read_bytes() for p in table.rglob("*") if p.is_file()}


def write_days(folder: Path, count: int, *, step: int = 240) -> Path:
    for day in range(count):
        satellite.write_day(folder, DAY + timedelta(days=day), step=step)
    return folder


@pytest.fixture(scope="module")
def sixty_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of sixty days, to be read only."""
    return write_days(tmp_path_factory.mktemp("sixty"), 60)


def test_killed_at_20_moments_the_table_is_that_of_an_undisturbed_run(tmp_path: Path) -> None:
    seen = kill(tmp_path, 20, 1)
    assert seen["killed"] == 20
    assert seen["left_over"] > 0  # the killing met what it is meant to meet


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_at_200_moments_the_table_is_that_of_an_undisturbed_run(tmp_path: Path) -> None:
    here = kill(tmp_path / "one", 180, 1)
    there = kill(tmp_path / "two", 20, 2)
    assert here["killed"] + there["killed"] == 200
    assert here["left_over"] > 20
    assert here["days_kept"] > 100
    assert there["days_kept"] > 100


class Terminal:
    """A script in a process group of its own, as a shell starts it; Ctrl-C reaches all of the group."""

    def __init__(self, files: Path, table: Path, processes: int) -> None:
        code = (
            "from datalake_kit.irradiance.extracting.run import extract; from tests.satellite import POINTS\n"
            f"extract({str(files)!r}, POINTS, {str(table)!r}, workers={processes})"
        )
        hear = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        self.process = subprocess.Popen(  # tests that run in the background inherit that Ctrl-C is ignored
            [sys.executable, "-c", hear + code], cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def press_ctrl_c(self) -> tuple[float, str]:
        started = time.monotonic()
        os.killpg(self.process.pid, signal.SIGINT)
        _, said = self.process.communicate(timeout=30)
        return time.monotonic() - started, said


@pytest.mark.parametrize("processes", [1, 2])
def test_ctrl_c_ends_all_processes_and_says_how_far_it_came(sixty_days: Path, tmp_path: Path, processes: int) -> None:
    files, table = sixty_days, tmp_path / "t"
    run = Terminal(files, table, processes)
    while len(list(table.glob("date=*/_manifest.json"))) < 5:
        assert run.process.poll() is None
        time.sleep(0.01)
    seconds, said = run.press_ctrl_c()
    assert seconds < 5  # a moment, on a machine that is busy with other tests
    assert run.process.returncode != 0
    assert "KeyboardInterrupt: Stopped. " in said
    finished = int(said.rsplit("Stopped. ", 1)[1].split(" of 60 days")[0])
    with pytest.raises(ProcessLookupError):
        os.killpg(run.process.pid, 0)
    assert not list(table.rglob("._writing-*"))
    result = extract(files, POINTS, table, workers=1)
    assert 5 <= finished <= len(result.days_kept) < 60
    assert result.rows == 60 * 6 * 3


DYING = """
from multiprocessing.connection import Connection; import os
line = Connection({descriptor})
line.recv(); line.send("ready"); line.recv(); print("no memory left"); sys.stdout.flush(); os.kill(os.getpid(), 9)
"""


def test_a_process_that_dies_is_an_error_that_names_its_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, table = write_days(tmp_path / "files", 30), tmp_path / "t"
    monkeypatch.setattr(workers, "_START", "import sys; {path!r}; {module!r}\n" + DYING)
    with pytest.raises(DataError, match=r"the day 2025-0\d-\d\d ended: killed by signal 9 .*no memory left") as caught:
        extract(files, POINTS, table, workers=2)
    assert "of 30 days are done and stay" in caught.value.__notes__[0]
    monkeypatch.undo()
    result = extract(files, POINTS, table, workers=1)
    assert len(result.days_kept) >= 1
    assert result.rows == 30 * 6 * 3


def test_a_process_that_cannot_start_is_no_error_and_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_days(tmp_path / "files", 3)
    monkeypatch.setattr(sys, "executable", "")
    result = extract(files, POINTS, tmp_path / "t", workers=2)
    assert result.workers.startswith("1 process (another process could not be started: ")
    assert result.rows == 3 * 6 * 3


def test_a_process_that_ends_before_it_is_asked_is_no_error_and_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write_days(tmp_path / "files", 40)
    monkeypatch.setattr(
        workers, "_START", "import sys; {path!r}; {module!r}; {descriptor}; sys.exit('no such library')"
    )
    result = extract(files, POINTS, tmp_path / "t", workers=2)
    assert result.workers == "1 process (another process failed: exit code 1: no such library)"
    assert result.rows == 40 * 6 * 3


class Mortal(ProcessPoolExecutor):
    """A pool of which a process ends at one of the days."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        job: DayJob = args[0]
        if job.day == (DAY + timedelta(days=3)).date():
            return super().submit(os._exit, 3)
        return super().submit(fn, *args, **kwargs)


def test_a_pool_that_breaks_is_an_error_and_the_next_run_goes_on(tmp_path: Path) -> None:
    files, table = write_days(tmp_path / "files", 6), tmp_path / "t"
    with (
        Mortal(1, mp_context=get_context("forkserver")) as pool,
        pytest.raises(DataError, match=r"The executor failed at the day 2025-06-\d\d .*BrokenProcessPool"),
    ):
        extract(files, POINTS, table, executor=pool)
    result = extract(files, POINTS, table)
    assert len(result.days_kept) >= 1
    assert result.rows == 6 * 6 * 3


@pytest.mark.parametrize("where", ["__main__", "here"])
def test_a_job_that_another_process_cannot_read_is_an_error_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    class Mine(Product):
        """A product of a class that only the caller's script knows."""

    if where == "__main__":
        Mine.__module__, Mine.__qualname__ = where, "Mine"
        monkeypatch.setattr(sys.modules[where], "Mine", Mine, raising=False)
    product = Mine(**{f.name: getattr(MSG_MDSSFTD, f.name) for f in fields(MSG_MDSSFTD)})
    job = DayJob(tmp_path, DAY.date(), product, (), (), (), pd.DataFrame(), "")
    done: SimpleQueue[Any] = SimpleQueue()
    with workers.Team(2) as team:
        team._others[0].take_from(deque([job]), done)
        _, answer = done.get(timeout=60)
    assert isinstance(answer, DataError)
    assert "cannot be read by another process: Can't " in str(answer)
    assert str(answer).endswith("or give workers=1.")


SCRIPT = """
from datalake_kit.irradiance.extracting.run import extract
from tests.satellite import POINTS
print("once")
result = extract({files!r}, POINTS, {table!r}, workers=2)
print(result.workers, result.rows)
"""
DAEMON = """
import multiprocessing
def run():
{script}
context = multiprocessing.get_context("fork")
process = context.Process(target=run, daemon=True)
process.start(); process.join()
"""


@pytest.mark.parametrize("way", ["script", "stdin", "daemon"])
def test_two_processes_need_no_guard_in_the_script(sixty_days: Path, tmp_path: Path, way: str) -> None:
    code = SCRIPT.format(files=str(sixty_days), table=str(tmp_path / "t"))
    if way == "daemon":
        code = DAEMON.format(script="\n".join("    " + line for line in code.splitlines()))
    script = tmp_path / "script.py"
    script.write_text(code)
    command = [sys.executable, "-"] if way == "stdin" else [sys.executable, str(script)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        input=code if way == "stdin" else None,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == ["once", "2 processes 1080"], done.stderr
