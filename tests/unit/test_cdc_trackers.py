"""Lag is not loss: trackers, landing times, runs that failed or hang."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalake_kit.cdc.dms import CHANGE, FULL_LOAD, OTHER, DmsFile
from datalake_kit.cdc.trackers import Lag, lag_of, read_trackers, waiting
from datalake_kit.errors import DataError, UnreadableFileError
from datalake_kit.storage import S3Path

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def at(minute: float) -> datetime:
    return DAY + timedelta(minutes=minute)


def file(name: str, landed: datetime | None = None, *, schema: str = "taxi_trips", table: str = "table_1") -> DmsFile:
    """A file below `{schema}/{table}/`."""
    kind = FULL_LOAD if name.startswith("LOAD") else CHANGE if name[0] == "2" else OTHER
    whole = f"{schema}/{table}/{name}.parquet"
    return DmsFile(Path("/staging") / whole, whole, schema, table, kind, None, 1, landed)


def change(minute: float, landed: datetime | None = None, **where: str) -> DmsFile:
    """A change file begun in a minute of the day, landed half a minute later unless said otherwise."""
    when = at(minute)
    return file(f"{when:%Y/%m/%d/%Y%m%d-%H%M%S}000", landed or when + timedelta(seconds=30), **where)


def tracked(of: DmsFile, status: str = "raw_file_landed", **changed: Any) -> dict[str, Any]:
    """The item of a file, as the framework writes it."""
    whole = {
        "source_table_name": f"{of.schema}_{of.table}",
        "file_id": "6a0e",
        "file_ingestion_status": status,
        "file_ingestion_date_time": f"{of.landed or DAY:%Y-%m-%d %H:%M:%S}",
        "file_ingestion_s3_bucket": "stage",
        "file_ingestion_path": f"internal_staging/{of.name}",
        "dms_file_type": "Incremental",
        "schema_name": of.schema.lower(),
        "table_name": of.table.lower(),
    }
    return {**whole, **changed}


def ran(status: str, start: str, **changed: Any) -> dict[str, Any]:
    whole = {
        "raw_table_name": "table_1",
        "glue_job_run_id": "jr_1",
        "refresh_status": status,
        "refresh_start_time": start,
        "refresh_end_time": "",
    }
    return {**whole, **changed}


LOAD = file("LOAD00000001", at(0))
DONE, NEW = change(10), change(50)


def test_files_are_landed_processed_or_unknown(tmp_path: Path) -> None:
    (tmp_path / "odpf_file_tracker.json").write_text(json.dumps({"Items": [tracked(NEW)]}))
    typed = {k: {"S": v} for k, v in tracked(DONE, "raw_file_processed", glue_job_run_id="jr_7").items()}
    (tmp_path / "odpf_file_tracker_history.json").write_text(json.dumps({"Item": typed}))
    known = read_trackers(tmp_path)
    assert [known.state(f).status for f in (LOAD, DONE, NEW)] == ["unknown", "processed", "landed"]
    assert known.state(NEW).landed == at(50.5)
    assert known.state(DONE).run == "jr_7"
    assert known.until == at(50.5)
    lag = lag_of([LOAD, DONE, NEW], known, last_commit=at(20), now=at(80.5))
    assert lag == Lag(
        waiting=(NEW,),
        age=timedelta(minutes=30),
        processed=frozenset({DONE.name}),
        notes=(f"1 files are in no tracker, for example {LOAD.name}: judged by landing times",),
    )


def test_the_trackers_say_when_a_file_landed() -> None:
    copied = replace(NEW, landed=at(9000))
    (late,) = lag_of([LOAD, copied], read_trackers([tracked(NEW)]), now=at(60.5)).waiting
    assert (late.name, late.landed) == (NEW.name, NEW.landed)


def test_what_is_marked_processed_is_never_lag() -> None:
    """Not even when it landed after the last commit: absent changes of it are lost."""
    known = read_trackers([tracked(NEW, "raw_file_processed")])
    assert lag_of([LOAD, NEW], known, last_commit=at(20)).waiting == ()


def test_the_second_of_the_full_load_stays_loss() -> None:
    dropped = change(0, at(0))
    known = read_trackers([tracked(LOAD, "raw_file_processed"), tracked(dropped, "raw_file_processed")])
    assert lag_of([LOAD, dropped], known, last_commit=at(5)).waiting == ()
    assert lag_of([LOAD, dropped], None, last_commit=at(5)).waiting == ()


def test_sources_of_trackers() -> None:
    items = [tracked(NEW)]
    run = [ran("completed", "2026-03-01 00:20:00.1")]
    for source in (items, pd.DataFrame(items), {"files": items, "runs": run}, [pd.DataFrame(items), pd.DataFrame(run)]):
        assert read_trackers(source).state(NEW).status == "landed"  # type: ignore[arg-type]
    assert read_trackers(items[0]).state(NEW).status == "landed"
    assert len(read_trackers({"files": items, "runs": run}).runs) == 1


def test_a_file_that_landed_again_waits_again() -> None:
    again = tracked(NEW, file_id="b", file_ingestion_date_time="2026-03-01 02:00:00")
    known = read_trackers([tracked(NEW, "raw_file_processed"), again])
    assert known.state(NEW).status == "landed"
    event_twice = [tracked(NEW), tracked(NEW, "raw_file_processed")]
    assert read_trackers(event_twice).state(NEW).status == "processed"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("internal_staging/taxi_trips/table_1/{}", "landed"),
        ("taxi_trips/table_1/{}", "landed"),
        ("a/b/c/TAXI_TRIPS/TABLE_1/x/{}", "landed"),  # the folders of a copy may differ: schema, table and name count
        ("internal_staging/taxi_trips/table_10/{}", "unknown"),
        ("internal_staging/other/table_1/{}", "unknown"),
    ],
)
def test_files_are_known_by_path_or_by_table_and_name(path: str, status: str) -> None:
    name = NEW.name.removeprefix("taxi_trips/table_1/")
    parts = path.lower().split("/")
    schema, table = parts[-3:-1] if "/x/" not in path else parts[-4:-2]
    items = [tracked(NEW, file_ingestion_path=path.format(name), schema_name=schema, table_name=table)]
    assert read_trackers(items).state(NEW).status == status
    moved = tracked(NEW, schema_name="internal_staging", table_name="taxi_trips")  # no BucketFolder: places shift
    assert read_trackers([moved]).state(NEW).status == "landed"
    root = DmsFile(NEW.path, name, "taxi_trips", "table_1", CHANGE, None)  # the staging folder is the table's own
    assert read_trackers(items).state(root).status == status


def test_files_on_s3_are_known_by_their_key() -> None:
    there = DmsFile(S3Path("stage", f"internal_staging/{NEW.name}"), NEW.name, "x", "y", CHANGE, None)
    assert read_trackers([tracked(NEW)]).state(there).status == "landed"
    other = DmsFile(S3Path("other", f"internal_staging/{NEW.name}"), "q/w/e.parquet", "x", "y", CHANGE, None)
    assert read_trackers([tracked(NEW)]).state(other).status == "unknown"


# --- landing times alone


def test_what_landed_after_the_last_commit_is_lag() -> None:
    lag = lag_of([LOAD, DONE, NEW], last_commit=at(20), now=at(60.5))
    assert (lag.waiting, lag.age, lag.notes) == ((NEW,), timedelta(minutes=10), ())
    assert lag_of([LOAD, DONE, NEW], last_commit=at(55)).waiting == ()
    assert lag_of([LOAD, DONE, NEW], last_commit=at(55)).age == timedelta(0)


def test_without_a_commit_nothing_is_lag_and_that_is_said() -> None:
    lag = lag_of([LOAD, NEW])
    assert lag.waiting == ()
    assert "nothing tells" in lag.notes[0]


def test_times_of_a_copy_are_not_landing_times() -> None:
    """Where even the full load came after the last commit, the names of change files tell."""
    copied = at(9000)
    files = [file("LOAD00000001", copied), change(10, copied), change(50, copied)]
    (late,) = lag_of(files, last_commit=at(20)).waiting
    assert (late.name, late.landed) == (files[2].name, at(50))
    assert lag_of(files, last_commit=at(55)).waiting == ()
    assert "those of a copy" in lag_of(files, last_commit=at(20)).notes[0]


def test_a_run_lists_files_before_its_commit_begins() -> None:
    assert waiting([LOAD, DONE, NEW], at(51)) == []
    assert waiting([LOAD, DONE, NEW], at(51), timedelta(minutes=1)) == [NEW]
    assert waiting([NEW], None) == []


def test_other_files_are_not_judged() -> None:
    assert lag_of([LOAD, file("part-0", at(50))], last_commit=at(20)).waiting == ()


@given(
    st.lists(st.integers(1, 100), max_size=8, unique=True),
    st.integers(1, 100),
    st.sets(st.integers(0, 7)),
    st.sets(st.integers(0, 7)),
)
def test_a_file_is_lag_or_due_and_trackers_decide(
    minutes: list[int], commit: int, new: set[int], old: set[int]
) -> None:
    files = [LOAD, *(change(m) for m in sorted(minutes))]
    landed = [f for n, f in enumerate(files) if n in new]
    processed = [f for n, f in enumerate(files) if n in old - new]
    items = [tracked(f) for f in landed] + [tracked(f, "raw_file_processed") for f in processed]
    lag = lag_of(files, read_trackers(items), last_commit=at(commit), now=at(200))
    rest = [f for f in files if f not in landed and f not in processed]
    late = [f for f in files if f in landed or (f in rest and (f.landed or DAY) > at(commit))]
    assert list(lag.waiting) == late
    assert lag.processed == {f.name for f in processed}
    assert lag.age == (at(200) - min(f.landed or DAY for f in lag.waiting) if lag.waiting else timedelta(0))


# --- runs


def test_runs_are_in_order_and_one_is_known_once() -> None:
    history = ran(
        "completed", "2026-03-01 10:00:00.000001", refresh_end_time="2026-03-01 10:03:00.5", error_msg="",
        number_of_rows_inserted="5", number_of_rows_updated="0", number_of_rows_deleted="2",
    )  # fmt: skip
    known = read_trackers(
        [
            ran("completed", "2026-03-01 10:00:00.000001"),
            history,
            ran("updating_table", "2026-02-01", glue_job_run_id="jr_0"),
        ]
    )
    assert [r.id for r in known.runs] == ["jr_0", "jr_1"]
    assert (known.runs[1].inserts, known.runs[1].updates, known.runs[1].deletes) == (5, 0, 2)
    assert known.runs[1].ended == datetime(2026, 3, 1, 10, 3, 0, 500000, UTC)
    assert known.runs_of("taxi.TABLE_1") == known.runs
    assert known.notes("taxi.table_1") == ()


def test_a_run_that_hangs_or_failed_is_said() -> None:
    hangs = read_trackers([ran("updating_table", "2026-03-01 00:20:00.0")])
    (note,) = hangs.notes("taxi.table_1", at(20 + 180))
    assert note.startswith("run jr_1 is updating_table since 2026-03-01 00:20:00 UTC for 3 hours; if it was killed")
    error = "An error occurred: key not found\nTraceback (most recent call last):\n  File x"
    failed = read_trackers([ran("refresh_error", "2026-03-01 00:20:00.0", error_msg=error)])
    assert failed.notes("table_1") == (
        "the last run (jr_1 since 2026-03-01 00:20:00 UTC) failed: An error occurred: key not found",
    )
    long = read_trackers([ran("refresh_error", "", error_msg="x" * 5000)])
    assert len(long.notes("table_1")[0]) < 400
    lag = lag_of([LOAD, NEW], hangs, last_commit=at(20), table="taxi.table_1", now=at(90))
    assert lag.waiting == (NEW,)
    assert lag.notes[0].startswith("run jr_1 is updating_table")
    later = ran("completed", "2026-03-01 01:00:00", glue_job_run_id="jr_2")
    assert read_trackers([ran("refresh_error", "2026-03-01 00:20:00"), later]).notes("table_1") == ()


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (tracked(NEW, "raw_file_lost"), "file_ingestion_status is 'raw_file_lost', not raw_file_landed"),
        (tracked(NEW, file_ingestion_date_time="yesterday"), "file_ingestion_date_time is 'yesterday'"),
        (ran("completed", "2026-13-01"), "refresh_start_time is '2026-13-01'"),
        (ran("completed", "2026-03-01", number_of_rows_inserted="many"), "number_of_rows_inserted is 'many'"),
        (ran("completed", "2026-03-01", raw_table_name=""), "raw_table_name is not there"),
        ({"refresh_cadence": "daily"}, "is no item of a tracker"),
    ],
)
def test_items_that_cannot_be(item: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=rf"tracker, item 2.*{message}"):
        read_trackers([tracked(DONE), item])


def test_no_such_export(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="No such file"):
        read_trackers(tmp_path / "none.json")
