"""The check of one table: staged files replayed, counted against the lake, and where they differ, key by key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from datalake_kit.cdc.compare import (
    CHANGED,
    DUPLICATE,
    EXTRA,
    KINDS,
    MISSING,
    PIPELINE_COLUMNS,
    UNVERIFIED,
    Comparison,
    Difference,
    align,
    key_column,
    plain_key,
    version_counts,
)
from datalake_kit.cdc.dms import FILE, OP, POSITION, DmsFile, StagedTable, read_staged
from datalake_kit.cdc.explain import Case, Explanation, explain
from datalake_kit.cdc.pipeline import Version
from datalake_kit.cdc.replay import Expected, Mode, replay
from datalake_kit.cdc.result import BY_FILE_TYPES, DIFFERENT, EQUAL, NOT_COMPARED

if TYPE_CHECKING:
    from datalake_kit.cdc.lake_side import LakeSide

HOP = "expected -> lake"


@dataclass
class TableCheck:
    """What was found of one table."""

    table: str
    staging: str
    verdict: str
    explanation: str = ""
    mode: str = ""
    compared: str = "nothing"
    staged: StagedTable | None = None
    expected: Expected | None = None
    lake_rows: int | None = None
    findings: list[dict[str, Any]] = field(default_factory=list)
    by_file: pd.DataFrame | None = None
    untrusted: pd.DataFrame | None = None
    checks: list[tuple[Any, ...]] = field(default_factory=list)

    @staticmethod
    def not_compared(table: str, staging: str, problem: str, mode: str = "") -> TableCheck:
        """A table of which nothing is known, and why."""
        return TableCheck(table, staging, NOT_COMPARED, problem.rstrip("."), mode)

    @property
    def last_sequence(self) -> str:
        """The newest change that was replayed."""
        if self.staged is None or self.staged.sequence is None:
            return ""
        return str(pc.max(self.staged.sequences).as_py() or "")

    def summary_row(self) -> dict[str, Any]:
        """The table's row of the summary; numbers that are not known are NA."""
        kinds = Counter(f["kind"] for f in self.findings)
        known = self.expected is not None and self.verdict != NOT_COMPARED
        changes = int(self.staged.is_change.sum()) if self.staged else 0
        expected = self.expected.rows if self.expected is not None else None
        both = expected is not None and self.lake_rows is not None
        return {
            "table": self.table,
            "staging": self.staging,
            "mode": self.mode,
            "full_load": self.staged.rows.num_rows - changes if self.staged else None,
            "changes": changes if self.staged else None,
            "expected": expected,
            "lake": self.lake_rows,
            "difference": (self.lake_rows or 0) - (expected or 0) if both else None,
            **{_COLUMN[kind]: kinds[kind] if known else None for kind in (*KINDS, UNVERIFIED)},
            "untrusted": len(self.untrusted) if self.untrusted is not None else None,
            "compared": self.compared,
            "verdict": self.verdict,
            "explanation": self.explanation,
        }


_COLUMN = {
    MISSING: "missing",
    EXTRA: "extra",
    CHANGED: "changed",
    DUPLICATE: "duplicates",
    UNVERIFIED: "unverified",
}


def check_table(
    side: LakeSide,
    staging: str,
    files: Sequence[DmsFile],
    keys: Sequence[str],
    mode: Mode,
    *,
    count: int | None,
    level: str,
) -> TableCheck:
    """Check one table. `count` is its rows as counted in SQL, None where that was not possible."""
    staged = _read(files, side.ordering)
    expected = replay(staged, keys, mode=mode)
    check = TableCheck(side.name, staging, EQUAL, mode=mode, compared="counts", staged=staged, expected=expected)
    check.untrusted = expected.untrusted
    check.lake_rows = count if count is not None else side.rows.num_rows
    versions = side.versions(staged.sequence) if staged.sequence else None
    should = version_counts(staged.sequences.take(pa.array(expected.positions)))
    check.by_file = _by_file(check, staged, expected, should, versions)
    agrees = _note_counts(check, expected, should, versions)
    _note_columns(check, side, expected)
    _note_faults(check, side)
    if level != "counts" or not agrees or versions is None or not side.is_whole:
        _compare(check, side, staged, expected, keys_only=level == "keys" and agrees and versions is not None)
    _judge(check, agrees)
    return check


def _read(files: Sequence[DmsFile], ordering: str | None) -> StagedTable:
    """Read the staged rows; the table's own ordering column counts where the files do not have DMS's."""
    staged = read_staged(files)
    if staged.sequence is not None or ordering is None:
        return staged
    same = [c for c in staged.columns if c.casefold() == ordering.casefold()]
    return StagedTable(staged.files, staged.rows, same[0] if same else None)


# --- counts


def _note_counts(
    check: TableCheck, expected: Expected, should: Mapping[str, int], versions: Mapping[str, int] | None
) -> bool:
    rows = check.lake_rows == expected.rows
    check.checks.append((check.table, "rows", expected.rows, check.lake_rows, 0, rows))
    if versions is None:
        return rows
    wrong = sum((Counter(should) - Counter(versions)).values())
    strange = sum((Counter(versions) - Counter(should)).values())
    check.checks.append(
        (check.table, "rows of the version expected", expected.rows, expected.rows - wrong, 0, not wrong)
    )
    check.checks.append((check.table, "rows of another version", 0, strange, 0, not strange))
    return rows and not wrong and not strange


def _by_file(
    check: TableCheck,
    staged: StagedTable,
    expected: Expected,
    should: Mapping[str, int],
    versions: Mapping[str, int] | None,
) -> pd.DataFrame:
    """Count rows by the staged file that wrote them last, as they should be and as the lake has them."""
    frame = expected.runs.copy()
    frame.insert(0, "table", check.table)
    wanted = np.bincount(staged.file_numbers[expected.positions], minlength=len(frame))
    frame["expected"] = wanted
    frame["lake"] = pd.NA if versions is None else _lake_by_file(staged, expected, versions, wanted)
    frame["difference"] = frame["lake"] - frame["expected"]
    return frame[list(BY_FILE_TYPES)].astype(BY_FILE_TYPES)


def _lake_by_file(
    staged: StagedTable, expected: Expected, versions: Mapping[str, int], wanted: np.ndarray[Any, Any]
) -> list[int]:
    """Give the lake's rows to files by their sequence; those of the full load have none and fill its files."""
    counting = expected.positions[staged.is_change[expected.positions]]
    owner: dict[str, int] = {}  # of a change delivered twice the file whose row counts comes last
    for rows in (np.flatnonzero(staged.is_change), counting):
        owner |= zip(staged.sequences.take(pa.array(rows)).to_pylist(), staged.file_numbers[rows].tolist(), strict=True)
    counts = [0] * len(staged.files)
    for sequence, count in versions.items():
        if sequence and sequence in owner:
            counts[owner[sequence]] += count
    loads = [i for i, f in enumerate(staged.files) if f.kind == "full load"]
    left = versions.get("", 0)
    for i in loads:  # rows of several full-load files cannot be told apart: fill them in order
        counts[i] = left if i == loads[-1] else min(left, int(wanted[i]))
        left -= counts[i]
    return counts


# --- columns and files at fault


def _note_columns(check: TableCheck, side: LakeSide, expected: Expected) -> None:
    there = {name.casefold() for name in side.columns}
    for name in expected.staged.columns:
        if name.casefold() in there or name.casefold() in PIPELINE_COLUMNS:
            continue
        values = expected.staged.rows.column(name).take(pa.array(expected.positions))
        filled = len(values) - values.null_count
        if filled:
            text = f"the column {name} never arrived: {filled} rows should have a value in it"
            check.findings.append(_finding(check.table, UNVERIFIED, column=name, explanation=text))


def _note_faults(check: TableCheck, side: LakeSide) -> None:
    for fault in side.faults():
        check.findings.append(
            _finding(check.table, UNVERIFIED, file=fault.file, commit=fault.commit, explanation=fault.problem)
        )


def _finding(table: str, kind: str, **values: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("key", "column", "before", "after", "file", "commit"), None)
    return {"table": table, "hop": HOP, "kind": kind, **empty, **values}


# --- keys and values


def _compare(check: TableCheck, side: LakeSide, staged: StagedTable, expected: Expected, *, keys_only: bool) -> None:
    aligned = align(staged.rows.select(staged.columns), side.rows, expected.record_keys, staged.sequence)
    sequence = staged.sequence if staged.sequence in aligned.staged.schema.names else None
    columns = [*expected.record_keys, *([sequence] if sequence else [])] if keys_only else None
    comparison = Comparison(aligned, expected.positions, expected.record_keys, columns)
    check.compared = "keys" if keys_only else "values"
    for name in () if keys_only else aligned.not_comparable:
        text = f"the column {name} has types in staging and lake that cannot be compared"
        check.findings.append(_finding(check.table, UNVERIFIED, column=name, explanation=text))
    differences = comparison.differences()
    check.checks.append((check.table, f"keys with other {check.compared}", 0, len(differences), 0, not differences))
    if not differences:
        return
    reasons = explain(_case(comparison, differences, side, staged, expected))
    described = _Describer(comparison, side, staged)
    check.findings += [described.finding(check.table, d, reasons[d.key]) for d in differences]


def _case(
    comparison: Comparison, differences: Sequence[Difference], side: LakeSide, staged: StagedTable, expected: Expected
) -> Case:
    """Gather the versions of every key that a change touches or that differs, and what the lake has of them."""
    damaged = {d.key: d for d in differences}
    rows = _rows_in_question(comparison, staged, differences)
    picked = staged.rows.take(pa.array(rows))
    keys = [
        plain_key(k) for k in key_column(comparison.aligned.staged, comparison.keys).take(pa.array(rows)).to_pylist()
    ]
    partitions = _partition_columns(staged, side)
    versions: dict[Any, list[Version]] = {}
    for key, version in zip(keys, _versions_of(comparison, staged, rows, picked, partitions), strict=True):
        versions.setdefault(key, []).append(version)
    counting = set(expected.positions.tolist())
    sound = ((k, int(r)) for k, r in zip(keys, rows, strict=True) if int(r) in counting)
    lake = {key: Counter([int(comparison.staged_hashes[row])]) for key, row in sound}
    for key, difference in damaged.items():
        lake[key] = Counter(int(comparison.lake_hashes[i]) for i in difference.lake)
    return Case(
        versions=versions,
        lake=lake,
        damaged=list(damaged),
        file_names=[f.name for f in staged.files],
        historical=expected.mode == "H",
        partition_names=partitions,
        faults=side.faults(),
        known_files=_known_files(staged, rows),
    )


def _known_files(staged: StagedTable, rows: np.ndarray[Any, Any]) -> frozenset[int]:
    """The files of which every row is among some rows."""
    there = np.bincount(staged.file_numbers, minlength=len(staged.files))
    picked = np.bincount(staged.file_numbers[rows], minlength=len(staged.files))
    return frozenset(np.flatnonzero(there == picked).tolist())


def _versions_of(
    comparison: Comparison,
    staged: StagedTable,
    rows: np.ndarray[Any, Any],
    picked: pa.Table,
    partitions: Sequence[str],
) -> Iterator[Version]:
    """The versions that stand in some staged rows."""
    wheres: Iterable[tuple[Any, ...]] = [()] * len(rows)
    if partitions:
        wheres = zip(*(picked.column(c).to_pylist() for c in partitions), strict=True)
    columns = (
        picked.column(FILE).to_pylist(),
        picked.column(POSITION).to_pylist(),
        picked.column(OP).to_pylist(),
        staged.sequences.take(pa.array(rows)).to_pylist(),
        comparison.staged_hashes[rows].tolist(),
        wheres,
    )
    for file, position, operation, sequence, row, where in zip(*columns, strict=True):
        first = "" if operation == "L" else sequence
        partition = None if all(v is None or v == "" for v in where) else where
        yield Version(file, (first, file, position), operation, row, partition, first)


def _rows_in_question(
    comparison: Comparison, staged: StagedTable, differences: Sequence[Difference]
) -> np.ndarray[Any, Any]:
    """The staged rows of every changed and every damaged key; all rows when a full-load file may be what is missing."""
    changed = np.flatnonzero(staged.is_change)
    damaged = [row for d in differences for row in d.expected]
    found = comparison.rows_of_same_keys(np.concatenate([changed, np.asarray(damaged, dtype="int64")]))
    touched = set(comparison.rows_of_same_keys(changed).tolist())
    if any(d.kind == MISSING and not touched.issuperset(d.expected) for d in differences):
        return np.arange(staged.rows.num_rows)
    return found


def _partition_columns(staged: StagedTable, side: LakeSide) -> list[str]:
    ours = {c.casefold(): c for c in staged.columns}
    return [ours[p.casefold()] for p in side.partition_columns if p.casefold() in ours]


class _Describer:
    """Puts a difference in words."""

    def __init__(self, comparison: Comparison, side: LakeSide, staged: StagedTable) -> None:
        self._comparison = comparison
        self._lake_commits = _column(side.rows, "_hoodie_commit_time")
        self._lake_versions = _column(side.rows, staged.sequence)
        self._staged_versions = _column(staged.rows, staged.sequence)

    def finding(self, table: str, difference: Difference, reason: Explanation) -> dict[str, Any]:
        comparison = self._comparison
        text = reason.text
        if difference.kind == DUPLICATE:
            right = [i for i in difference.lake if self._is_right(difference, i)]
            wrong = "the newest is not right" if difference.expected else "there should be none"
            state = "the newest is right" if right else wrong
            text = f"{text} ({len(difference.lake)} rows; {state})"
        commits = [self._lake_commits[i].as_py() for i in difference.lake] if self._lake_commits is not None else []
        return _finding(
            table,
            difference.kind,
            key=difference.key,
            column=", ".join(comparison.differing_columns(difference)) or None,
            before=_versions(self._staged_versions, difference.expected),
            after=_versions(self._lake_versions, difference.lake),
            file=reason.file,
            commit=reason.commit or max((c for c in commits if c), default=None),
            explanation=text,
            brief=reason.short,
        )

    def _is_right(self, difference: Difference, row: int) -> bool:
        ours = self._comparison.staged_hashes
        return any(ours[e] == self._comparison.lake_hashes[row] for e in difference.expected)


def _column(table: pa.Table, name: str | None) -> pa.ChunkedArray | None:
    same = [n for n in table.schema.names if name is not None and n.casefold() == name.casefold()]
    return table.column(same[0]) if same else None


def _versions(column: pa.ChunkedArray | None, rows: Sequence[int]) -> str | None:
    """The sequences of rows as text; a full-load row has none."""
    if column is None or not rows:
        return None
    return ", ".join(str(column[i].as_py() or "full load") for i in rows)


# --- the verdict


def _judge(check: TableCheck, agrees: bool) -> None:
    kinds = {f["kind"] for f in check.findings}
    cannot = [f for f in check.findings if f["kind"] == UNVERIFIED and "cannot be compared" in f["explanation"]]
    only_unsure = len(cannot) == len(check.findings) and bool(cannot)
    if agrees and not check.findings:
        return
    check.verdict = NOT_COMPARED if agrees and only_unsure else DIFFERENT
    check.explanation = _in_words(check.findings)
    if not kinds:
        check.explanation = "the counts differ, and no key does: unexplained"


def _in_words(findings: Sequence[Mapping[str, Any]], most: int = 4) -> str:
    """The explanations with the number of keys of each kind, the largest first."""
    groups: dict[str, Counter[str]] = {}
    for finding in findings:
        text = str(finding.get("brief") or finding["explanation"])
        groups.setdefault(text, Counter())[finding["kind"]] += 1
    told = []
    for text, kinds in sorted(groups.items(), key=lambda g: -sum(g[1].values())):
        counted = " and ".join(f"{n} {k}" for k, n in kinds.items() if k in KINDS)
        keys = "key" if sum(kinds.values()) == 1 else "keys"
        told.append(f"{counted} {keys}: {text}" if counted else text)
    more = f"; and {len(told) - most} more explanations" if len(told) > most else ""
    return "; ".join(t.rstrip(".") for t in told[:most]) + more
