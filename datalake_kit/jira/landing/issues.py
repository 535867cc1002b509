"""Load the issues of a lake: newest versions, unpacked when asked, with an account of every row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import duckdb
import pandas as pd

from datalake_kit.errors import DataError
from datalake_kit.jira.fields.columns import Wanted, merge_names, to_frame, unpack
from datalake_kit.jira.fields.field_types import empty_report, report_types
from datalake_kit.jira.fields.first_look import unpack_at_sight
from datalake_kit.jira.fields.names import FieldInfo, read_fields
from datalake_kit.jira.fields.plan import connect, count_keys
from datalake_kit.jira.landing.copies import LocalFiles
from datalake_kit.jira.landing.newest import (
    LandedFile,
    Newest,
    all_versions,
    choose_unread,
    count_present,
    field_records,
    look_at,
    raw_rows,
)  # fmt: skip
from datalake_kit.storage import Place

if TYPE_CHECKING:
    from datalake_kit.lake import Lake


@dataclass(frozen=True)
class Report:
    """What became of every row of a table of issues.

    `rows_in` = `rows_used` + `rows_superseded` + `rows_rejected`; one row used is one issue.
    """

    table: str
    files: int
    files_after_as_of: int
    files_timed_by_system: int  # their names tell no time: the time of modification was taken
    layouts: dict[str, int]  # how `fields` lies in the files -> number of files
    first_file: datetime | None
    last_file: datetime | None
    rows_in: int
    rows_used: int
    rows_superseded: int
    rows_rejected: int
    rows_undated: int  # versions of issues that came more than once, without a usable `updated`

    @property
    def adds_up(self) -> bool:
        """Whether every row that came in is accounted for."""
        return self.rows_in == self.rows_used + self.rows_superseded + self.rows_rejected

    def summary(self) -> pd.DataFrame:
        """The figures as a frame of two columns, `what` and `value`."""
        layouts = ", ".join(f"{kind} in {files}" for kind, files in self.layouts.items())
        rows: list[tuple[str, Any]] = [
            ("files read", self.files), ("files after as_of", self.files_after_as_of), ("fields lie as", layouts),
            ("first file", self.first_file), ("last file", self.last_file), ("rows in", self.rows_in),
            ("rows used (issues)", self.rows_used), ("rows superseded", self.rows_superseded),
            ("rows rejected", self.rows_rejected), ("versions without updated", self.rows_undated),
        ]  # fmt: skip
        return pd.DataFrame([(what, str(value)) for what, value in rows], columns=["what", "value"])


class JiraIssues:
    """The issues of a table, read when asked. `load` makes it."""

    def __init__(self, table: str, files: Iterable[Place], as_of: datetime | None = None) -> None:
        self.table = table
        self.as_of = as_of
        self._places = list(files)
        self._read: Newest | None = None

    def __repr__(self) -> str:
        until = f", as of {self.as_of:%Y-%m-%d %H:%M} UTC" if self.as_of else ""
        return f"<JiraIssues of {self.table}: {len(self._places)} files{until}>"

    @cached_property
    def _local(self) -> LocalFiles:
        """The files, those on S3 copied; the copies go with this object."""
        return LocalFiles(self._places)

    @cached_property
    def _all_files(self) -> list[LandedFile]:
        try:
            return [look_at(path) for path in self._local.paths]
        except DataError as problem:
            raise type(problem)(self._local.explained(str(problem))) from None

    @cached_property
    def _files(self) -> list[LandedFile]:
        return [f for f in self._all_files if self.as_of is None or f.time <= self.as_of]

    @cached_property
    def _chosen(self) -> Newest | None:
        """The choice, before any document of an issue that came once was read."""
        return choose_unread(connect(), self._files) if self._files else None

    @property
    def _newest(self) -> Newest | None:
        """The choice once all documents were read: then it stands, and the keys are counted."""
        if self._read is None and self._chosen is not None:
            self._read = count_present(self._chosen)
        return self._read

    def frame(self, fields: Wanted = None, names: Any = None, *, keep_objects: bool = False) -> pd.DataFrame:
        """The newest version of each issue, its fields unpacked into typed, named columns.

        Parameters
        ----------
        fields, names, keep_objects
            As for `dk.jira.unpack_fields`. Names that came with the documents are used where `names` has none.

        Returns
        -------
        DataFrame
            One row an issue, in the order in which the versions landed. `dk.jira.names(frame)` shows the mapping of
            columns and fields.
        """
        known = self._known(names)
        if self._chosen is None:
            return pd.DataFrame({"id": pd.Series(dtype="str"), "key": pd.Series(dtype="str")})
        at_sight = fields is None and self._read is None and not self._chosen.source.parts
        frame = self._read_at_sight(self._chosen, known, keep_objects) if at_sight else None
        if frame is None and (newest := self._newest) is not None:
            unpacked = unpack(newest.source, newest.present, known, fields, keep_objects=keep_objects)
            frame = to_frame(unpacked, known, newest.source.others)
        return cast("pd.DataFrame", frame)

    def _read_at_sight(self, chosen: Newest, known: dict[str, FieldInfo], keep_objects: bool) -> pd.DataFrame | None:
        """The frame of all fields from one pass over the documents; None when one of them is no JSON."""
        try:
            unpacked, present, known = unpack_at_sight(chosen.source, known, keep_objects=keep_objects)
        except duckdb.InvalidInputException:
            return None
        self._read = replace(chosen, present=present)
        return to_frame(unpacked, known, chosen.source.others)

    def versions(self, fields: Wanted = None, names: Any = None) -> pd.DataFrame:
        """Every usable version of each issue, unpacked: what `dk.jira.changelog` finds changes in.

        Parameters
        ----------
        fields, names
            As for `dk.jira.unpack_fields`. Ask for the fields whose history matters: versions are many.

        Returns
        -------
        DataFrame
            One row a version; those of an issue stand together, the oldest first, in the order that decides which is
            the newest. `landed` is the time of the file (UTC). Versions that were sent again unchanged are there too.
        """
        if self._newest is None:
            return pd.DataFrame({name: pd.Series(dtype="str") for name in ("id", "key", "landed")})
        known, source = self._known(names), all_versions(self._newest)
        frame = to_frame(unpack(source, count_keys(source), known, fields, keep_objects=False), known, source.others)
        frame["landed"] = pd.to_datetime(frame["landed"], utc=True, format="ISO8601")
        return frame

    def raw(self) -> pd.DataFrame:
        """The newest version of each issue as it came; as text where the files lie differently."""
        return pd.DataFrame() if self._newest is None else raw_rows(self._newest).to_pandas()

    @cached_property
    def rejects(self) -> pd.DataFrame:
        """Rows that cannot be used: file, row in it (from 0), id and key where they are known, reason."""
        columns = ["file", "row", "id", "key", "reason"]
        if self._newest is None:
            return pd.DataFrame(columns=columns)
        found: pd.DataFrame = self._newest.rejects.to_pandas()
        found["file"] = found["file"].map(self._local.shown)
        return found

    @cached_property
    def report(self) -> Report:
        """The account of files and rows."""
        rows = self._newest.rows if self._newest else 0
        used = self._newest.source.rows if self._newest else 0
        rejected = len(self.rejects)
        times = [f.time for f in self._files]
        kinds = [f.layout.kind for f in self._files]
        return Report(
            self.table, len(self._files), len(self._all_files) - len(self._files),
            sum(not f.time_in_name for f in self._files), {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
            min(times, default=None), max(times, default=None), rows, used, rows - used - rejected, rejected,
            self._newest.undated if self._newest else 0,
        )  # fmt: skip

    def field_types(self, names: Any = None) -> pd.DataFrame:
        """Report what each field holds in how many issues, which rule reads it, and what decided that.

        Returns
        -------
        DataFrame
            As `dk.jira.field_types`: one row a field, null and absent apart.
        """
        newest = self._newest
        if newest is None:
            return empty_report()
        return report_types(newest.source, newest.present, self._known(names))

    def _known(self, names: Any) -> dict[str, FieldInfo]:
        given = read_fields(names)
        return merge_names(given, field_records(self._chosen) if self._chosen else [])


def load(lake: Lake, table: str, as_of: str | date | datetime | None = None) -> JiraIssues:
    """Load the issues that AppFlow landed in a table: the newest version of each.

    An issue is its `id`. Of its rows the newest is the one with the latest instant of `fields.updated`, then of the
    latest file (by the time in its name, else by its modification), then the last in the file. No value is filled in
    from an older version.

    Parameters
    ----------
    lake
        The lake that `dk.connect` gave. Files on S3 are copied to a temporary folder, which goes with the result.
    table
        `database.table`, as `jiralake.jira_raw`.
    as_of
        Only files that had landed by this instant (UTC when it has no offset). None: all.

    Returns
    -------
    JiraIssues
        Nothing is read yet: `.frame()`, `.raw()`, `.rejects` and `.report` do.

    Raises
    ------
    NotFoundError
        No such table.
    DataError
        `as_of` is no instant; later, when read: a file that is no whole Parquet file, or has no id or no fields.

    Examples
    --------
    >>> issues = dk.jira.load(lake, "jiralake.jira_raw")          # doctest: +SKIP
    >>> issues.frame()[["key", "status", "story_points"]]         # doctest: +SKIP
    """
    return JiraIssues(table, lake.table(table).files(), _instant(as_of))


def _instant(as_of: str | date | datetime | None) -> datetime | None:
    if as_of is None:
        return None
    try:
        instant = pd.Timestamp(as_of)
    except (ValueError, TypeError):
        raise DataError(f"as_of={as_of!r} is no instant. Write it like 2026-03-01T02:00:00+00:00.") from None
    stamp = instant.tz_localize("UTC") if instant.tzinfo is None else instant.tz_convert("UTC")
    return stamp.to_pydatetime().astimezone(UTC)
