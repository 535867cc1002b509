"""What `dk.hudi.health` finds: findings with a name, a severity and what to do, and the result that holds them."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

ERROR, WARNING, INFO = "error", "warning", "info"
SEVERITIES = (ERROR, WARNING, INFO)

_RESTORE = "Restore the file from a backup, or roll the table back to the commit before and run the later files again."
_ROLLBACK = "Let the writer's next run roll it back (or call rollback_to_instant); then check that its input ran again."

# Every name that can come, with what to do. A test holds the names in the documentation of `health` against this.
TODO: Mapping[str, str] = {
    "missing-base-file": _RESTORE,
    "cut-base-file": _RESTORE,
    "unreadable-base-file": _RESTORE,
    "wrong-rows-in-base-file": "Restore the file that the commit wrote; something else replaced it.",
    "damaged-history": "Restore the file if the table as it was is still asked for; rows of today are not touched.",
    "missing-log-file": _RESTORE,
    "cut-log-file": _RESTORE,
    "unreadable-commit": "Restore the instant's file. Until then nobody knows what the commit wrote.",
    "unreadable-archive": "Restore the file of the archive: it tells the sizes of old files and old counts.",
    "unreadable-table": "Mend what the text names; until then the files cannot be told apart.",
    "uncommitted-base-file": "Remove the file after the writer's log is checked; read with a reader that knows Hudi.",
    "uncommitted-log-file": "Nothing at once: Hudi's readers leave it out, and the cleaner takes it with its slice.",
    "file-being-written": "Nothing: wait until the commit completes.",
    "stale-inflight": _ROLLBACK,
    "pending-compaction": "Run the compaction by itself (call run_compaction) and read why it fails.",
    "compaction-cannot-run": "Restore the files that its plan names, or unschedule it and compact with a newer Hudi.",
    "pending-clustering": "Run the clustering by itself, or roll it back: its file groups are locked.",
    "empty-commit": "Compare with the input of that run: if it was not empty, run it again.",
    "write-errors": "Read the writer's log of that commit for the rows that failed, and write them again.",
    "lost-commit": "Find out what removed the instant; the counts of the commits are not the table's.",
    "overtaken-commit": "Check that the two writers were meant to run at once, with a lock provider.",
    "late-file-wins": "Write with DefaultHoodieRecordPayload (before Hudi 1.0) or merge mode EVENT_TIME_ORDERING.",
    "duplicate-keys": "Remove the older rows (delete by key and write the newest again); load with upsert, not insert.",
    "duplicate-keys-across-partitions": "Delete the key's rows in the old partitions; write with a global index.",
    "keys-not-checked": "Name the table's key columns, or mend what the text says, and check again.",
    "partition-column-types": "Rewrite the partitions of one type with the other.",
    "partition-spelled-twice": "Rewrite the rows of one folder into the other.",
    "small-files": "Cluster the table, or raise hoodie.parquet.small.file.limit and the size of a run.",
    "many-log-files": "Run compaction, or compact more often (hoodie.compact.inline.max.delta.commits).",
    "missing-metadata-table": "Let the writer build it again, or turn it off in hoodie.properties.",
    "schema-changed": "Check that readers know the column.",
    "history-kept": "Keep more commits (hoodie.cleaner.commits.retained) if older moments are asked for.",
    "timezone-not-named": "Give timezone= where the writer did not run in UTC.",
    "not-checked": "Mend what the text says, and check again.",
}

COLUMNS = ("name", "severity", "what", "file", "commit", "partition", "count", "keys", "todo")


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be, or worth knowing."""

    name: str
    severity: str
    what: str
    file: str = ""
    commit: str = ""
    partition: str = ""
    count: int = 1
    keys: tuple[Any, ...] = ()

    @property
    def todo(self) -> str:
        """What to do about it."""
        return TODO[self.name]


@dataclass(frozen=True)
class Health:
    """The state of a Hudi table. Made by `dk.hudi.health`.

    Attributes
    ----------
    table : str
        Its name.
    findings : pandas.DataFrame
        One row a finding, the worst first: `name`, `severity` ("error", "warning", "info"), `what`, `file`, `commit`,
        `partition`, `count` (of files, keys or rows that it is about), `keys` (some of them), `todo`. Those below the
        level asked for are left out.
    status : str
        The worst severity of all that was found: "error", "warning", or "healthy".
    facts : mapping
        The table's version, type, commits, files, rows and what was left unchecked.
    """

    table: str
    findings: pd.DataFrame
    status: str
    facts: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        """Whether nothing of severity error or warning was found."""
        return self.status == "healthy"

    @property
    def headline(self) -> str:
        """The status and the names of the findings in one line."""
        counts = self.findings["name"].value_counts(sort=False)
        told = ", ".join(f"{n} x {name}" if n > 1 else str(name) for name, n in counts.items())
        return f"{self.table}: {self.status}" + (f" ({told})" if told else "")

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values that JSON can hold."""
        rows = [{str(k): _plain(v) for k, v in row.items()} for row in self.findings.to_dict(orient="records")]
        return {
            "table": self.table,
            "status": self.status,
            "ok": self.ok,
            "facts": {k: _plain(v) for k, v in self.facts.items()},
            "findings": rows,
        }

    def __repr__(self) -> str:
        return f"<Health of {self.headline}>"

    def _repr_html_(self) -> str:
        facts = "; ".join(f"{k} {v}" for k, v in self.facts.items())
        head = f"<p><b>{html.escape(self.headline)}</b><br>{html.escape(facts)}</p>"
        titles = "".join(f"<th>{html.escape(c)}</th>" for c in COLUMNS)
        rows = "".join(
            f"<tr>{''.join(f'<td>{html.escape(_shown(v))}</td>' for v in row)}</tr>"
            for row in self.findings.astype(object).itertuples(index=False, name=None)
        )
        table = f"<table><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
        return f"<div>{head}{table}</div>"


def result(table: str, found: Iterable[Finding], facts: Mapping[str, Any], level: str) -> Health:
    """Put findings in order, the worst first, and leave out those below the level."""
    order = {s: n for n, s in enumerate(SEVERITIES)}
    listed = sorted(found, key=lambda f: (order[f.severity], f.name, f.commit, f.partition, f.file))
    shown = [f for f in listed if order[f.severity] <= order[level]]
    worst = min((order[f.severity] for f in listed), default=order[INFO])
    frame = pd.DataFrame([_row(f) for f in shown], columns=list(COLUMNS)).astype(dict.fromkeys(_TEXTS, "str"))
    status = SEVERITIES[worst] if worst < order[INFO] else "healthy"
    return Health(table, frame.astype({"count": "int64"}), status, dict(facts))


_TEXTS = [c for c in COLUMNS if c not in ("count", "keys")]


def _row(one: Finding) -> tuple[Any, ...]:
    return tuple(getattr(one, column) for column in COLUMNS)


def _shown(value: Any) -> str:
    return ", ".join(str(v) for v in value) if isinstance(value, tuple) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, bool) or value is None or isinstance(value, (str, float)):
        return value
    return int(value) if hasattr(value, "__index__") else str(value)
