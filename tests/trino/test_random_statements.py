"""Random statements give the same answer on Trino and on the local engine, or a refusal; never another answer.

The long run: `python -m tests.trino.test_random_statements --statements 3000 --seed 7 [--server URL] [--write FILE]`;
what it finds is written as statements for record_corpus.py.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import pytest

from tests.trino.both_engines import ask_trino, difference, run_locally
from tests.trino.client import TrinoClient
from tests.trino.launch import missing, trino
from tests.trino.random_statements import TABLES, WITH, written

SEED, SHORT_RUN = 20261128, 120
# Errors that Trino finds while it runs, if it comes to the row; another plan may leave the row out, or come to it.
WHILE_RUNNING = frozenset({
    "DIVISION_BY_ZERO", "INVALID_FUNCTION_ARGUMENT", "INVALID_CAST_ARGUMENT", "NUMERIC_VALUE_OUT_OF_RANGE",
    "SUBQUERY_MULTIPLE_ROWS", "EXCEEDED_FUNCTION_MEMORY_LIMIT", "GENERIC_INTERNAL_ERROR",
})  # fmt: skip


@dataclass
class Findings:
    """What became of the statements: counts, and those that differ."""

    counts: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    different: list[tuple[str, str]] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    log: TextIO | None = None

    def note(self, sql: str, answer: dict[str, Any]) -> None:
        """Compare one statement."""
        local = run_locally(sql)
        case, differs = {"sql": sql, **answer}, None
        if local.found == "refused":
            kind = "refused, an error of Trino too" if "error" in answer else "refused, Trino answers"
            self.refusals[local.message] += "error" not in answer
        elif "error" in answer:
            kind = "error on both" if local.found == "fails" else "only Trino has an error"
            if local.found != "fails":
                self.errors.append((sql, f"{answer['error']}; here {local.rows}"))
                if answer["error"] not in WHILE_RUNNING:
                    self.different.append((sql, f"Trino refuses: {answer['error']}"))
        elif local.found == "fails":
            kind = "only the local engine has an error"
            self.errors.append((sql, f"Trino {answer['rows']}; here {local.message}"))
        else:
            differs = difference(case, local)
            kind = "different" if differs else "alike"
            if differs:
                self.different.append((sql, differs))
        self.counts[kind] += 1
        if self.log is not None:
            print(f"{kind}\t{sql.removeprefix(WITH)}\t{local.message or differs}", file=self.log, flush=True)

    @property
    def refused(self) -> float:
        """The part of the statements that Trino answers and that are refused here."""
        answered = sum(self.counts[k] for k in ("alike", "different", "refused, Trino answers"))
        return self.counts["refused, Trino answers"] / max(answered, 1)


def compare(client: TrinoClient, statements: Iterable[str], threads: int = 6, log: TextIO | None = None) -> Findings:
    """Run statements on both engines; Trino has their tables in memory."""
    for table in TABLES:
        client.run(table, catalog="memory", schema="default")

    def ask(sql: str) -> dict[str, Any]:
        return ask_trino(client, sql.removeprefix(WITH), catalog="memory", schema="default")

    findings = Findings(log=log)
    with ThreadPoolExecutor(threads) as pool:
        asked = list(statements)
        for sql, answer in zip(asked, pool.map(ask, asked), strict=True):
            findings.note(sql, answer)
    return findings


@pytest.mark.external
def test_random_statements_are_answered_alike_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    reason = missing()
    if reason is not None:
        assert not os.environ.get("CI"), reason
        pytest.skip(reason)
    with tempfile.TemporaryDirectory() as folder, trino(Path(folder)) as started:
        findings = compare(TrinoClient(started.url), written(SEED, SHORT_RUN))
    with capsys.disabled():
        print(f"\n{dict(findings.counts)}; refused {findings.refused:.1%} of what Trino answers")
    assert findings.different == []
    assert findings.counts["alike"] >= SHORT_RUN // 2
    assert findings.refused <= 0.10


def main() -> None:
    """Compare as many statements as asked for and say what differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--statements", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--server", help="the address of a Trino that runs")
    parser.add_argument("--write", type=Path, help="a file for the statements that differ")
    parser.add_argument("--errors", action="store_true", help="show what has an error on one side only")
    parser.add_argument("--log", type=argparse.FileType("w"), help="a file for each statement and what became of it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.server:
            findings = compare(TrinoClient(options.server), written(options.seed, options.statements), log=options.log)
        else:
            with trino(Path(folder)) as started:
                findings = compare(TrinoClient(started.url), written(options.seed, options.statements), log=options.log)
    for sql, differs in findings.different + (findings.errors if options.errors else []):
        print(f"{sql}\n  {differs}")
    for message, number in findings.refusals.most_common(20):
        print(number, message[:200])
    print(dict(findings.counts), f"refused {findings.refused:.1%} of what Trino answers")
    if options.write:
        text = "".join(f"{sql}\n" for sql, _ in findings.different)
        options.write.write_text(f"# random statements\n{text}", encoding="utf-8")
    sys.exit(bool(findings.different))


if __name__ == "__main__":
    main()
