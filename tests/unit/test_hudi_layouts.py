"""Real tables changed as writers leave them: older versions, pending and undone actions, replaced file groups."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from datalake_kit.errors import HudiError, UnreadableFileError
from datalake_kit.hudi import open_snapshot
from datalake_kit.hudi.rows import read_snapshot
from tests.replication import TRUTH, digest, odp_table


def copy(name: str, folder: Path) -> Path:
    return Path(shutil.copytree(odp_table(name), folder / "table"))


def set_property(table: Path, **entries: str) -> None:
    file = table / ".hoodie" / "hoodie.properties"
    lines = [ln for ln in file.read_text().splitlines() if ln.split("=")[0].replace(".", "_") not in entries]
    file.write_text("\n".join([*lines, *(f"{k.replace('_', '.')}={v}" for k, v in entries.items())]) + "\n")


def rows_of(table: Path, **options: Any) -> str:
    return digest(read_snapshot(open_snapshot(table, **options)))


def truth(name: str) -> str:
    return str(TRUTH[f"{name}.zip"]["md5"])


def commits(table: Path) -> list[Path]:
    return sorted(f for f in (table / ".hoodie").iterdir() if re.fullmatch(r"\d+\.(delta|replace)?commit", f.name))


def write_commit(table: Path, instant: str, action: str, content: dict[str, Any]) -> None:
    inflight = f"{instant}.inflight" if action == "commit" else f"{instant}.{action}.inflight"
    for name in (f"{instant}.{action}.requested", inflight):
        (table / ".hoodie" / name).write_text("")
    (table / ".hoodie" / f"{instant}.{action}").write_text(json.dumps(content))


LATER = "20261125000000000"


# --- versions


@pytest.mark.parametrize("version", ["3", "4", "5"])
@pytest.mark.parametrize("name", ["tables/v6_table_1", "tables/v6_table_4", "tables/v6_table_10_cleaned"])
def test_older_copy_on_write_versions_have_the_layout_of_6(name: str, version: str, tmp_path: Path) -> None:
    table = copy(name, tmp_path)
    set_property(table, hoodie_table_version=version)
    assert open_snapshot(table).table_version == int(version)
    assert rows_of(table) == truth(name)


@pytest.mark.parametrize("version", ["3", "6"])
def test_instants_of_14_digits(version: str, tmp_path: Path) -> None:
    table = copy("tables/v6_table_1", tmp_path)
    set_property(table, hoodie_table_version=version)
    seconds = {f.name.split(".")[0]: f.name[:14] for f in commits(table)}
    assert len(set(seconds.values())) == len(seconds)
    for file in sorted(f for f in table.rglob("*") if f.is_file() and not f.name.endswith(".crc")):
        name, content = file.name, file.read_bytes()
        for long, short in seconds.items():
            name = name.replace(long, short)
            if ".hoodie" in file.parts:
                content = content.replace(long.encode(), short.encode())
        file.unlink()
        file.with_name(name).write_bytes(content)
    assert rows_of(table) == truth("tables/v6_table_1")
    first = TRUTH["tables/v6_table_1.zip"]["commits"][0]
    assert rows_of(table, as_of=first["instant"][:14]) == first["md5_as_of"]


@pytest.mark.parametrize(("version", "kind"), [("99", ""), ("7", ""), ("2", ""), ("5", "MERGE_ON_READ"), ("0", "")])
def test_other_versions_are_refused_by_name(version: str, kind: str, tmp_path: Path) -> None:
    table = copy("tables/v6_table_1", tmp_path)
    set_property(table, hoodie_table_version=version, **({"hoodie_table_type": kind} if kind else {}))
    with pytest.raises(HudiError, match=f"table version {version}, type .*Upgrade"):
        open_snapshot(table)


def test_a_table_in_lance_is_refused_before_its_files_are_opened(tmp_path: Path) -> None:
    table = copy("tables/v6_table_10_mor", tmp_path)
    commit = commits(table)[0]
    commit.write_text(commit.read_text().replace(".parquet", ".lance"))
    for file in table.rglob("*.parquet"):
        file.rename(file.with_suffix(".lance"))
    with pytest.raises(HudiError, match=r"wrote .*\.lance"):
        open_snapshot(table)
    set_property(table, hoodie_table_base_file_format="LANCE")
    with pytest.raises(HudiError, match="format LANCE"):
        open_snapshot(table)


def test_a_stray_lance_file_is_not_taken_for_data(tmp_path: Path) -> None:
    table = copy("tables/v6_table_1", tmp_path)
    file = next(table.glob("VENDORID=1/*.parquet"))
    old = file.with_name(f"{file.stem.rpartition('_')[0]}_20200101000000000.lance")
    shutil.copy(file, old)
    assert rows_of(table) == truth("tables/v6_table_1")


# --- pending and undone actions


def test_logs_after_a_pending_compaction_lie_over_the_last_base_file(tmp_path: Path) -> None:
    """Version 6 names them by the compaction, whose base files are not there yet."""
    table = copy("tables/v6_table_2_mor_mixed", tmp_path)
    compacted = next(f for f in commits(table) if f.suffix == ".commit")
    instant = compacted.stem
    compacted.unlink()
    for base in table.rglob(f"*_{instant}.parquet"):
        base.unlink()
    snapshot = open_snapshot(table)
    assert [i.action for i in snapshot.timeline.pending] == ["compaction"]
    named = {log.named_instant for s in snapshot.slices for log in s.logs}
    assert instant in named
    assert len(named) == 2
    assert rows_of(table) == truth("tables/v6_table_2_mor_mixed")


def test_a_compaction_that_was_killed_half_way_leaves_no_rows(tmp_path: Path) -> None:
    table = copy("tables/v6_table_2_mor_mixed", tmp_path)
    compacted = next(f for f in commits(table) if f.suffix == ".commit")
    bases = sorted(table.rglob(f"*_{compacted.stem}.parquet"))
    compacted.unlink()
    bases[0].write_bytes(bases[0].read_bytes()[:100])
    snapshot = open_snapshot(table)
    assert set(snapshot.uncommitted_files) == set(bases)
    assert rows_of(table) == truth("tables/v6_table_2_mor_mixed")


def test_a_compaction_planned_in_version_8_changes_no_rows(tmp_path: Path) -> None:
    table = copy("tables/v8_table_2_mor_uncompacted", tmp_path)
    timeline = table / ".hoodie" / "timeline"
    before = open_snapshot(table)
    middle = sorted(c.instant.completed or "" for c in before.timeline.commits)[0]
    (timeline / f"{int(middle) + 1}.compaction.requested").write_bytes(b"")
    assert rows_of(table) == truth("tables/v8_table_2_mor_uncompacted")
    assert [i.action for i in open_snapshot(table).timeline.pending] == ["compaction"]


@pytest.mark.parametrize("action", ["rollback", "restore", "savepoint", "clean", "indexing", "schemacommit"])
def test_other_actions_on_the_timeline_change_no_rows(action: str, tmp_path: Path) -> None:
    table = copy("tables/v6_table_1", tmp_path)
    write_commit(table, LATER, action, {})
    assert rows_of(table) == truth("tables/v6_table_1")
    (table / ".hoodie" / f"{LATER}.{action}").unlink()
    assert rows_of(table) == truth("tables/v6_table_1")
    assert [i.action for i in open_snapshot(table).timeline.pending] == [action]


def test_what_a_rolled_back_commit_left_is_not_served(tmp_path: Path) -> None:
    """A rollback takes the instant away; a base file that it could not remove must not be believed."""
    table = copy("tables/v6_table_1", tmp_path)
    last = commits(table)[-1]
    left = {table / s["path"] for files in _stats(last).values() for s in files}
    for file in (table / ".hoodie").glob(f"{last.stem}.*"):
        file.unlink()
    write_commit(table, LATER, "rollback", {})
    snapshot = open_snapshot(table)
    assert set(snapshot.uncommitted_files) == left
    told = [c for c in TRUTH["tables/v6_table_1.zip"]["commits"] if c["instant"] != last.stem][-1]
    assert rows_of(table) == told["md5_as_of"]


def test_a_restore_takes_the_table_back(tmp_path: Path) -> None:
    """A restore removes the instants and files of every commit after a savepoint."""
    table = copy("tables/v6_table_1", tmp_path)
    first, *rest = commits(table)
    for commit in rest:
        for stat in (s for files in _stats(commit).values() for s in files):
            (table / stat["path"]).unlink()
        for file in (table / ".hoodie").glob(f"{commit.stem}.*"):
            file.unlink()
    write_commit(table, first.stem, "savepoint", {})
    write_commit(table, LATER, "restore", {})
    told = TRUTH["tables/v6_table_1.zip"]["commits"][0]
    assert (first.stem, rows_of(table)) == (told["instant"], told["md5_as_of"])


def _stats(commit: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = json.loads(commit.read_text())["partitionToWriteStats"]
    return found


# --- replaced file groups


def test_clustering_moves_rows_and_changes_none(tmp_path: Path) -> None:
    table = copy("tables/v6_table_1", tmp_path)
    content = _replacing(table, "CLUSTER")
    for name in ("replacecommit.requested", "replacecommit.inflight"):
        (table / ".hoodie" / f"{LATER}.{name}").write_text("")
    snapshot = open_snapshot(table)  # still pending: the new files are there and count for nothing
    assert {f.name for f in snapshot.uncommitted_files} == {f.name for f in table.rglob(f"*_{LATER}.parquet")}
    assert rows_of(table) == truth("tables/v6_table_1")
    write_commit(table, LATER, "replacecommit", content)
    snapshot = open_snapshot(table)
    assert {f.instant for s in snapshot.slices for f in s.files} == {LATER}
    assert rows_of(table) == truth("tables/v6_table_1")
    assert rows_of(table, as_of="20261124000000000") == truth("tables/v6_table_1")
    _agrees_with_hudi_rs(table)


def test_an_overwrite_hides_the_groups_that_it_replaced(tmp_path: Path) -> None:
    table = copy("tables/v6_table_1", tmp_path)
    content = _replacing(table, "INSERT_OVERWRITE_TABLE", only="VENDORID=2")
    write_commit(table, LATER, "replacecommit", content)
    rows = read_snapshot(open_snapshot(table))
    assert set(rows.column("VENDORID").to_pylist()) == {2}
    assert rows_of(table, as_of="20261124000000000") == truth("tables/v6_table_1")
    _agrees_with_hudi_rs(table)


def test_files_of_replaced_groups_may_be_cleaned_away(tmp_path: Path) -> None:
    table = copy("tables/v6_table_1", tmp_path)
    old = open_snapshot(table).all_files
    write_commit(table, LATER, "replacecommit", _replacing(table, "CLUSTER"))
    for file in old:
        Path(str(file)).unlink()
    assert rows_of(table) == truth("tables/v6_table_1")
    with pytest.raises(UnreadableFileError, match="is gone"):
        open_snapshot(table, as_of="20261124000000000")


def _replacing(table: Path, operation: str, *, only: str = "") -> dict[str, Any]:
    """Write a copy of every newest base file as a group of its own, and say so as a replacing commit does."""
    template = json.loads(commits(table)[-1].read_text())
    stats: dict[str, list[dict[str, Any]]] = {}
    replaced: dict[str, list[str]] = {}
    for number, one in enumerate(open_snapshot(table).slices):
        replaced.setdefault(one.partition, []).append(one.file_id)
        if only and one.partition != only:
            continue
        new = f"aaaaaaaa-0000-4000-8000-{number:012d}-0"
        path = f"{one.partition}/{new}_0-9-9_{LATER}.parquet"
        shutil.copy(table / one.base.path, table / path)
        size = (table / path).stat().st_size
        stats.setdefault(one.partition, []).append({"fileId": new, "path": path, "fileSizeInBytes": size})
    return {
        "operationType": operation,
        "partitionToWriteStats": stats,
        "partitionToReplaceFileIds": replaced,
        "extraMetadata": template["extraMetadata"],
    }


def _agrees_with_hudi_rs(table: Path) -> None:
    from hudi import HudiTable

    theirs = {
        (s.base_file_relative_path(), *sorted(s.log_files_relative_paths()))
        for s in HudiTable(str(table)).get_file_slices()
    }
    ours = {(s.base.path, *sorted(log.path for log in s.logs)) for s in open_snapshot(table).slices}
    assert ours == theirs
