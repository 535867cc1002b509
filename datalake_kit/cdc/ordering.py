"""Staged rows put in order in SQL: which versions of a key there are, and which of them stand.

Tables of the workspace, each with the key's columns k0, k1, ... and `file`, `pos`, `op`, `seq`:

- `staged`: every row up to the cut, slim. `all_staged` has those after the cut too. Rows of the full load are read
  from the files each time.
- `touched`: the keys that have a change, or several rows in the full load.
- `ordered`: the rows of these keys, `n` their place in the order; `latest`: the row is the current state of its key;
  `version`: it is the last of its key and sequence.
- `expected`, `current`: the rows that should be there, in the mode asked for and as the current state.

A row of the full load whose key is not touched is part of both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime

import pandas as pd

from datalake_kit.cdc.canonical import Form
from datalake_kit.cdc.cuts import cut_at, ordered_sql, shown
from datalake_kit.cdc.relation import Part, Relation
from datalake_kit.cdc.staged import StagedTable
from datalake_kit.cdc.workspace import Workspace
from datalake_kit.errors import DataError

ROWS_A_PASS = 2_000_000  # keys are grouped in so many passes that each fits into memory
Write = Callable[[Part], str]


class Ordering:
    """The tables above, made in a workspace. Keys are named as the files have them.

    Parameters
    ----------
    work : Workspace
    staged : StagedTable
    keys : sequence of str
        Columns that identify a record of the source.
    mode : "S" or "H"
    until : str, datetime or date, optional
        Changes with a later sequence are left out.
    relation : Relation, optional
        The rows of `staged`, where they are open already.
    forms : mapping of str to Form, optional
        The forms of key columns, where they are compared with another table.
    extras : mapping of str to callable, optional
        More columns of `staged`: their names, and the SQL of each for a part.

    Raises
    ------
    DataError
        A key is NULL.
    ParameterError
        `until` is neither a time nor a sequence like those of the table.
    """

    def __init__(
        self,
        work: Workspace,
        staged: StagedTable,
        keys: Sequence[str],
        *,
        mode: str = "S",
        until: str | datetime | date | None = None,
        relation: Relation | None = None,
        forms: Mapping[str, Form] | None = None,
        extras: Mapping[str, Write] | None = None,
    ) -> None:
        self.work = work
        self.staged = staged
        self.keys = tuple(keys)
        self.mode = mode
        self.relation = relation or staged.relation(work)
        self.extras = dict(extras or {})
        self._forms = {k: (forms or {}).get(k) or self.relation.form(k) or Form("text") for k in self.keys}
        self.k = ", ".join(f"k{i}" for i, _ in enumerate(self.keys))
        self.columns = ", ".join([self.k, "file", "pos", "op", "seq", *self.extras])
        self._read(until)
        self._touch()
        self._order()

    @property
    def expected(self) -> str:
        """The name of the view of the rows that should be there."""
        return "expected"

    @property
    def loaded(self) -> int:
        """How many rows the full load has."""
        return int(self.work.value("SELECT count(*) FROM all_staged WHERE op = 'L'"))

    @property
    def changes(self) -> int:
        """How many changes are staged, those after the cut too."""
        return int(self.work.value("SELECT count(*) FROM all_staged WHERE op <> 'L'"))

    @property
    def rows(self) -> int:
        """How many rows should be there."""
        return int(self.work.value(f"SELECT count(*) FROM {self.expected}"))

    @property
    def last_sequence(self) -> str:
        """The newest change that counts."""
        return shown(str(self.work.value("SELECT max(seq) FROM staged") or ""))

    def _read(self, until: str | datetime | date | None) -> None:
        self.work.run("CREATE TYPE operation AS ENUM ('L', 'I', 'U', 'D')")
        self._show_rows()
        nulls = ", ".join(f"count(*) FILTER (k{i} IS NULL)" for i, _ in enumerate(self.keys))
        for name, count in zip(self.keys, self.work.rows(f"SELECT {nulls} FROM all_staged")[0], strict=True):
            if count:
                raise DataError(
                    f"{count} staged rows of {self.staged.label} have NULL in the key column {name}. Repair the source."
                )
        self._refuse_nan()
        cut = None if until is None else cut_at(until, self._newest())
        self.work.run("CREATE TABLE cut AS SELECT CAST($until AS VARCHAR) AS until", {"until": cut})
        keep = "op = 'L' OR seq <= (SELECT until FROM cut)" if until is not None else "true"
        self.work.run(f"CREATE VIEW staged AS SELECT * FROM all_staged WHERE {keep}")

    def _refuse_nan(self) -> None:
        """Counted with FILTER: by a Parquet file's smallest and largest value, WHERE would leave NaN out."""
        for number, name in enumerate(self.keys):
            if "float" not in self._forms[name].kind:
                continue
            count = self.work.value(f"SELECT count(*) FILTER (CAST(k{number} AS VARCHAR) = 'nan') FROM all_staged")
            if count:
                raise DataError(
                    f"{count} staged rows of {self.staged.label} have NaN in the key column {name}: a float key that "
                    "is no number identifies no row. Repair the source, or name other keys."
                )

    def _newest(self) -> str:
        """The newest sequence that is staged; empty where there is none."""
        return str(self.work.value("SELECT max(seq) FROM all_staged WHERE op <> 'L'") or "")

    def _show_rows(self) -> None:
        """The full load stays in its files and is read as often as needed; the changes are held, slim."""
        loads = [p for p in self.relation.parts if self.staged.is_load(p)]
        changes = Relation(tuple(p for p in self.relation.parts if p not in loads), self.relation.names)
        parts = [f"SELECT {self._slim(part)} FROM {part.source}" for part in loads]
        if changes.parts:
            self.work.run(f"CREATE TABLE staged_changes AS {changes.select(self._slim)}")
            parts.append("SELECT * FROM staged_changes")
        self.work.run(f"CREATE VIEW all_staged AS {' UNION ALL '.join(parts)}")

    def _slim(self, part: Part) -> str:
        file, position, operation = self.staged.origin(part)
        keys = [f"{part.write(self._forms[name], name)} AS k{i}" for i, name in enumerate(self.keys)]
        columns = [
            *keys,
            f"CAST({file} AS INTEGER) AS file",
            f"CAST({position} AS BIGINT) AS pos",
            f"CAST({operation} AS operation) AS op",
            f"{self.sequence_of(part)} AS seq",
            *(f"{write(part)} AS {name}" for name, write in self.extras.items()),
        ]
        return ", ".join(columns)

    def sequence_of(self, part: Part) -> str:
        """The sequence of a row as text, empty where there is none."""
        if self.staged.sequence is None:
            return "''"
        return sequence_text(part, self.staged.sequence)

    def _touch(self) -> None:
        self.work.run(f"CREATE TABLE touched AS SELECT DISTINCT {self.k} FROM staged WHERE op <> 'L'")
        loaded = f"(SELECT {self.k} FROM staged ANTI JOIN touched USING ({self.k}) WHERE op = 'L')"
        repeated_keys(self.work, loaded, self.k, "loaded_repeatedly", self.loaded)
        self.work.run("INSERT INTO touched SELECT * FROM loaded_repeatedly")

    def _order(self) -> None:
        self.work.run(_ORDERED.format(k=self.k, columns=self.columns))
        stands = "version" if self.mode == "H" else "latest"
        for view, kept in (("expected", stands), ("current", "latest")):
            self.work.run(
                f"CREATE VIEW {view} AS SELECT {self.columns} FROM staged ANTI JOIN touched USING ({self.k}) "
                f"UNION ALL SELECT {self.columns} FROM ordered WHERE {kept}"
            )

    def runs(self) -> pd.DataFrame:
        """Count what each file did: rows, inserts, updates, deletes, in the order of the files."""
        counted: pd.DataFrame = self.work.run(_RUNS[self.mode].format(k=self.k)).df().set_index("file")
        files = range(len(self.staged.files))
        counted = counted.reindex(files, fill_value=0).astype("int64").reset_index(drop=True)
        untouched = self.counts_by_file(f"staged ANTI JOIN touched USING ({self.k})")
        counted["inserts"] += untouched
        counted.insert(0, "rows", self.counts_by_file("all_staged"))
        counted.insert(0, "kind", [f.kind for f in self.staged.files])
        counted.insert(0, "file", [f.name for f in self.staged.files])
        return counted

    def counts_by_file(self, source: str) -> list[int]:
        """Count the rows of a table by file, in the order of the files."""
        found = dict(self.work.rows(f"SELECT file, count(*) FROM {source} GROUP BY file"))
        return [int(found.get(n, 0)) for n in range(len(self.staged.files))]

    def untrusted(self) -> pd.DataFrame:
        """List what the files leave doubtful by themselves."""
        has_sequence = "true" if self.staged.sequence is not None else "false"
        found = self.work.rows(_UNTRUSTED.format(k=self.k, has_sequence=has_sequence))
        keys = [row[0] if len(self.keys) == 1 else tuple(row[: len(self.keys)]) for row in found]
        return pd.DataFrame(
            {
                "kind": pd.Series([kind for *_, kind in found], dtype="str"),
                "key": pd.Series(keys, dtype="object"),
                "file": pd.Series([self.staged.files[row[-3]].name for row in found], dtype="str"),
                "sequence": pd.Series([shown(row[-2]) for row in found], dtype="str"),
            }
        )


def repeated_keys(work: Workspace, source: str, keys: str, target: str, rows: int) -> None:
    """Make a table of the keys that a table has several times, pass by pass, so that each pass fits into memory."""
    work.run(f"CREATE TABLE {target} AS SELECT {keys} FROM {source} LIMIT 0")
    passes = 1 + rows // ROWS_A_PASS
    for turn in range(passes):
        now = f"WHERE hash({keys}) % {passes} = {turn}" if passes > 1 else ""
        work.run(f"INSERT INTO {target} SELECT {keys} FROM {source} {now} GROUP BY {keys} HAVING count(*) > 1")


def sequence_text(part: Part, name: str) -> str:
    """The SQL of a sequence column as text in the order of the sequences; see `cuts`."""
    return ordered_sql(f"CAST({part.column(name)[0]} AS VARCHAR)")


_ORDERED = """
CREATE TABLE ordered AS
WITH numbered AS (
  SELECT {columns}, row_number() OVER (
    PARTITION BY {k} ORDER BY op <> 'L', CASE WHEN op = 'L' THEN '' ELSE seq END, file, pos
  ) AS n
  FROM staged SEMI JOIN touched USING ({k})
)
SELECT *, op <> 'D' AND n = max(n) OVER (PARTITION BY {k}) AS latest,
  n = max(n) OVER (PARTITION BY {k}, CASE WHEN op = 'L' THEN '' ELSE seq END) AS version
FROM numbered
"""
# The last operation of each key in each file, and whether the key was there before that file.
_RUNS = {
    "S": """
WITH last AS (
  SELECT file, {k}, arg_max(op, (seq, pos)) <> 'D' AS alive FROM ordered GROUP BY file, {k}
), runs AS (
  SELECT *, coalesce(lag(alive) OVER (PARTITION BY {k} ORDER BY file), false) AS before FROM last
)
SELECT file, count(*) FILTER (alive AND NOT before) AS inserts, count(*) FILTER (alive AND before) AS updates,
  count(*) FILTER (NOT alive AND before) AS deletes FROM runs GROUP BY file
""",
    "H": """
WITH seen AS (
  SELECT file, row_number() OVER (
    PARTITION BY {k}, CASE WHEN op = 'L' THEN '' ELSE seq END ORDER BY file, pos
  ) = 1 AS new
  FROM ordered
)
SELECT file, count(*) FILTER (new) AS inserts, count(*) FILTER (NOT new) AS updates, 0 AS deletes
FROM seen GROUP BY file
""",
}
_UNTRUSTED = """
WITH told AS (
  SELECT *, lag(op) OVER by_key AS op_before, lag(seq) OVER by_key AS seq_before, lag(file) OVER by_key AS file_before
  FROM ordered WINDOW by_key AS (PARTITION BY {k} ORDER BY n)
), width AS (SELECT mode(length(seq)) AS usual FROM ordered WHERE op <> 'L' AND seq <> '')
SELECT {k}, file, seq, unnest([x FOR x IN [
  CASE WHEN op = 'L' AND op_before = 'L' THEN 'duplicate key in the full load' END,
  CASE WHEN op <> 'L' AND seq <> '' AND seq = seq_before AND op_before <> 'L' THEN 'change delivered twice' END,
  CASE WHEN op = 'U' AND op_before IS NULL THEN 'update of a key never seen' END,
  CASE WHEN op = 'D' AND op_before IS NULL THEN 'delete of a key never seen' END,
  CASE WHEN op = 'U' AND op_before = 'D' THEN 'update of a deleted key' END,
  CASE WHEN op = 'D' AND op_before = 'D' AND seq <> seq_before THEN 'delete of a deleted key' END,
  CASE WHEN op = 'I' AND op_before IN ('L', 'I', 'U') AND seq <> seq_before THEN 'insert of a key that is there' END,
  CASE WHEN op <> 'L' AND file_before > file THEN 'older change in a later file' END,
  CASE WHEN op <> 'L' AND {has_sequence} AND seq = '' THEN 'change without a sequence' END,
  CASE WHEN op <> 'L' AND seq <> '' AND length(seq) <> usual THEN 'sequence of another length' END
] IF x IS NOT NULL]) AS kind
FROM told CROSS JOIN width ORDER BY file, pos
"""
