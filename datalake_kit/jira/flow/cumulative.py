"""How many issues were in each phase over time: the cumulative flow. Pure: frames in, frames out."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from datalake_kit.errors import DataError
from datalake_kit.jira.flow.periods import Frequency, check_periods
from datalake_kit.jira.flow.status_time import number_labels
from datalake_kit.jira.flow.stretches import Histories, Micros, Rows, Runs, from_micros, read_histories, read_instants
from datalake_kit.jira.flow.throughput import known_bounds
from datalake_kit.jira.history.phases import PHASES


def cumulative_flow(
    df: pd.DataFrame, *, freq: Frequency = "D", by: Literal["phase", "status"] = "phase", zone: str = "UTC",
    at: Any = None, changes: pd.DataFrame | None = None, phases: Any = None, until: Any = None,
) -> pd.DataFrame:  # fmt: skip
    """Count the issues in each phase, or status, at one instant after the other.

    Rule. An issue is in the status that it entered last, at or before the instant; before its creation it is in none.
    Stacked from done upwards the counts are the cumulative flow diagram: its top line is all issues created so far.

    - Reopened: an issue that leaves done is counted where it is, so the line of done falls.
    - Skipped: a phase that an issue was never in never counts it.
    - Open: counts where it is, up to the end of what is known.
    - Missing: a status without a phase is refused by `by="phase"`, and is a status like others by `by="status"`. Where
      issues have time before their first version, in which their status is not known, a row without a phase counts it.

    Little's law holds on it: where a window begins and ends without open issues, the area below the lines that are not
    done equals the sum of the lead times of its issues, so average number open = average arrivals a day x average
    days open.

    Parameters
    ----------
    df, changes, phases, until
        As `cycle_times`.
    freq
        "D", "W" or "M": how often to count, at midnight in `zone` (Mondays, first of the month).
    by
        "phase" or "status".
    zone
        A time zone.
    at
        The instants, with zone (texts are UTC), instead of `freq`.

    Returns
    -------
    DataFrame
        Long, one row an instant and phase, zeros included: `at`, `phase` (or `status`), `issues`, `issues_low`,
        `issues_high` (in it for certain, and possibly). With `freq` the instants go from the last midnight before the
        first creation on, and the end of what is known is the last one. Phases come as To Do, In Progress, Done;
        statuses in the order of their phases, and then of their first appearance.

    Raises
    ------
    DataError
        As `cycle_times`; `at` lies after the end of what is known; or no such `freq` or `zone`.

    Source
    ------
    J. D. C. Little, "A Proof for the Queuing Formula: L = lambda W", Operations Research 9 (1961). The diagram: D.
    Vacanti, "Actionable Agile Metrics for Predictability" (2015), on cumulative flow diagrams.

    Examples
    --------
    >>> from datalake_kit.jira.flow.example import example_issues
    >>> found = cumulative_flow(example_issues(), at=["2026-03-05T12:00Z"])
    >>> found[["phase", "issues"]].values.tolist()
    [['To Do', 0], ['In Progress', 1], ['Done', 1]]
    """
    check_periods(freq, zone)
    histories = read_histories(df, changes=changes, phases=phases, until=until, durations=False)
    moments = _midnights(histories, freq, zone) if at is None else _read_moments(at, histories)
    codes, names = number_labels(histories, by)
    labels = _labels(histories, by, names)
    runs = histories.runs(codes)
    codes = names.get_indexer(pd.Index(labels, dtype=object))
    counts = [_count(histories, runs, int(code), moments) for code in codes]
    rows = {
        "at": from_micros(np.repeat(moments, len(labels))),
        by: pd.Series(labels * len(moments), dtype="str"),
    }
    for n, column in enumerate(("issues", "issues_low", "issues_high")):
        table = np.array([each[n] for each in counts], np.int64).reshape(len(labels), len(moments))
        rows[column] = pd.Series(table.T.ravel())
    return pd.DataFrame(rows)


def _midnights(histories: Histories, freq: str, zone: str) -> Micros:
    """Borders of the periods up to the end of what is known, and that end."""
    bounds = known_bounds(histories, freq, zone).view(np.int64)
    return np.append(bounds[bounds < histories.until], [histories.until] if histories.count else []).astype(np.int64)


def _read_moments(at: Any, histories: Histories) -> Micros:
    moments = np.unique(read_instants(at))
    if len(moments) and histories.count and moments[-1] > histories.until:
        late, known = (pd.Timestamp(m, unit="us", tz="UTC") for m in (int(moments[-1]), histories.until))
        raise DataError(f"at holds {late}, after {known}, the end of what is known. Leave it out, or give until= too.")
    return moments


def _labels(histories: Histories, by: str, names: pd.Index[Any]) -> list[Any]:
    """Names from the first phase to the last: all phases, also without issues; statuses of one as they appear."""
    if by == "phase":
        return [*PHASES, *(name for name in names if name not in PHASES)]
    rank: dict[Any, int] = {phase: n for n, phase in enumerate(PHASES)}
    known = histories.frame[["status", "phase"]].drop_duplicates("status")
    phase_of: dict[Any, Any] = dict(zip(known["status"], known["phase"], strict=True))
    return sorted(names, key=lambda name: rank.get(phase_of.get(name), len(rank)))


def _count(histories: Histories, runs: Runs, label: int, moments: Micros) -> tuple[Rows, Rows, Rows]:
    """How many issues are in a label at each moment: as it is, for certain, and possibly."""
    chosen = runs.label == label
    starts, ends = runs.starts.take(chosen), runs.ends.take(chosen)
    goes_on = np.isin(runs.last[chosen], histories.last)
    found = _standing(starts.at, ends.at, goes_on, moments)
    if starts.exact and ends.exact:
        return found, found, found
    return found, _standing(starts.high, ends.low, goes_on, moments), _standing(starts.low, ends.high, goes_on, moments)


def _standing(starts: Micros, ends: Micros, goes_on: Any, moments: Micros) -> Rows:
    """How many stretches [start, end) hold each moment; those that go on have no end."""
    real = goes_on | (starts < ends)
    begun = np.searchsorted(np.sort(starts[real]), moments, side="right")
    over = np.searchsorted(np.sort(ends[real & ~goes_on]), moments, side="right")
    return begun - over
