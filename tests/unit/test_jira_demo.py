"""The demo's jira_raw table: the same bytes from the same seed, resumed where it stopped, with every story in it."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from datalake_kit.demo import jira_raw


@pytest.fixture(scope="module")
def table_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lake") / "jiralake" / "jira_raw"
    jira_raw.build(folder)
    return folder


def fingerprints(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*.parquet")}


def landed(folder: Path) -> list[dict[str, str | None]]:
    return [row for path in sorted(folder.rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def test_same_seed_same_bytes(table_folder: Path, tmp_path: Path) -> None:
    jira_raw.build(tmp_path)
    assert fingerprints(tmp_path) == fingerprints(table_folder)
    assert len(fingerprints(tmp_path)) == jira_raw.count()


def test_a_partial_build_is_completed_and_a_whole_one_left_alone(table_folder: Path, tmp_path: Path) -> None:
    steps: list[int] = []
    jira_raw.build(tmp_path, progress=steps.append)
    assert sum(steps) == jira_raw.count()
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.parquet")}
    for path in sorted(before)[3:9]:
        path.unlink()
    jira_raw.build(tmp_path)
    assert fingerprints(tmp_path) == fingerprints(table_folder)
    kept = sorted(before)[:3] + sorted(before)[9:]
    assert all(p.stat().st_mtime_ns == before[p] for p in kept)
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".parquet"]


def test_it_is_small(table_folder: Path) -> None:
    assert sum(p.stat().st_size for p in table_folder.rglob("*.parquet")) < 500_000


def test_every_story_is_in_it(table_folder: Path) -> None:
    rows = landed(table_folder)
    good = [
        r | {"fields": json.loads(r["fields"] or "")} for r in rows if r["id"] and (r["fields"] or "").endswith("}")
    ]
    assert len(rows) - len(good) == 2  # one cut short, one without id
    keys: dict[str, set[str]] = {}
    versions: dict[str, list[str]] = {}
    for row in good:
        keys.setdefault(row["id"], set()).add(row["key"])
        versions.setdefault(row["id"], []).append(json.dumps(row["fields"], sort_keys=True))
    assert [k for k in keys.values() if len(k) > 1] == [{"K5-9", "EE-86"}]
    assert sum("K5-9" in k for k in keys.values()) == 2  # the old key is used again
    assert any(len(v) > len(set(v)) for v in versions.values())  # sent again unchanged
    assert any(len(set(v)) > 3 for v in versions.values())  # changed
    offsets = {row["fields"]["updated"][-5:] for row in good}
    assert offsets == {"+0800", "+0000"}


def test_children_begin_after_their_parents(table_folder: Path) -> None:
    created, parents = {}, {}
    for row in landed(table_folder):
        if row["id"] and (row["fields"] or "").endswith("}"):
            fields = json.loads(row["fields"] or "")
            created[row["id"]] = datetime.fromisoformat(fields["created"])
            parents[row["id"]] = (fields.get("parent") or {}).get("id")
    # the real K5-3 was made half a minute before the epic that it was put below
    known = {child: up for child, up in parents.items() if up in created and child != "20709"}
    assert len(known) > 50
    assert all(created[child] > created[up] for child, up in known.items())
    assert {up for up in parents.values() if up and up not in created} == {"20555"}
