"""The result of a validation: frozen, shown as text, HTML, Markdown or a dict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

EQUAL, DIFFERENT, NOT_COMPARED = "equal", "different", "not compared"

SUMMARY_TYPES = {
    "table": "str",
    "staging": "str",
    "mode": "str",
    "full_load": "Int64",
    "changes": "Int64",
    "source": "Int64",
    "expected": "Int64",
    "lake": "Int64",
    "difference": "Int64",
    "missing": "Int64",
    "extra": "Int64",
    "changed": "Int64",
    "duplicates": "Int64",
    "unverified": "Int64",
    "lag": "Int64",
    "untrusted": "Int64",
    "compared": "str",
    "verdict": "str",
    "explanation": "str",
}
_SHORT = {k: k for k in ("missing", "extra", "changed")} | {"duplicate": "duplicates", "unverified": "unverified"}
FINDING_COLUMNS = (
    "table",
    "hop",
    "kind",
    "key",
    "column",
    "before",
    "after",
    "file",
    "commit",
    "explanation",
)
BY_FILE_TYPES = {
    "table": "str",
    "file": "str",
    "kind": "str",
    "rows": "int64",
    "inserts": "int64",
    "updates": "int64",
    "deletes": "int64",
    "expected": "Int64",
    "lake": "Int64",
    "difference": "Int64",
}
LAG_TYPES = {
    "table": "str",
    "file": "str",
    "rows": "Int64",
    "landed": "datetime64[us, UTC]",
    "age": "timedelta64[s]",
}


@dataclass(frozen=True)
class Validation:
    """Whether tables of the lake hold what the staged DMS files say they should. Made by `dk.cdc.validate`.

    Attributes
    ----------
    summary : pandas.DataFrame
        One row a table: `full_load` and `changes` (rows staged), `source`, `expected` and `lake` (rows), `difference`
        (lake less expected), the number of keys `missing`, `extra`, `changed`, `duplicates`, what is `unverified` in
        the lake, `lag` (changes landed and not yet due in the lake) and `untrusted` in the files, how deep the table
        was `compared` (counts, keys, values), its `verdict` and an `explanation`.
    findings : pandas.DataFrame
        One row a key or file that is not as it should be: `table`, `hop`, `kind` (missing, extra, changed, duplicate,
        unverified), `key`, `column`, `before` (what should be there), `after` (what is there), `file`, `commit`,
        `explanation`.
    by_file : pandas.DataFrame
        One row a staged file: what it did, the rows that it should have written last, and those that the lake has.
    untrusted : pandas.DataFrame
        What the staged files leave doubtful by themselves, such as an update of a key never seen.
    checks : pandas.DataFrame
        Each check with what was expected, observed, and the tolerance.
    provenance : mapping
        What was compared, with what, and when.
    lag : pandas.DataFrame
        One row a change file that has landed and is not yet due in the lake: `table`, `file`, `rows`, `landed` (UTC),
        `age`.
    """

    level: str
    summary: pd.DataFrame
    findings: pd.DataFrame
    by_file: pd.DataFrame
    untrusted: pd.DataFrame
    checks: pd.DataFrame
    provenance: Mapping[str, Any] = field(default_factory=dict)
    lag: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(LAG_TYPES)).astype(LAG_TYPES))

    @property
    def ok(self) -> bool:
        """Whether every table is equal; False also when one could not be compared."""
        return self.status == EQUAL

    @property
    def status(self) -> str:
        """The verdict over all tables: "different" before "not compared" before "equal"."""
        verdicts = set(self.summary["verdict"])
        return next((v for v in (DIFFERENT, NOT_COMPARED) if v in verdicts), EQUAL if verdicts else NOT_COMPARED)

    @property
    def different(self) -> list[str]:
        """The tables that differ."""
        return [str(t) for t in self.summary.loc[self.summary["verdict"] == DIFFERENT, "table"]]

    @property
    def not_compared(self) -> list[str]:
        """The tables that could not be compared."""
        return [str(t) for t in self.summary.loc[self.summary["verdict"] == NOT_COMPARED, "table"]]

    @property
    def differences(self) -> list[str]:
        """What is wrong with each table that is not equal, in short: "taxi.table_3: 20 extra"."""
        told = []
        for row in self.summary[self.summary["verdict"] != EQUAL].to_dict(orient="records"):
            counts = {kind: row[column] for kind, column in _SHORT.items()}
            parts = [f"{n} {kind}" for kind, n in counts.items() if not pd.isna(n) and n]
            told.append(f"{row['table']}: {', '.join(parts) or row['verdict']}")
        return told

    @property
    def headline(self) -> str:
        """How many tables are equal, different and not compared, in words."""
        counts = self.summary["verdict"].value_counts()
        words = ", ".join(f"{counts[v]} {v}" for v in (EQUAL, DIFFERENT, NOT_COMPARED) if v in counts.index)
        tables = "1 table" if len(self.summary) == 1 else f"{len(self.summary)} tables"
        return f"{tables}: {words or 'nothing to compare'}."

    @property
    def sentence(self) -> str:
        """The verdict in words, with what is known of each table that is not equal."""
        told = [self.headline]
        for row in self.summary[self.summary["verdict"] != EQUAL].itertuples(index=False):
            told.append(f"{row.table} is {row.verdict}: {row.explanation}.")
        return " ".join(told)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values that JSON can hold."""
        tables = ("summary", "findings", "by_file", "untrusted", "checks", "lag")
        found = {name: json.loads(_json_safe(getattr(self, name))) for name in tables}
        head = {"status": self.status, "ok": self.ok, "level": self.level, "sentence": self.sentence}
        return {**head, "provenance": json.loads(json.dumps(dict(self.provenance), default=str)), **found}

    def to_html(self) -> str:
        """Return the report as one HTML page; every value is escaped."""
        from datalake_kit.cdc.report import html_page

        return html_page(self)

    def to_markdown(self) -> str:
        """Return the report as Markdown."""
        from datalake_kit.cdc.report import markdown

        return markdown(self)

    def __repr__(self) -> str:
        return f"<Validation {self.status}: {self.sentence}>"

    def _repr_html_(self) -> str:
        from datalake_kit.cdc.report import html_fragment

        return html_fragment(self, short=True)


def _json_safe(frame: pd.DataFrame) -> str:
    plain = frame.astype(object).where(frame.notna(), None)
    return json.dumps(plain.to_dict(orient="records"), default=str)
