"""From when to when each issue was in each sprint, as the changes of its list of sprints tell. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from datalake_kit.errors import DataError
from datalake_kit.jira.history.calendar import to_micros
from datalake_kit.jira.history.issue_rows import first_instants, rows_of
from datalake_kit.jira.history.steps import Codes, Flags, Micros, Steps

_COMPLETING = 60_000_000  # microseconds in which Jira completes a sprint: issues are moved on before `completed` is set


def ids_in(lists: pd.Series[Any]) -> pd.Series[int]:
    return pd.Series(_split(lists)[1], dtype="int64")


def _split(lists: pd.Series[Any]) -> tuple[Codes, Codes]:
    """Lists of ids as Jira writes them, "5, 7": the row of each id, and the id."""
    texts = pc.utf8_trim_whitespace(pa.array(lists.astype("str"), type=pa.large_string(), from_pandas=True))
    parts = pc.split_pattern(pc.if_else(pc.equal(texts, ""), None, texts), ",")
    ids = pc.utf8_trim_whitespace(pc.list_flatten(parts))
    try:
        numbers = ids.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise DataError(f"The changelog names a sprint that is no id ({error}). Jira writes ids as numbers.") from error
    return pc.list_parent_indices(parts).to_numpy().astype(np.int64), numbers.to_numpy(zero_copy_only=False)


@dataclass(frozen=True)
class Stays:
    """From when to when each issue was in each sprint."""

    pair_issue: Codes
    pair_sprint: Codes  # ids
    contradicted: Flags
    member: Steps

    @classmethod
    def of(cls, newest: pd.DataFrame, present: pd.DataFrame, moves: pd.DataFrame, known: pd.DataFrame) -> Stays:
        """Follow the lists of the changelog; before the first change holds what that says was there before.

        `known`: when sprints were completed (`sprint_id`, `completed`), for what Jira itself moves on then.
        """
        _check_ids(moves)
        now = present[present["sprint_id"].notna()]
        now_row = rows_of(now["id"], newest)
        now_id = now["sprint_id"].to_numpy(dtype=np.int64)
        states = _States.of(newest, moves)
        row, position, sprint = states.memberships(moves, now_row, now_id)
        issues, ids, code = _pairs(np.concatenate([row, now_row]), np.concatenate([sprint, now_id]))
        in_history, is_now = code[: len(row)], code[len(row) :]
        at_the_end = np.zeros(len(issues), dtype=bool)
        at_the_end[in_history[position == states.last[row]]] = True
        present_now = np.zeros(len(issues), dtype=bool)
        present_now[is_now] = True
        completed = to_micros(known.set_index("sprint_id")["completed"].reindex(ids))
        return cls(issues, ids, at_the_end != present_now, states.steps(in_history, row, position, completed))


def _pairs(rows: Codes, ids: Codes) -> tuple[Codes, Codes, Codes]:
    """Distinct pairs of issue and sprint, and which of them each row is."""
    numbers, codes = np.unique(ids, return_inverse=True)
    keys, which = np.unique(rows * max(len(numbers), 1) + codes, return_inverse=True)
    return keys // max(len(numbers), 1), numbers[keys % max(len(numbers), 1)], which


def _check_ids(moves: pd.DataFrame) -> None:
    for side in ("from", "to"):
        text, value = moves[f"{side}_text"].astype("str"), moves[f"{side}_value"].astype("str")
        nameless = text.notna() & text.str.strip().ne("").fillna(False) & value.fillna("").str.strip().eq("")
        if nameless.any():
            issue, name = moves.loc[nameless, "key"].iloc[0], text[nameless].iloc[0]
            raise DataError(
                f"The changelog of {issue} names the sprint {name!r} without its id ({int(nameless.sum())} such "
                "changes): names can be used twice. Export the changelog with `from` and `to`, which hold the ids."
            )


@dataclass(frozen=True)
class _States:
    """The list of sprints of each issue: at its creation, and after each change. By issue, then position."""

    first: Codes  # row of the state at creation, by issue
    last: Codes  # position of the last state, by issue
    at: npt.NDArray[np.int64]
    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]

    @classmethod
    def of(cls, newest: pd.DataFrame, moves: pd.DataFrame) -> _States:
        count = np.bincount(moves["row"], minlength=len(newest)).astype(np.int64)
        first = np.append(0, np.cumsum(count + 1))[:-1]
        changes = np.ones(int(count.sum()) + len(newest), dtype=bool)
        changes[first] = False
        created = first_instants(newest, moves)
        columns = []
        for name in ("changed_at", "not_before", "not_after"):
            at = np.empty(len(changes), dtype=np.int64)
            at[first], at[changes] = created, to_micros(moves[name])
            columns.append(at)
        return cls(first, count, *columns)

    def memberships(self, moves: pd.DataFrame, now_row: Codes, now_id: Codes) -> tuple[Codes, Codes, Codes]:
        """Issue, position and sprint of every entry of every list."""
        row = moves["row"].to_numpy()
        earliest = np.flatnonzero(np.append(True, row[1:] != row[:-1])) if len(row) else np.empty(0, dtype=np.int64)
        place, before = _split(moves["from_value"].iloc[earliest])
        change, after = _split(moves["to_value"])
        position = np.arange(len(row)) - (self.first[row] - row) + 1
        unchanged = self.last[now_row] == 0
        return (
            np.concatenate([row[earliest][place], row[change], now_row[unchanged]]),
            np.concatenate([np.zeros(len(place), np.int64), position[change], np.zeros(unchanged.sum(), np.int64)]),
            np.concatenate([before, after, now_id[unchanged]]),
        )

    def steps(self, pair: Codes, row: Codes, position: Codes, completed: Micros) -> Steps:
        """Joined where a list has the sprint and the one before has not; left where the next one has not.

        `completed`: when the sprint of each pair was. What Jira moves on at the completion left after it.
        """
        order = np.lexsort((position, pair))
        pair, row, position = pair[order], row[order], position[order]
        new = np.ones(len(pair), dtype=bool)
        new[1:] = (pair[1:] != pair[:-1]) | (position[1:] > position[:-1] + 1)
        ends = np.append(new[1:], True) if len(new) else new
        ends = ends & (position < self.last[row])
        state = self.first[row] + position
        rows = np.concatenate([state[new], state[ends] + 1])
        value = np.append(np.ones(new.sum(), dtype=bool), np.zeros(ends.sum(), dtype=bool))
        codes = np.concatenate([pair[new], pair[ends]])
        told = np.argsort(rows, kind="stable")  # of two changes at one instant the later one in the changelog holds
        rows, value, codes = rows[told], value[told], codes[told]
        carried = ~value & self._are_carried(rows, codes, value, completed)
        after = completed[codes] + 1
        at, high = (np.where(carried, after, v[rows]) for v in (self.at, self.high))
        low = np.where(carried & (self.low[rows] == self.high[rows]), after, self.low[rows])
        return Steps.of(codes, at, value, len(completed), low=low, high=high)

    def _are_carried(self, rows: Codes, codes: Codes, joins: Flags, completed: Micros) -> Flags:
        """Which changes put an issue into another sprint at the completion of the one that it leaves for good."""
        adds = np.zeros(len(self.at), dtype=bool)
        adds[rows[joins]] = True
        done, at = completed[codes], self.at[rows]
        latest = np.full(len(completed), -1)
        np.maximum.at(latest, codes, rows)
        found: Flags = adds[rows] & (at <= done) & (done - at <= _COMPLETING) & (latest[codes] == rows)
        return found
