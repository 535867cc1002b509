"""Issues that no longer come: when each was last seen, and which are not in a later full run. Pure: frames in and out.

Jira tells no one of a deletion: a deleted issue simply does not come again, and neither does one that nobody changes.
So from incremental runs alone a deletion is only suspected; a full run later than an issue's last version decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError, did_you_mean

_DELETED, _NOT_YET, _THERE = "deleted", "came after the full run", "there"


def last_seen(versions: pd.DataFrame) -> pd.DataFrame:
    """Tell when each issue was first and last seen, and how often it came.

    An issue that has not come since some day is not deleted for that: an incremental run brings only what changed.
    `deleted` decides by a full run.

    Parameters
    ----------
    versions
        One row a version, with `id`, `key` and `landed` (the time of its file), as
        `dk.jira.load(...).versions(fields=["updated"])` gives; `updated` is told when it is there.

    Returns
    -------
    DataFrame
        One row an issue, by `id`: `id`, `key` (of the last version, in the order of the rows), `first_seen` and
        `last_seen` (UTC, times of files), `versions` (rows, those sent again unchanged among them), `updated` (of the
        last version).

    Raises
    ------
    ColumnNotFoundError
        A column is missing.
    DataError
        A version has no id or no time of landing.

    Examples
    --------
    >>> landed = pd.to_datetime(["2026-03-01", "2026-03-02", "2026-03-01"], utc=True)
    >>> versions = pd.DataFrame({"id": ["1", "1", "2"], "key": ["A-1", "B-1", "A-2"], "landed": landed})
    >>> last_seen(versions)["key"].to_list()
    ['B-1', 'A-2']
    """
    _need(versions, ("id", "key", "landed"))
    _refuse_missing(versions)
    told = ["key", *(["updated"] if "updated" in versions else [])]
    times = versions.groupby("id", sort=True)["landed"].agg(first_seen="min", last_seen="max", versions="size")
    last = versions.drop_duplicates("id", keep="last").set_index("id")[told]
    found: pd.DataFrame = times.join(last).reset_index()
    return found.reindex(columns=["id", "key", "first_seen", "last_seen", "versions", *told[1:]])


def deleted(seen: pd.DataFrame, full_run: Any, *, at: Any = None) -> pd.DataFrame:
    """Tell which issues a full run no longer has.

    The rule: an issue that is not in the full run and was last seen before it is deleted (or can no longer be seen with
    the rights of the connection; Jira does not tell these apart). One that came since the full run began is not decided
    by it. Nothing is guessed: without a full run use `last_seen`, which tells "not seen since" and no more.

    Parameters
    ----------
    seen
        What `last_seen` gave, or versions as it takes them.
    full_run
        The instant of a full run, whose rows are those that landed then: all files of that instant (then `seen` must be
        versions); or the issues of the full run: a frame with `id`, or ids.
    at
        The instant at which the full run began (UTC when it has no offset); needed when `full_run` is issues. Versions
        of the run itself land at or after it.

    Returns
    -------
    DataFrame
        One row an issue, by `id`, with the columns of `last_seen` and `in_full_run` (yes or no), `full_run` (its
        instant) and `state`: "there", "deleted", or "came after the full run" (not in it, but seen since: it is there,
        or was made again).

    Raises
    ------
    ParameterError
        `full_run` is issues and `at` is missing, or the other way round.
    DataError
        Nothing landed at that instant; or the full run holds issues that were never seen, so it is of another table;
        or it holds none at all.

    Examples
    --------
    >>> landed = pd.to_datetime(["2026-03-01", "2026-03-01", "2026-03-08"], utc=True)
    >>> versions = pd.DataFrame({"id": ["1", "2", "1"], "key": ["A-1", "A-2", "A-1"], "landed": landed})
    >>> deleted(versions, "2026-03-08")[["key", "state"]].to_numpy().tolist()
    [['A-1', 'there'], ['A-2', 'deleted']]
    """
    table = last_seen(seen) if "landed" in seen else seen
    _need(table, ("id", "key", "first_seen", "last_seen"))
    ids, instant = _full_run(seen, full_run, at)
    unknown = sorted(ids - set(table["id"]))
    if unknown:
        raise DataError(
            f"The full run holds {len(unknown)} issues that never came otherwise, such as {unknown[0]}: it is of other "
            "issues, or its files are not among the versions. Give versions that include the run."
        )
    there = table["id"].isin(ids)
    later = ~there & (table["last_seen"] >= instant)
    state = there.map({True: _THERE, False: _DELETED}).mask(later, _NOT_YET).astype("str")
    return table.assign(in_full_run=there.astype("boolean"), full_run=instant, state=state)


def _full_run(seen: pd.DataFrame, full_run: Any, at: Any) -> tuple[set[str], pd.Timestamp]:
    """The ids of a full run, and its instant."""
    if isinstance(full_run, pd.DataFrame):
        _need(full_run, ("id",))
        full_run = full_run["id"]
    if isinstance(full_run, str) or not isinstance(full_run, Iterable):
        if at is not None:
            raise ParameterError("at= goes with issues of a full run; here full_run is its instant already.")
        return _landed_at(seen, _instant(full_run))
    if at is None:
        raise ParameterError("Give at=, the instant of the full run: an issue that came later is not judged by it.")
    ids = {str(number) for number in full_run}
    if not ids:
        raise DataError("The full run holds no issue: by it all would be deleted. Give the ids that it brought.")
    return ids, _instant(at)


def _landed_at(seen: pd.DataFrame, instant: pd.Timestamp) -> tuple[set[str], pd.Timestamp]:
    if "landed" not in seen:
        raise ParameterError("A full run by its instant needs versions (with landed); give its issues and at= instead.")
    ids = set(seen.loc[seen["landed"] == instant, "id"])
    if not ids:
        times = seen["landed"].drop_duplicates().sort_values()
        nearest = times.iloc[(times - instant).abs().argsort()[:3]]
        raise DataError(f"Nothing landed at {instant}. The nearest files: {', '.join(map(str, nearest))}.")
    return ids, instant


def _instant(given: Any) -> pd.Timestamp:
    try:
        instant = pd.Timestamp(given)
        return instant.tz_localize("UTC") if instant.tzinfo is None else instant.tz_convert("UTC")
    except (ValueError, TypeError, AttributeError):  # the last one: of NaT
        raise DataError(f"{given!r} is no instant. Write it like 2026-03-01T02:00:00+00:00.") from None


def _need(frame: pd.DataFrame, columns: Iterable[str]) -> None:
    for name in columns:
        if name not in frame:
            raise ColumnNotFoundError(f"No column {name!r} in the frame. {did_you_mean(name, map(str, frame.columns))}")


def _refuse_missing(versions: pd.DataFrame) -> None:
    for name in ("id", "landed"):
        missing = int(versions[name].isna().sum())
        if missing:
            raise DataError(f"{missing} versions have no {name}. dk.jira.load(...).versions() gives both.")
