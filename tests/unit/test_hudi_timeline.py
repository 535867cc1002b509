"""`dk.hudi.timeline`: what each commit did, and the rows after it: exact, counted, or unknown."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import datalake_kit as dk
from datalake_kit.errors import HudiError, ParameterError
from datalake_kit.hudi.checkup import health_of
from datalake_kit.hudi.commits import Commit, Instant, WriteStat, load_timeline
from datalake_kit.hudi.history import timeline_frame
from datalake_kit.hudi.rows import read_snapshot
from datalake_kit.hudi.snapshot import open_snapshot
from datalake_kit.hudi.tally import _begins
from tests.replication import PUBLIC_ROWS, TRUTH, lake_of, odp_table, public_table

WITH_COMMITS = [z for z, t in sorted(TRUTH.items()) if t["commits"]]


def frame_of(table: Path, **options: Any) -> pd.DataFrame:
    return timeline_frame(load_timeline(table), **options)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return shutil.copytree(odp_table("tables/v6_table_1"), tmp_path / "table")


@pytest.mark.parametrize("name", WITH_COMMITS)
def test_rows_after_are_those_of_hudis_own_reader_or_unknown(name: str) -> None:
    frame = frame_of(odp_table(name)).set_index("instant")
    for commit in TRUTH[name]["commits"]:
        row = frame.loc[commit["instant"]]
        assert row["rows_after_from"] == ("unknown" if pd.isna(row["rows_after"]) else "timeline")
        if commit["rows_as_of"] is not None:
            assert pd.isna(row["rows_after"]) or row["rows_after"] == commit["rows_as_of"]
    if TRUTH[name]["type"] == "COPY_ON_WRITE":
        assert (frame["rows_after_from"] == "timeline").all()


@pytest.mark.parametrize("name", [z for z in WITH_COMMITS if TRUTH[z]["type"] != "COPY_ON_WRITE"])
def test_what_log_files_leave_open_is_counted_when_asked(name: str) -> None:
    frame = frame_of(odp_table(name), count=True).set_index("instant")
    assert "counted" in set(frame["rows_after_from"])
    for commit in TRUTH[name]["commits"]:
        assert frame.loc[commit["instant"], "rows_after"] == commit["rows_as_of"]


@pytest.mark.parametrize("name", [n for n in PUBLIC_ROWS if n != "cow/v6_empty"])
def test_the_sum_of_the_commits_is_the_count_of_rows(name: str) -> None:
    frame = frame_of(public_table(name), count=True)
    assert frame["rows_after"].iloc[-1] == PUBLIC_ROWS[name]
    changes = frame[~frame["operation"].isin(["COMPACT", "CLUSTER"])]
    if changes["replaced_rows"].notna().all():
        total = changes["inserts"].sum() - changes["deletes"].sum() - changes["replaced_rows"].sum()
        assert total == PUBLIC_ROWS[name]


def test_overwriting_counts_the_rows_that_it_replaced() -> None:
    frame = frame_of(public_table("cow/v9_txns_simple_nometa")).set_index("operation")
    assert frame.loc["INSERT_OVERWRITE", "replaced_rows"] == 4
    assert frame.loc["CLUSTER", "replaced_rows"] == 10
    unknown = frame_of(public_table("mor/v9_txns_simple_nometa")).set_index("operation")
    assert unknown["replaced_rows"].isna()["INSERT_OVERWRITE"]  # log files lay over what it replaced


def test_a_damaged_past_is_unknown_not_counted() -> None:
    frame = frame_of(odp_table("damaged/v6_table_2_mor_uncompacted_log_truncated"), count=True)
    assert frame["rows_after_from"].tolist() == ["timeline", "unknown", "unknown"]


# --- commits that are no longer known


def path_of(commit: Commit) -> Path:
    """The file of a commit in a folder."""
    return Path(str(commit.instant.file))


def forget(table: Path, numbers: Iterable[int]) -> None:
    """Remove the instants of some commits, by their place."""
    commits = load_timeline(table).commits
    for number in numbers:
        for file in (table / ".hoodie").glob(f"{commits[number].requested}.*"):
            file.unlink()


def test_rows_are_unknown_while_a_group_is_older_than_the_first_commit(table: Path) -> None:
    forget(table, [0])  # 3 groups of 2,000 rows; the next two commits wrote two of them, the last all three
    frame = frame_of(table)
    assert frame["rows_after_from"].tolist() == ["unknown", "unknown", "timeline"]
    assert frame["rows_after"].iloc[-1] == 2200


def test_rows_are_unknown_when_only_the_files_tell_of_older_commits(tmp_path: Path) -> None:
    table = shutil.copytree(public_table("cow/v9_txns_nonpart_meta"), tmp_path / "table")
    known = load_timeline(table)
    for commit in known.commits[:-1]:
        for file in path_of(commit).parent.glob(f"{commit.requested}*"):
            file.unlink()
    for instant in [i for i in known.instants if i.action not in ("commit", "replacecommit")]:
        Path(str(instant.file)).unlink(missing_ok=True)
    assert frame_of(table, older=frozenset())["rows_after"].tolist() == [2]  # what the last commit alone would say
    assert frame_of(table)["rows_after_from"].tolist() == ["unknown"]


def test_rows_are_known_again_when_unknown_groups_are_replaced(tmp_path: Path) -> None:
    table = shutil.copytree(public_table("cow/v6_simplekeygen_nonhivestyle_overwritetable"), tmp_path / "table")
    forget(table, [0])
    frame = frame_of(table, older=frozenset())  # as if the folder told nothing: the replaced groups do
    assert frame["rows_after_from"].tolist() == ["unknown", "timeline"]
    assert frame["replaced_rows"].isna().tolist() == [False, True]
    assert frame["rows_after"].iloc[-1] == 1


def test_a_gap_between_commits_is_told_and_leaves_the_rows_unknown(table: Path) -> None:
    forget(table, [2])
    frame = frame_of(table)
    assert frame["rows_after_from"].tolist() == ["timeline", "timeline", "unknown"]
    assert "a commit is missing before it" in frame["anomalies"].iloc[-1]


def test_the_archive_is_read(tmp_path: Path) -> None:
    table = shutil.copytree(odp_table("tables/v8_table_10_cleaned"), tmp_path / "table")
    assert frame_of(table)["archived"].tolist() == [True] * 6 + [False] * 3
    shutil.rmtree(table / ".hoodie" / "timeline" / "history")
    assert frame_of(table)["archived"].tolist() == [False] * 3
    assert frame_of(table)["rows_after_from"].tolist() == ["unknown"] * 3
    assert frame_of(table, count=True)["rows_after_from"].tolist() == ["unknown", "unknown", "counted"]


# --- times


def test_times_are_utc_whatever_the_writers_zone(tmp_path: Path) -> None:
    tables = {"txns": public_table("cow/v9_txns_simple_nometa"), "trips": odp_table("tables/v8_table_1")}
    with dk.connect(lake_of(tmp_path / "lake", tables)) as lake:
        frame = dk.hudi.timeline(lake, "taxi.txns")
        assert frame["started_at"].iloc[0] == pd.Timestamp("2026-03-07 13:56:57.661", tz="UTC")
        assert frame.attrs["timezone"] == "UTC (assumed: the table does not say)"
        moved = dk.hudi.timeline(lake, "taxi.txns", timezone="America/Chicago")
        assert moved["started_at"].iloc[0] == pd.Timestamp("2026-03-07 19:56:57.661", tz="UTC")
        assert ((moved["completed_at"] - frame["completed_at"]) == pd.Timedelta(hours=6)).all()
        assert moved.attrs["timezone"] == "America/Chicago"
        assert "LOCAL" in dk.hudi.timeline(lake, "taxi.trips").attrs["timezone"]
        with pytest.raises(ParameterError, match="no time zone"):
            dk.hudi.timeline(lake, "taxi.txns", timezone="Mars/Olympus")


# --- anomalies


def rewrite_commit(table: Path, number: int, **changes: Any) -> None:
    """Change the content of a JSON commit."""
    file = path_of(load_timeline(table).commits[number])
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_commit_that_wrote_nothing_is_told(table: Path) -> None:
    rewrite_commit(table, 3, partitionToWriteStats={})
    assert frame_of(table)["anomalies"].tolist() == ["", "", "", "wrote nothing"]


def test_write_errors_are_told(table: Path) -> None:
    file = path_of(load_timeline(table).commits[3])
    content = json.loads(file.read_text())
    next(iter(content["partitionToWriteStats"].values()))[0]["totalWriteErrors"] = 7
    file.write_text(json.dumps(content))
    assert frame_of(table)["anomalies"].iloc[-1] == "7 rows with write errors"


def test_a_commit_that_overtook_an_earlier_one_is_told(tmp_path: Path) -> None:
    table = shutil.copytree(odp_table("tables/v8_table_1"), tmp_path / "table")
    first, second = load_timeline(table).commits[1:3]
    file, later = path_of(first), f"{str(second.instant.completed)[:-1]}9"
    file.rename(file.with_name(file.name.replace(str(first.instant.completed), later)))
    assert frame_of(table)["anomalies"].tolist()[2].startswith(f"completed before {first.requested}")
    assert [bool(a) for a in frame_of(table)["anomalies"]] == [False, False, True, False]


def test_counting_agrees_with_reading(tmp_path: Path) -> None:
    table = odp_table("tables/v8_table_3_mor")
    frame = frame_of(table, count=True)
    for instant, rows in zip(frame["instant"], frame["rows_after"], strict=True):
        assert read_snapshot(open_snapshot(table, as_of=instant)).num_rows == rows


def test_the_timeline_of_a_table_whose_files_are_not_read(tmp_path: Path) -> None:
    table = shutil.copytree(odp_table("tables/v6_table_1"), tmp_path / "table")
    properties = table / ".hoodie" / "hoodie.properties"
    properties.write_text(properties.read_text() + "hoodie.table.base.file.format=LANCE\n")
    for commit in (table / ".hoodie").glob("*.commit"):
        commit.write_text(commit.read_text().replace(".parquet", ".lance"))
    for base in table.rglob("*.parquet"):
        base.rename(base.with_suffix(".lance"))
    assert frame_of(table)["rows_after"].tolist() == [2000, 2090, 2160, 2200]
    with pytest.raises(HudiError, match="format LANCE"):
        open_snapshot(table)
    found = health_of(table)
    assert found.findings["name"].tolist() == ["unreadable-table"]
    assert "LANCE" in found.findings["what"].iloc[0]


BASE, LOG = "2026/f1-0_0-1-2_20260301100000000.parquet", "2026/.f1-0_20260301100000000.log.1_0-1-2"


@pytest.mark.parametrize(
    ("operation", "path", "inserts", "rows", "begins"),
    [
        ("INSERT", BASE, 5, 5, True),
        ("UPSERT", BASE, 2, 5, False),  # three rows were there before
        ("CLUSTER", BASE, 0, 5, True),  # all were moved there
        ("UPSERT", LOG, 5, 5, False),
        ("INSERT", "2026/other.parquet", 5, 5, False),
    ],
)
def test_the_file_with_which_a_group_begins(operation: str, path: str, inserts: int, rows: int, begins: bool) -> None:
    stat = WriteStat("2026", "f1-0", path, 100, inserts, 0, 0, rows, 0)
    commit = Commit(
        Instant("20260301100000000", "commit", "completed", None, Path("x.commit")), operation, (stat,), frozenset(), ""
    )
    assert _begins(commit, stat) is begins
