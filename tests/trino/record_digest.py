"""Ask a real Trino for the digests of the hostile rows and write its answers down.

    DATALAKE_KIT_TEST_TRINO="local-trino stdin" python -m tests.trino.record_digest

The command is the one of record_corpus.py. Without a Trino the tests hold the recorded answers against plain Python.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

from datalake_kit.cdc.digest import TrinoDigest
from datalake_kit.cdc.digest.ranges import Range
from tests.sources import hostile

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
    command = shlex.split(os.environ["DATALAKE_KIT_TEST_TRINO"])
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    answers = {a["id"]: a for a in map(json.loads, (x for x in done.stdout.splitlines() if x.startswith("{")))}
    odd = {name: a["error"]["message"] for name, a in answers.items() if not a["ok"]}
    assert not odd, odd
    return {name: sorted(answers[name]["rows"], key=str) for name in statements()}


def fingerprint() -> str:
    """Changes when the rows or a statement change: then the answers must be recorded anew."""
    text = json.dumps([hostile.trino_values(), statements()])
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    told = {"statements": fingerprint(), "answers": ask()}
    RECORDED.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(told['answers'])} answers in {RECORDED.name}")
