"""What a real Trino answered to the digest's statements is what plain Python gives."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sources import hostile
from tests.trino import record_digest


def check(answers: dict[str, list[list[Any]]]) -> None:
    digests = hostile.digests()
    assert {int(k): h for k, h in answers["leaf"]} == digests
    ranges = {0: range(20), 1: range(20, 40), 2: range(40, hostile.ROWS)}
    expected = {
        b: [len(ids), len(ids), sum(int(digests[i][:15], 16) for i in ids), sum(int(digests[i][17:], 16) for i in ids)]
        for b, ids in ranges.items()
    }
    assert {int(b): [int(v) for v in rest] for b, *rest in answers["range_sums"]} == expected
    assert sorted([int(b), int(k)] for b, k in answers["quantiles"]) == [[0, 16], [0, 32], [0, 48]]
    assert {int(n) for n in answers["unwritten"][0]} == {0}
    assert answers["repeated"] == []
    rows = hostile.rows()
    assert [int(r[0]) for r in answers["chosen"]] == [7, 8]
    words = next(i for i, c in enumerate(hostile.COLUMNS) if c.name == "words")
    assert [r[words + 2] for r in answers["chosen"]] == [
        f"{len(rows[i][words + 1])}:{rows[i][words + 1]}" for i in (7, 8)
    ]


def test_recorded_answers_of_trino() -> None:
    recorded = json.loads(record_digest.RECORDED.read_text(encoding="utf-8"))
    assert recorded["statements"] == record_digest.fingerprint(), (
        "statements changed: record them anew (record_digest.py)"
    )
    check(recorded["answers"])


def check_comparison(lake: record_digest.Dialogue) -> None:
    found = record_digest.compare(lake)
    assert found.not_compared == {}
    assert (found.keys.missing, found.keys.extra, found.keys.changed) == ([1000], [17], [30])
    assert found.keys.exact
    assert [(c.column, c.before, c.after) for c in found.columns] == [("words", "other", hostile.rows()[30][10])]
    assert 0 < found.bytes_moved < found.traffic.bytes_moved


def test_a_lake_on_athena_as_a_side_answers_as_trino_did() -> None:
    recorded = json.loads(record_digest.RECORDED.read_text(encoding="utf-8"))
    check_comparison(record_digest.Dialogue(recorded["dialogue"]))


@pytest.mark.external
def test_a_real_trino(real_trino: None) -> None:
    check(record_digest.ask())
    live = record_digest.Dialogue()
    check_comparison(live)
    live.close()
