"""Ask a real Trino every statement of the dialect's corpus again and write its answers down.

    DATALAKE_KIT_TRINO="local-trino stdin" python tests/trino/record_corpus.py [more-statements.txt]

DATALAKE_KIT_TRINO_VERSION names the version where the server itself does not say it.

The command takes one JSON object a line ({"id", "sql"}) and gives one a line back ({"id", "ok", "columns", "rows"} or
{"id", "ok": false, "error": {"name"}}). A file of further statements has one a line; a line `# tag` begins a group.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent.parent / "data" / "dialect_corpus.jsonl"
VERSION = "SELECT node_version FROM system.runtime.nodes LIMIT 1"


def read_corpus() -> list[dict[str, Any]]:
    """Return the cases: {"tag", "sql", and "columns" with "rows", or "error"}; the first line says who answered."""
    if not CORPUS.exists():
        return []
    return [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()][1:]


def read_statements(path: Path) -> list[dict[str, Any]]:
    """Return the cases of a text file, without answers."""
    cases, tag = [], "other"
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            tag = line[2:].strip()
        elif line.strip():
            cases.append({"tag": tag, "sql": line.strip()})
    return cases


def ask(statements: list[str]) -> list[dict[str, Any]]:
    """Return Trino's answers in the order of the statements."""
    lines = "".join(json.dumps({"id": i, "sql": sql}) + "\n" for i, sql in enumerate(statements))
    command = shlex.split(os.environ["DATALAKE_KIT_TRINO"])
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return sorted(answers, key=lambda a: a["id"])


def record(case: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """Return the case with what Trino said."""
    kept = {"tag": case["tag"], "sql": case["sql"]}
    if not answer["ok"]:
        return {**kept, "error": answer["error"]["name"]}
    columns = [[c["name"], c["type"]] for c in answer["columns"]]
    return {**kept, "columns": columns, "rows": answer["rows"]}


def main() -> None:
    """Write the corpus anew."""
    known = {case["sql"]: case for case in read_corpus()}
    for path in sys.argv[1:]:
        known.update({case["sql"]: case for case in read_statements(Path(path))})
    cases = list(known.values())
    version, *answers = ask([VERSION, *(case["sql"] for case in cases)])
    head = {"trino": os.environ.get("DATALAKE_KIT_TRINO_VERSION") or version["rows"][0][0], "cases": len(cases)}
    lines = [head, *(record(case, answer) for case, answer in zip(cases, answers, strict=True))]
    CORPUS.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    print(f"{len(cases)} answers of Trino {head['trino']} in {CORPUS.name}")


if __name__ == "__main__":
    main()
