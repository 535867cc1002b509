"""Kills `compact` and `repartition` at random moments and looks at what is left; run as a program, because it forks.

    python -m tests.points_kills FOLDER KILLS SEED

After each kill every file that is there must be what an undisturbed run made of the days as they are, or as they were
before; in the end one more run must make the undisturbed table and leave nothing else. Days change now and then. Prints
how many runs were killed at work.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from datalake_kit.irradiance.stored.months import compact
from datalake_kit.irradiance.stored.per_point import repartition
from datalake_kit.storage import TEMPORARY_PREFIX
from tests.points_tables import IDS, content, write_days

POINTS = [*IDS, *(f"p{n:02d}" for n in range(12))]
Versions = dict[str, set[bytes]]


def is_killed(act: Callable[..., object], days: Path, out: Path, after: float) -> bool:
    """Run in a fork and kill it after some seconds; tell whether it was still at work."""
    process = os.fork()
    if process == 0:
        try:
            act(days, out)
        except BaseException:  # noqa: BLE001 - a fork must not come back
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    time.sleep(after)
    os.kill(process, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    assert code in (0, -signal.SIGKILL), f"a run ended by itself with {code}"
    return code != 0


def note(act: Callable[..., object], days: Path, undisturbed: Path, versions: Versions) -> float:
    """Make the undisturbed table, note the content of its files, and return the seconds that takes from nothing."""
    shutil.rmtree(undisturbed, ignore_errors=True)
    started = time.perf_counter()
    act(days, undisturbed)
    seconds = time.perf_counter() - started
    for name, rows in content(undisturbed).items():
        versions.setdefault(name, set()).add(rows)
    return seconds


def kill(act: Callable[..., object], folder: Path, kills: int, seed: int) -> int:
    """Kill that many runs; return how many of them were at work."""
    days, out, undisturbed = folder / "plants", folder / "out", folder / "undisturbed"
    versions: Versions = {}
    write_days(days, "2025-01-01", 61, POINTS)
    seconds = note(act, days, undisturbed, versions)
    chance, stopped = random.Random(seed), 0
    for number in range(kills):
        stopped += is_killed(act, days, out, chance.uniform(0, 1.1 * seconds))
        for name, rows in content(out).items():
            assert rows in versions[name], f"{name} is none that an undisturbed run made"
        if number % 6 == 5:
            write_days(days, f"2025-01-{number % 30 + 1:02d}", 1, POINTS[: chance.randint(8, 15)], version=number)
            note(act, days, undisturbed, versions)
        elif number % 6 == 2:
            shutil.rmtree(out)
    act(days, out)
    assert content(out) == content(undisturbed)
    assert not list(out.rglob(f"{TEMPORARY_PREFIX}*"))
    return stopped


def main() -> None:
    """Kill both kinds of runs."""
    folder, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps({act.__name__: kill(act, folder / act.__name__, kills, seed) for act in (compact, repartition)}))


if __name__ == "__main__":
    main()
