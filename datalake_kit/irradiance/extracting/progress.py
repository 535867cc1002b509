"""What a run shows while it goes on: the plan, then a bar of days with rates and the time left."""

from __future__ import annotations

import sys

from datalake_kit.irradiance.extracting.days import DayJob
from datalake_kit.irradiance.extracting.listing import Plan
from datalake_kit.irradiance.extracting.workers import Outcomes

__all__ = ["show_plan", "show_progress"]


def show_plan(planned: Plan, todo: list[DayJob]) -> None:
    """Print what would be read, beside the bar: where errors go, so that the output of a command stays clean."""
    size = sum(f.size for job in todo for f in job.files) / 1e6
    text = f"{len(todo)} days, {sum(len(j.files) for j in todo)} files of {size:.1f} MB; {_kept(planned, todo)}"
    facts = str(planned).split("\n\n", 1)[0]
    print(f"{facts}\n{'to read':14} {text}", file=sys.stderr, flush=True)


def show_progress(outcomes: Outcomes, days: int) -> Outcomes:
    """Pass outcomes on, with a bar: days, the time left, files and megabytes a second."""
    from tqdm.auto import tqdm

    files, size = 0, 0
    with tqdm(total=days, unit="day", desc="extract") as bar:
        for job, outcome in outcomes:
            files += len(job.files)
            size += sum(f.size for f in job.files)
            seconds = max(float(bar.format_dict["elapsed"]), 1e-3)
            bar.set_postfix_str(f"{files / seconds:.0f} files/s, {size / 1e6 / seconds:.0f} MB/s", refresh=False)
            bar.update()
            yield job, outcome


def _kept(planned: Plan, todo: list[DayJob]) -> str:
    kept = len(planned.files) - len(todo)
    return f"{kept} days are finished and kept" if kept else "no day is finished yet"
