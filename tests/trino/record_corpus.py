"""Ask a real Trino the statements of the dialect's corpus and write its answers down.

    python -m tests.trino.record_corpus more-statements.txt      # asks what is new
    python -m tests.trino.record_corpus --all                    # asks everything again
    python -m tests.trino.record_corpus --server http://127.0.0.1:8080 more-statements.txt

Without --server one is started (see launch.py). A file of statements has one a line; a line `# tag` begins a group.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.trino.both_engines import ask_trino, difference, run_locally
from tests.trino.client import TrinoClient
from tests.trino.launch import VERSION, trino

CORPUS = Path(__file__).parent.parent / "data" / "dialect_corpus.jsonl"


def read_corpus() -> list[dict[str, Any]]:
    """Return the cases: {"tag", "sql", and "columns" with "rows", or "error"}; the first line says who answered."""
    if not CORPUS.exists():
        return []
    return [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()][1:]


def write_corpus(cases: list[dict[str, Any]]) -> None:
    """Write the cases, with a first line that says who answered."""
    lines = [{"trino": VERSION, "cases": len(cases)}, *cases]
    CORPUS.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def read_statements(path: Path) -> list[dict[str, Any]]:
    """Return the cases of a text file, without answers."""
    cases, tag = [], "other"
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            tag = line[2:].strip()
        elif line.strip():
            cases.append({"tag": tag, "sql": line.strip()})
    return cases


@contextlib.contextmanager
def server(url: str | None) -> Iterator[TrinoClient]:
    """Give a client of the server at `url`, or of one that is started for as long as this lasts."""
    if url is not None:
        yield TrinoClient(url)
        return
    with tempfile.TemporaryDirectory() as folder, trino(Path(folder)) as started:
        yield TrinoClient(started.url)


def main() -> None:
    """Write the answers down; say where the local engine has another one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--server", help="the address of a Trino that runs")
    parser.add_argument("--all", action="store_true", help="ask the known statements again, too")
    options = parser.parse_args()
    cases = {case["sql"]: case for case in read_corpus()}
    added = {c["sql"]: c for path in options.files for c in read_statements(path) if c["sql"] not in cases}
    with server(options.server) as client:
        for sql, case in {**(cases if options.all else {}), **added}.items():
            cases[sql] = {"tag": case["tag"], "sql": sql, **ask_trino(client, sql)}
            differs = difference(cases[sql], run_locally(sql))
            if differs:
                print(f"{sql}\n  {differs}")
    write_corpus(list(cases.values()))
    print(f"{len(added)} new, {len(cases)} answers of Trino {VERSION} in {CORPUS.name}")


if __name__ == "__main__":
    main()
