"""Kills extractions at random moments and looks at what is left; run as a program, because it forks.

    python -m tests.satellite_kills FOLDER KILLS PROCESSES SEED

The packages are loaded once; each run is a fork with its own process group, killed by SIGKILL. After each kill every
day that counts as finished must be what the undisturbed run made of it, and nobody of the group may live on; a table
that a run completed must be the undisturbed one, byte for byte, and begins anew. One kill of four waits for a file that
is being written, which is rare at random. Prints how often each happened.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from datetime import timedelta
from pathlib import Path

import h5py  # noqa: F401 - loaded before the first fork
import imagecodecs  # noqa: F401
import netCDF4  # noqa: F401
import pyarrow.parquet  # noqa: F401

from datalake_kit.irradiance.extracting.run import extract
from datalake_kit.irradiance.reading import chunks  # noqa: F401
from datalake_kit.irradiance.stored.daily import finished_manifest
from datalake_kit.storage import TEMPORARY_PREFIX
from tests import satellite

STEP = 240  # minutes between two files
PR_SET_CHILD_SUBREAPER = 36  # of Linux


def tree(table: Path) -> dict[str, bytes]:
    """The content of every file of a table."""
    return {str(p.relative_to(table)): p.read_bytes() for p in sorted(table.rglob("*")) if p.is_file()}


def started(files: Path, table: Path, processes: int) -> int:
    """Fork a run in a process group of its own."""
    pid = os.fork()
    if pid == 0:
        os.setsid()
        try:
            extract(files, satellite.POINTS, table, workers=processes)
        except BaseException:  # noqa: BLE001 - a fork must not come back
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return pid


def ended(pid: int) -> int:
    """Wait for a run; return its exit code, or the signal that ended it as a negative number."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def adopt_orphans() -> None:
    """Become the parent of processes whose own one was killed: the system's takes a second or two to reap them."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def group_is_gone(pid: int, seconds: float = 10) -> bool:
    """Whether nobody of a run's group lives, within some seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-pid, os.WNOHANG)
            os.killpg(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.005)
    return False


def wait_for_writing(table: Path, seconds: float) -> None:
    """Wait until a file is being written, or some seconds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not any(table.rglob(f"{TEMPORARY_PREFIX}*")):
        pass


def check_finished_days(table: Path, whole: dict[str, bytes]) -> int:
    """Compare the days that count as finished with the undisturbed ones; return their number."""
    count = 0
    for folder in table.glob("date=*"):
        day = satellite.DAY.date().fromisoformat(folder.name[5:])
        if finished_manifest(table, day) is not None:
            for path in folder.iterdir():
                if not path.name.startswith(TEMPORARY_PREFIX):
                    assert whole[f"{folder.name}/{path.name}"] == path.read_bytes(), path
            count += 1
    return count


def main(folder: Path, kills: int, processes: int, seed: int) -> dict[str, int]:
    adopt_orphans()
    files, table, choose = folder / "files", folder / "t", random.Random(seed)
    for day in range(4 if processes == 1 else 40):
        satellite.write_day(files, satellite.DAY + timedelta(days=day), step=STEP)
    begun = time.monotonic()
    assert ended(started(files, folder / "whole", processes)) == 0
    seconds, whole = time.monotonic() - begun, tree(folder / "whole")
    seen = {"killed": 0, "completed": 0, "left_over": 0, "days_kept": 0}
    while seen["killed"] < kills:
        run = started(files, table, processes)
        if choose.random() < 0.25:
            wait_for_writing(table, seconds)
        else:
            time.sleep(choose.uniform(0, seconds * 0.9))
        os.kill(run, signal.SIGKILL)
        code = ended(run)
        assert code in (0, -signal.SIGKILL), code
        assert group_is_gone(run), "a process lives on"
        seen["left_over"] += any(table.rglob(f"{TEMPORARY_PREFIX}*"))
        seen["days_kept"] += check_finished_days(table, whole)
        seen["killed" if code else "completed"] += 1
        if code == 0:
            assert tree(table) == whole
            shutil.rmtree(table)
    assert ended(started(files, table, processes)) == 0
    assert tree(table) == whole
    return seen


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), *map(int, sys.argv[2:]))))
