"""Ask a real Trino for the digests of the hostile rows and write its answers down.

    python -m tests.trino.record_digest

Another Trino answers where DATALAKE_KIT_TEST_TRINO names a command that takes JSON lines. Without a
Trino the tests hold the recorded answers against plain Python.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pyarrow as pa

from datalake_kit.cdc.digest import AthenaSide, DuckDBSide, PairDifferences, TrinoDigest, compare_sides
from datalake_kit.cdc.digest.ranges import Range
from tests.sources import hostile
from tests.trino.launch import stdin_command

RECORDED = Path(__file__).parent.parent / "data" / "digest_trino.json"
TABLE = "memory.default.hostile"


def statements() -> dict[str, str]:
    """The statements of the digest, by what they answer."""
    dialect = TrinoDigest()
    key, fields = hostile.key(dialect), hostile.fields(dialect)
    ranges = [Range(None, (20,)), Range((20,), (40,)), Range((40,), None)]
    return {
        "leaf": dialect.leaf(TABLE, [key], fields, [Range(None, None)]),
        "range_sums": dialect.range_sums(TABLE, [key], fields, ranges),
        "quantiles": dialect.quantiles(TABLE, [key], [Range(None, None)], 4),
        "unwritten": dialect.unwritten(TABLE, fields),
        "chosen": dialect.chosen(TABLE, [key], fields, [(7,), (8,)]),
        "repeated": dialect.repeated(TABLE, [key], 5),
    }


def ask() -> dict[str, list[list[Any]]]:
    """Trino's rows for each statement, in the order of their first column."""
    wanted = {"create": f"CREATE TABLE {TABLE} AS {hostile.trino_values()}", **statements()}
    lines = "".join(json.dumps({"id": name, "sql": sql}) + "\n" for name, sql in wanted.items())
    command = stdin_command()
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    answers = {a["id"]: a for a in map(json.loads, (x for x in done.stdout.splitlines() if x.startswith("{")))}
    odd = {name: a["error"]["message"] for name, a in answers.items() if not a["ok"]}
    assert not odd, odd
    return {name: sorted(answers[name]["rows"], key=str) for name in statements()}


class Dialogue:
    """Stands for a lake on Athena: asks a Trino that runs, or answers as one did."""

    def __init__(self, known: dict[str, list[list[Any]]] | None = None) -> None:
        self.said: dict[str, list[list[Any]]] = dict(known or {})
        self._process: subprocess.Popen[str] | None = None
        if known is None:
            command = stdin_command()
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
            self._ask(f"CREATE TABLE {TABLE} AS {hostile.trino_values()}")
            self.said.clear()

    def table(self, name: str) -> Any:
        """What `lake.table` gives, as far as a side looks at it."""
        assert name == TABLE
        columns = [SimpleNamespace(name=c.name.upper(), type=c.types["trino"]) for c in hostile.COLUMNS]
        return SimpleNamespace(columns=[SimpleNamespace(name="ID", type="bigint"), *columns])

    def arrow(self, statement: str) -> pa.Table:
        """The rows of a statement."""
        rows = self._ask(statement) if self._process else self.said[statement]
        width = len(rows[0]) if rows else 1
        return pa.table([pa.array([r[i] for r in rows]) for i in range(width)], names=[f"c{i}" for i in range(width)])

    def _ask(self, statement: str) -> list[list[Any]]:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"id": 1, "sql": statement}) + "\n")
        self._process.stdin.flush()
        line = next(x for x in self._process.stdout if x.startswith("{"))
        answer = json.loads(line)
        assert answer["ok"], answer
        self.said[statement] = answer["rows"]
        return answer["rows"]

    def close(self) -> None:
        """End the Trino."""
        if self._process is not None:
            self._process.communicate()


def damaged() -> duckdb.DuckDBPyConnection:
    """The hostile rows in DuckDB, one of them changed, one gone, one more."""
    connection = hostile.in_duckdb()
    connection.execute("DELETE FROM hostile WHERE id = 17; UPDATE hostile SET words = 'other' WHERE id = 30")
    connection.execute("INSERT INTO hostile (id) VALUES (1000)")
    return connection


def compare(lake: Dialogue) -> PairDifferences:
    """The damaged rows as a source, the lake as the other side."""
    side = AthenaSide(lake, TABLE)
    side.relation = TABLE
    return compare_sides(DuckDBSide(damaged(), "hostile"), side, ["id"], fan_out=4, leaf_rows=10)


def fingerprint() -> str:
    """Changes when the rows or a statement change: then the answers must be recorded anew."""
    text = json.dumps([hostile.trino_values(), statements()])
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    live = Dialogue()
    compare(live)
    live.close()
    told = {"statements": fingerprint(), "answers": ask(), "dialogue": live.said}
    RECORDED.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(told['answers'])} answers in {RECORDED.name}")
