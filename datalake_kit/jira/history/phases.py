"""Phases of work: which statuses are to do, in progress, done. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError, did_you_mean
from datalake_kit.jira.history.statuses import Statuses

PHASES = ("To Do", "In Progress", "Done")
Phases = Mapping[str, str] | pd.DataFrame | None


def check_phases(intervals: pd.DataFrame) -> None:
    """Refuse intervals in which a status has no phase; a status that is not known at all needs none.

    Raises
    ------
    DataError
        It names the statuses, with a mapping to complete.

    Examples
    --------
    >>> check_phases(pd.DataFrame({"status": ["Open", None], "phase": ["To Do", None]}))
    """
    without = intervals.loc[intervals["phase"].isna() & intervals["status"].notna(), "status"]
    names = sorted(set(without))
    if names:
        listed = ", ".join(f'"{name}": "In Progress"' for name in names)
        raise DataError(
            f"No phase is known for the status {', '.join(names)}: no issue that is in it tells its category. "
            f"Say it, with {', '.join(PHASES)} as it is: phases={{{listed}}}, beside those of the other statuses."
        )


def is_in(intervals: pd.DataFrame, wanted: str | Iterable[str]) -> pd.Series[bool]:
    """Which intervals are in a phase or in a status.

    Parameters
    ----------
    intervals
        Of `status_intervals`.
    wanted
        A text is the name of a phase, else the name or id of a status. A list names statuses; a name in it that no
        status has is a phase.

    Raises
    ------
    ParameterError
        Neither a phase nor a status of these intervals.
    DataError
        A phase is asked for, and some status has none.

    Examples
    --------
    >>> some = pd.DataFrame({"status": ["Open", "Closed"], "status_id": ["1", "6"], "phase": ["To Do", "Done"]})
    >>> is_in(some, "Done").to_list(), is_in(some, ["Open"]).to_list()
    ([False, True], [True, False])
    """
    if not len(intervals):
        return pd.Series(False, index=intervals.index)
    if isinstance(wanted, str):
        return _in_phase(intervals, [wanted]) if wanted in PHASES else _in_status(intervals, [wanted])
    names = list(wanted) if isinstance(wanted, Iterable) else [wanted]
    odd = [name for name in names if not isinstance(name, str)]
    if odd:
        raise ParameterError(f"{odd[0]!r} is no name of a status. Give names as text; leave out what is missing.")
    if not names:
        raise ParameterError("An empty list names no phase and no status. Give a phase, or statuses.")
    folded = set(_status_names(intervals).values())
    in_phases = [name for name in names if name in PHASES and name.casefold() not in folded]
    in_statuses = [name for name in names if name not in in_phases]
    found = _in_status(intervals, in_statuses)
    return found | _in_phase(intervals, in_phases) if in_phases else found


def _in_phase(intervals: pd.DataFrame, names: list[str]) -> pd.Series[bool]:
    check_phases(intervals)
    return intervals["phase"].isin(names)


def _in_status(intervals: pd.DataFrame, names: list[str]) -> pd.Series[bool]:
    known, ids = _status_names(intervals), set(intervals["status_id"].dropna().unique())
    missing = [name for name in names if name.casefold() not in known.values() and name not in ids]
    if missing:
        hint = did_you_mean(missing[0], [*PHASES, *known])
        raise ParameterError(f"{missing[0]!r} is no phase and no status of these issues. {hint}")
    folded = {name.casefold() for name in names}
    found = intervals["status"].isin([name for name, key in known.items() if key in folded])
    return found | intervals["status_id"].isin(names) if ids & set(names) else found


def _status_names(intervals: pd.DataFrame) -> dict[str, str]:
    """Names of statuses as they are spelt, each with its letters folded."""
    return {name: name.casefold() for name in intervals["status"].dropna().unique()}


def find_phases(
    statuses: Statuses, categories: Mapping[int, str], phases: Phases, groups: Iterable[str | None]
) -> dict[tuple[str | None, int], str]:
    """The phase of each status, by group (project or board) and code.

    Without `phases` by category: the one that a status had last, or that a status of the same name has. With a mapping
    by id or by any name that the status ever had, whatever the letters; rows without a group hold for all others.
    """
    if phases is None:
        return {(group, code): phase for code, phase in _by_category(statuses, categories).items() for group in groups}
    rules = _read(phases)
    found: dict[tuple[str | None, int], str] = {}
    for group in groups:
        for code, names in enumerate(statuses.known_as):
            for key in ((group, name) for name in names):
                phase = rules.get(key) or rules.get((None, key[1]))
                if phase:
                    found[group, code] = phase
    return found


def group_column(phases: Phases) -> str | None:
    """By which column of the issues the phases differ."""
    if not isinstance(phases, pd.DataFrame):
        return None
    return next((name for name in ("project", "board") if name in phases.columns), None)


def _by_category(statuses: Statuses, categories: Mapping[int, str]) -> dict[int, str]:
    found = {code: name for code, name in categories.items() if name in PHASES}
    by_name: dict[str, set[str]] = {}
    for code, phase in found.items():
        by_name.setdefault((statuses.names[code] or "").casefold(), set()).add(phase)
    for code, name in enumerate(statuses.names):
        same = by_name.get((name or "").casefold(), set())
        if code not in categories and len(same) == 1:
            found[code] = next(iter(same))
    return found


def _read(phases: Mapping[str, str] | pd.DataFrame) -> dict[tuple[str | None, str], str]:
    """Rules by group and folded name."""
    if isinstance(phases, pd.DataFrame):
        rows = _rows(phases)
    elif isinstance(phases, Mapping):
        rows = [(None, status, phase) for status, phase in phases.items()]
    else:
        raise ParameterError(f"phases={phases!r:.60} must be a mapping of status to phase, or a frame.")
    for _, _, phase in rows:
        if phase not in PHASES:
            raise ParameterError(f"phases has the phase {phase!r}. {did_you_mean(str(phase), PHASES)}")
    return {(group, str(status).casefold()): phase for group, status, phase in rows}


def _rows(phases: pd.DataFrame) -> list[tuple[str | None, Any, Any]]:
    for name in ("status", "phase"):
        if name not in phases.columns:
            raise ColumnNotFoundError(f"phases has no column {name!r}. It takes project (or board), status and phase.")
    column = group_column(phases)
    groups = [None] * len(phases) if column is None else [None if pd.isna(g) else str(g) for g in phases[column]]
    return list(zip(groups, phases["status"], phases["phase"], strict=True))
