"""The check of one table: staged files replayed, counted against the lake, and where they differ, key by key."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from datalake_kit.cdc.canonical import Form
from datalake_kit.cdc.compare import (
    CHANGED,
    PIPELINE_COLUMNS,
    UNVERIFIED,
    Aligned,
    Comparison,
    Tolerances,
    align,
)
from datalake_kit.cdc.counts import count_versions, misplaced_versions, rows_by_file
from datalake_kit.cdc.details import Side, changed_columns, differences
from datalake_kit.cdc.dms import DmsFile
from datalake_kit.cdc.explain import explain
from datalake_kit.cdc.findings import Told
from datalake_kit.cdc.lake_side import COMMIT
from datalake_kit.cdc.options import Options, depths
from datalake_kit.cdc.ordering import Ordering
from datalake_kit.cdc.past_staging import compare_past_staging
from datalake_kit.cdc.pending import not_in_table
from datalake_kit.cdc.relation import Relation
from datalake_kit.cdc.remote_side import APART, empty_relation, fetch_differing, filled_columns
from datalake_kit.cdc.replay import Mode, key_names, state_of
from datalake_kit.cdc.result import EQUAL
from datalake_kit.cdc.source_hop import SourceHop
from datalake_kit.cdc.spool import Spool
from datalake_kit.cdc.staged import StagedTable, open_staged
from datalake_kit.cdc.table_check import TO_EXPECTED, TableCheck
from datalake_kit.cdc.versions import Known, case_of, newest_commits, record_columns
from datalake_kit.cdc.waiting import Waiting, ahead_of_cut, known_landings, landing_times, waiting_for
from datalake_kit.cdc.workspace import Workspace

if TYPE_CHECKING:
    from datalake_kit.cdc.lake_side import LakeSide
    from datalake_kit.cdc.settings import DmsSettings


def check_table(
    side: LakeSide,
    staging: str,
    files: Sequence[DmsFile],
    keys: Sequence[str],
    mode: Mode,
    *,
    count: int | None,
    level: str,
    until: str | datetime | date | None = None,
    tolerance: Tolerances = None,
    mask: Collection[str] = (),
    source: Any = None,
    settings: DmsSettings | None = None,
    lag: Mapping[str, datetime | None] | Collection[str] | None = None,
    processed: Collection[str] = (),
    changed_at: str | None = None,
) -> TableCheck:
    """Check one table.

    Parameters
    ----------
    side : LakeSide
    staging : str
        The name of the staging table.
    files : sequence of DmsFile
        Its files.
    keys : sequence of str
        The columns that identify a record of the source.
    mode : "S" or "H"
    count : int, optional
        The rows of the table as counted in SQL; None where that was not possible.
    level : "counts", "keys" or "values"
        How deep a table is compared that looks equal.
    until : str, datetime or date, optional
        The cut: changes after it are left out on both sides; keys that the lake has newer are lag.
    tolerance : number, timedelta, or mapping of column to these, optional
        How far two values may lie apart and still count as equal.
    mask : collection of str
        Columns whose values are not shown.
    source : object, optional
        The source itself: `label`, and `local_parquet(folder)` that gives local Parquet files of its rows.
    settings : DmsSettings, optional
    lag : mapping of file name to landing time, or collection of file names, optional
        Staged files that are known not to be processed yet.
    processed : collection of str, optional
        The names of files that are marked as processed.
    changed_at : str, optional
        The source's column that says when a row was changed; rows changed after the cut are lag.
    """
    options = Options(level, until, tolerance, tuple(mask), source, settings, lag, processed, changed_at)
    if not files and source is not None:
        return compare_past_staging(side, staging, keys, mode, options, count)
    with Spool() as spool:
        staged = _read(spool, files, side.ordering, settings)
        names = key_names(staged, keys, mode)
        return _looked(side, staging, staged, names, mode, options, count)


def _looked(
    side: LakeSide,
    staging: str,
    staged: StagedTable,
    keys: tuple[str, ...],
    mode: Mode,
    options: Options,
    count: int | None,
) -> TableCheck:
    """Look deeper until the verdict is sure; once more without the columns that never arrived."""
    lost: dict[str, int] = {}
    for depth in (*depths(side, options), "values"):
        with Workspace() as work:
            attempt = _Attempt(work, side, staging, staged, keys, mode, options, depth, count, lost)
            check, settled = attempt.run()
        lost = attempt.lost
        if settled:
            break
    return check


def _read(spool: Spool, files: Sequence[DmsFile], ordering: str | None, settings: DmsSettings | None) -> StagedTable:
    """Open the staged files; the table's own ordering column counts where the files do not have DMS's."""
    staged = open_staged(spool, files, settings=settings)
    if staged.sequence is not None or ordering is None:
        return staged
    same = [c for c in staged.columns if c.casefold() == ordering.casefold()]
    return replace(staged, sequence=same[0] if same else None)


class _Attempt:
    """One table looked at in one depth, in a workspace of its own."""

    def __init__(
        self,
        work: Workspace,
        side: LakeSide,
        staging: str,
        staged: StagedTable,
        keys: tuple[str, ...],
        mode: Mode,
        options: Options,
        depth: str,
        count: int | None,
        lost: Mapping[str, int] | None = None,
    ) -> None:
        self.work, self.side, self.staged, self.options, self.depth = work, side, staged, options, depth
        self.keys, self.mode, self.count = keys, mode, count
        self.lost = dict(lost or {})
        self._known_lost = frozenset(self.lost)
        self.check = TableCheck(side.name, staging, EQUAL, mode=mode, compared=depth)
        self.until = options.until

    def run(self) -> tuple[TableCheck, bool]:
        """Look, and say whether the verdict is sure."""
        compares = self.depth != "counts"
        self.relation = self.staged.relation(self.work)
        self.is_remote = compares and self.side.is_remote
        self.lake = self._open_lake(compares)
        self.hop = self._hop()
        aligned = self._align() if compares else None
        self.ordering = self._order(aligned)
        self._describe()
        if aligned is not None:
            self._read_lake(aligned)
        agrees = self._note_counts(compares)
        self._note_columns(aligned)
        if self.side.around_sql:
            told = f"its rows are read from S3 by dk.hudi: {self.side.around_sql}"
            self.check.check(told, None, None, passed=True)
        for fault in self.side.faults():
            self.check.note(UNVERIFIED, file=fault.file, commit=fault.commit or None, explanation=fault.problem)
        loaded = self._count_source()
        if aligned is None:
            self.check.judge(agrees and loaded)
            return self.check, agrees and loaded
        if self.depth == "keys" and not (agrees and loaded and self.has_versions):
            return self.check, False
        equal = self._compare(aligned)
        if self.lost and not self._known_lost:
            return self.check, False
        settled = agrees or (equal is not None and self.until is not None) or bool(self.check.lag)
        if self.hop is not None:
            staged = Side(self.relation, lambda part: self.staged.origin(part)[:2])
            loaded = self.hop.compare_with_files(self.ordering, staged) or bool(self.check.findings)
        self.check.judge(settled and loaded)
        return self.check, True

    def _open_lake(self, compares: bool) -> Relation | None:
        if self.is_remote:
            return empty_relation(self.side, self.work)  # its rows, as far as they are needed, come later
        return self.side.relation(self.work) if compares or self.side.is_local else None

    def _hop(self) -> SourceHop | None:
        if self.options.source is None:
            return None
        return SourceHop.asked(self.work, self.check, self.options, self.keys, TO_EXPECTED, self.depth == "keys")

    def _count_source(self) -> bool:
        """Count the source's rows and hold them against the current state that the files lead to."""
        if self.hop is None:
            return True
        self.hop.count()
        return self.hop.check_rows(f"rows ({TO_EXPECTED})", int(self.work.value("SELECT count(*) FROM current")))

    # --- reading

    def _align(self) -> Aligned:
        lake, sequence = self._whole_lake(), self.staged.sequence
        record = (*self.keys, sequence) if self.mode == "H" and sequence else self.keys
        forms = self.hop.forms(self.relation, lake) if self.hop is not None else {}
        found = align(
            self.relation,
            lake,
            record,
            columns=[c for c in self.staged.columns if c not in self._known_lost],
            sequence=sequence,
            tolerance=self.options.tolerance,
            forms=forms,
        )
        if self.hop is not None:
            self.hop.align(self.relation, forms)
        if self.depth == "keys":
            return found.only([*record, *([sequence] if sequence else [])])
        for name in found.not_comparable:
            text = f"the column {name} has types in staging and lake that cannot be compared"
            self.check.note(UNVERIFIED, column=name, explanation=text)
        return found

    def _whole_lake(self) -> Relation:
        if self.lake is None:
            raise AssertionError("the lake's rows are read before they are compared")
        return self.lake

    def _order(self, aligned: Aligned | None) -> Ordering:
        forms: dict[str, Form] = {}
        extras = {}
        if aligned is not None:
            forms = {p.name: p.form for p in aligned.keys if not p.is_sequence}
            extras["h"] = lambda part: aligned.number(part, ours=True)
            for i, pair in enumerate(aligned.near):
                extras[f"t{i}"] = pair.ours
            extras |= self.hop.extras() if self.hop is not None else {}
        return Ordering(
            self.work,
            self.staged,
            self.keys,
            mode=self.mode,
            until=self.until,
            relation=self.relation,
            forms=forms,
            extras=extras,
        )

    def _describe(self) -> None:
        check, ordering = self.check, self.ordering
        check.expected = state_of(ordering, self.mode, self.until)
        check.untrusted = check.expected.untrusted
        check.loaded, check.changes, check.last_sequence = ordering.loaded, ordering.changes, ordering.last_sequence

    def _read_lake(self, aligned: Aligned) -> None:
        """Show `lake_rows`, slim: the key, the sequence, the number of the values; read from the files each time."""
        rest = ""
        if self.is_remote:
            fetched = fetch_differing(self.side, self.ordering, aligned)
            self.lake = fetched.lake
            for told in fetched.told:
                self.check.check(told, None, None, passed=True)
            if not fetched.is_whole:  # the digests of all others are those of the rows expected
                record = ", ".join(record_columns(self.ordering))
                equal = f"{self.ordering.expected} ANTI JOIN {APART} USING (file, pos)"
                rest = f" UNION ALL SELECT {record}, seq, h FROM {equal}"
        lake, name = self._whole_lake(), self.side.column(self.staged.sequence)
        sequence = next((p for p in aligned.pairs if p.is_sequence), None) if name is not None else None
        near = "".join(f", {{}} AS t{i}" for i, _ in enumerate(aligned.near))

        def columns(part: Any) -> str:
            keys = ", ".join(f"{p.theirs(part)} AS r{i}" for i, p in enumerate(aligned.keys))
            seq = sequence.theirs(part) if sequence is not None else "''"
            more = near.format(*(p.theirs(part) for p in aligned.near))
            return f"{keys}, {seq} AS seq, {aligned.number(part, ours=False)} AS h{more}"

        self.work.run(f"CREATE VIEW lake_rows AS {lake.select(columns)}{rest}")

    # --- counts

    def _note_counts(self, compares: bool) -> bool:
        check, ordering = self.check, self.ordering
        if self.count is None and not compares and self.lake is not None:
            self.count = int(self.work.value(f"SELECT count(*) FROM ({self.lake.select(lambda part: '1')})"))
        check.lake_rows = (
            self.count if self.count is not None else int(self.work.value("SELECT count(*) FROM lake_rows"))
        )
        wanted = check.expected.rows if check.expected is not None else 0
        self.has_versions = count_versions(ordering, self.side, self.lake, compared=compares)
        runs = check.expected.runs if check.expected is not None else ordering.runs()
        check.by_file = rows_by_file(check.table, ordering, runs, versions=self.has_versions)
        rows = check.lake_rows == wanted
        check.check("rows", wanted, check.lake_rows, passed=rows)
        if not self.has_versions:
            return rows and compares
        wrong, strange = misplaced_versions(ordering)
        check.check("rows of the version expected", wanted, wanted - wrong, passed=not wrong)
        check.check("rows of another version", 0, strange, passed=not strange)
        return rows and not wrong and not strange

    def _note_columns(self, aligned: Aligned | None) -> None:
        there = {name.casefold() for name in self.side.columns}
        absent = [n for n in self.staged.columns if n.casefold() not in there and n.casefold() not in PIPELINE_COLUMNS]
        for name, filled in {**self._filled(absent), **{n: self.lost[n] for n in self._known_lost}}.items():
            if filled:
                text = f"the column {name} never arrived: {filled} rows should have a value in it"
                self.check.note(UNVERIFIED, column=name, explanation=text)

    def _filled(self, names: Sequence[str]) -> dict[str, int]:
        """How many of the rows expected have a value in some columns."""
        if not names:
            return {}
        parts = []
        for part in self.relation.parts:
            file, position, _ = self.staged.origin(part)
            values = ", ".join(f"{part.column(n)[0]} IS NOT NULL AS c{i}" for i, n in enumerate(names))
            parts.append(
                f"SELECT CAST({file} AS INTEGER) AS file, CAST({position} AS BIGINT) AS pos, {values} "
                f"FROM {part.source}"
            )
        counted = ", ".join(f"count(*) FILTER (c{i})" for i, _ in enumerate(names))
        both = f"({' UNION ALL '.join(parts)}) SEMI JOIN {self.ordering.expected} USING (file, pos)"
        return dict(zip(names, self.work.rows(f"SELECT {counted} FROM {both}")[0], strict=True))

    # --- keys and values

    def _compare(self, aligned: Aligned) -> Comparison | None:
        """Compare key by key, describe what differs, and return the comparison when nothing does."""
        near = "".join(f", t{i}" for i, _ in enumerate(aligned.near))
        record = ", ".join(record_columns(self.ordering))
        self.work.run(
            f"CREATE VIEW wanted_rows AS SELECT {record}, h, seq, file, pos{near} FROM {self.ordering.expected}"
        )
        comparison = Comparison(self.work, "hop", "wanted_rows", "lake_rows", len(aligned.keys), aligned.near)
        if comparison.counts[CHANGED] and not self._known_lost and self.depth == "values":
            self.lost = self._lost_columns(aligned)
            if self.lost:
                return None
        waiting = self._waiting(comparison, aligned)
        self.check.counts = comparison.counts - waiting.counts
        self.check.lag = waiting.total if self.options.lag is not None or self.until is not None else None
        self.check.notes += waiting.notes
        many = sum(self.check.counts.values())
        what = "values" if self.depth == "values" else "keys"
        self.check.check(f"keys with other {what}", 0, many, passed=not many)
        for pair in aligned.near:
            what = f"values of {pair.name} further apart than the tolerance are differences"
            self.check.check(what, None, None, passed=True, tolerance=pair.shown_tolerance)
        if not many:
            return comparison
        self._describe_differences(comparison, aligned, waiting, many)
        return None

    def _waiting(self, comparison: Comparison, aligned: Aligned) -> Waiting:
        if not sum(comparison.counts.values()):
            return Waiting()
        found = Waiting()
        if self.until is not None:
            found = ahead_of_cut(self.ordering, comparison)
        if self.options.lag:
            files = landing_times(self.staged.files, self.options.lag)
            found = waiting_for(self.ordering, comparison, aligned, files, found)
        return found

    def _lost_columns(self, aligned: Aligned) -> dict[str, int]:
        """Columns that are NULL in the whole lake while rows should have values in them, with the number of these."""
        lake = self._whole_lake()
        candidates = [p for p in aligned.pairs if p not in aligned.keys and not p.is_sequence]
        if not candidates:
            return {}
        if self.is_remote:
            values = filled_columns(self.side, [p.other for p in candidates])
            empty = [p.name for p, n in zip(candidates, values, strict=True) if not n]
            return {name: filled for name, filled in self._filled(empty).items() if filled}
        counted = ", ".join(f"count(c{i})" for i, _ in enumerate(candidates))
        columns = lake.select(
            lambda part: ", ".join(f"{part.column(p.other)[0]} AS c{i}" for i, p in enumerate(candidates))
        )
        found = self.work.rows(f"SELECT {counted} FROM ({columns})")[0]
        empty = [p.name for p, n in zip(candidates, found, strict=True) if not n]
        return {name: filled for name, filled in self._filled(empty).items() if filled}

    def _describe_differences(self, comparison: Comparison, aligned: Aligned, waiting: Waiting, many: int) -> None:
        lake = self._whole_lake()
        found = differences(comparison, without=waiting.table)
        ours = Side(self.relation, lambda part: self.staged.origin(part)[:2])
        changed = changed_columns(comparison, aligned, ours, Side(lake), self.options.mask)
        commit = lake.find(COMMIT)
        known = Known(
            partition_columns=self.side.partition_columns,
            faults=self.side.faults(),
            last_commit=self.side.commit,
            pending=not_in_table(self.side.snapshot),
            landed=known_landings(self.staged.files, self.options.lag or ()),
            processed=[f.name in self.options.processed or None for f in self.staged.files],
            lake=lake,
            commit_column=commit,
            sequence_column=self.side.column(self.staged.sequence),
            mask=self.options.mask,
        )
        reasons = explain(case_of(self.ordering, comparison, found, known, waiting.table))
        told = Told(self.check, aligned, self.options.mask, self.staged.sequence is not None)
        commits = newest_commits(comparison, aligned, lake, commit)
        for one in found:
            told.add(one, changed.get(one.id), reasons[one.key], commits.get(one.id))
        self.check.note_left_out(many - len(found))


__all__ = ["check_table"]
