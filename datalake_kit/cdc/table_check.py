"""What was found of one table, and the words for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from datalake_kit.cdc.compare import CHANGED, DUPLICATE, EXTRA, KINDS, MISSING, UNVERIFIED
from datalake_kit.cdc.replay import Expected
from datalake_kit.cdc.result import DIFFERENT, EQUAL, NOT_COMPARED

TO_EXPECTED, TO_LAKE, PAST_STAGING = "source -> expected", "expected -> lake", "source -> lake"


@dataclass
class TableCheck:
    """What was found of one table.

    `counts` has every key that differs by kind; `findings` lists them, or the first of very many.
    """

    table: str
    staging: str
    verdict: str
    explanation: str = ""
    mode: str = ""
    compared: str = "nothing"
    expected: Expected | None = None
    loaded: int | None = None
    changes: int | None = None
    source_rows: int | None = None
    lake_rows: int | None = None
    last_sequence: str = ""
    lag: int | None = None
    late_since: datetime | None = None  # in UTC, without a zone: the oldest row of the source that is lag
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[dict[str, Any]] = field(default_factory=list)
    by_file: pd.DataFrame | None = None
    untrusted: pd.DataFrame | None = None
    checks: list[tuple[Any, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @staticmethod
    def not_compared(table: str, staging: str, problem: str, mode: str = "") -> TableCheck:
        """A table of which nothing is known, and why."""
        return TableCheck(table, staging, NOT_COMPARED, problem.rstrip("."), mode)

    def note(self, kind: str, hop: str = TO_LAKE, **values: Any) -> None:
        """Add a finding."""
        empty = dict.fromkeys(("key", "column", "before", "after", "file", "commit"), None)
        self.findings.append({"table": self.table, "hop": hop, "kind": kind, **empty, **values})

    def note_left_out(self, count: int) -> None:
        """Say how many keys differ beyond those that are listed."""
        if count > 0:
            self.notes.append(
                f"{count} more keys differ; they are counted and not listed (unexplained: too many to explain each)"
            )

    def check(self, what: str, wanted: Any, observed: Any, *, passed: bool, tolerance: Any = 0) -> None:
        """Add a check."""
        self.checks.append((self.table, what, wanted, observed, tolerance, passed))

    def summary_row(self) -> dict[str, Any]:
        """The table's row of the summary; numbers that are not known are NA."""
        known = self.verdict != NOT_COMPARED and self.compared != "nothing"
        counts = self.counts | Counter({UNVERIFIED: sum(f["kind"] == UNVERIFIED for f in self.findings)})
        expected = self.expected.rows if self.expected is not None else self.source_rows
        both = expected is not None and self.lake_rows is not None
        return {
            "table": self.table,
            "staging": self.staging,
            "mode": self.mode,
            "full_load": self.loaded,
            "changes": self.changes,
            "source": self.source_rows,
            "expected": self.expected.rows if self.expected is not None else None,
            "lake": self.lake_rows,
            "difference": (self.lake_rows or 0) - (expected or 0) if both else None,
            **{column: counts[kind] if known else None for kind, column in _COLUMN.items()},
            "lag": self.lag,
            "untrusted": len(self.untrusted) if self.untrusted is not None else None,
            "compared": self.compared,
            "verdict": self.verdict,
            "explanation": self.explanation,
        }

    def judge(self, agrees: bool) -> None:
        """Set the verdict by what was found; `agrees` says that the counts do."""
        cannot = [f for f in self.findings if f["kind"] == UNVERIFIED and "cannot be compared" in f["explanation"]]
        only_unsure = bool(cannot) and len(cannot) == len(self.findings)
        if self.findings or not agrees:
            self.verdict = NOT_COMPARED if agrees and only_unsure else DIFFERENT
            told = in_words(self.findings) or "the counts differ, and no key does: unexplained"
            self.explanation = "; ".join([told, *self.notes])
        else:
            self.verdict = EQUAL
            self.explanation = "; ".join(self.notes)


_COLUMN = {
    MISSING: "missing",
    EXTRA: "extra",
    CHANGED: "changed",
    DUPLICATE: "duplicates",
    UNVERIFIED: "unverified",
}


def in_words(findings: Sequence[Mapping[str, Any]], most: int = 4) -> str:
    """The explanations with the number of keys of each kind, the largest first."""
    groups: dict[str, Counter[str]] = {}
    for finding in findings:
        text = str(finding.get("brief") or finding["explanation"])
        if finding["hop"] != TO_LAKE and finding["kind"] in KINDS:
            text = f"{text} ({finding['hop']})"
        groups.setdefault(text, Counter())[finding["kind"]] += 1
    told = []
    for text, kinds in sorted(groups.items(), key=lambda g: -sum(g[1].values())):
        counted = " and ".join(f"{n} {k}" for k, n in kinds.items() if k in KINDS)
        keys = "key" if sum(kinds.values()) == 1 else "keys"
        told.append(f"{counted} {keys}: {text}" if counted else text)
    more = f"; and {len(told) - most} more explanations" if len(told) > most else ""
    return "; ".join(t.rstrip(".") for t in told[:most]) + more
