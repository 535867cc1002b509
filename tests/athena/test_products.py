"""What stands above the engine gives on Athena what it gives on the folder."""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from datalake_kit import hudi, irradiance, jira, latest_records
from datalake_kit.lake import Lake

pytestmark = [pytest.mark.external, pytest.mark.slow]


def test_tables_are_listed_alike(folder_lake: Lake, athena_lake: Lake) -> None:
    mine = ["database", "table", "format"]
    there = athena_lake.tables()
    there = there[there["database"].isin(folder_lake.engine.databases())]
    pd.testing.assert_frame_equal(there[mine].reset_index(drop=True), folder_lake.tables()[mine])
    for name in ("irradiance.points_year", "jiralake.jira_raw"):
        assert athena_lake.table(name).columns == folder_lake.table(name).columns


@pytest.mark.parametrize("order_by", ["CDC_TIMESTAMP_SEQ", ["tpep_pickup_datetime", "PK_ID"]])
def test_newest_records(folder_lake: Lake, athena_lake: Lake, order_by: str | list[str]) -> None:
    found = [
        latest_records(lake.table("taxi.table_1"), keys="vendorid", order_by=order_by)
        for lake in (folder_lake, athena_lake)
    ]
    names = [c for c in found[0] if not c.startswith("_hoodie")]
    here, there = (f[names].sort_values("vendorid").reset_index(drop=True) for f in found)
    pd.testing.assert_frame_equal(there, here)
    assert len(here) > 1


def test_issues_of_jira(folder_lake: Lake, athena_lake: Lake) -> None:
    here, there = (jira.load(lake, "jiralake.jira_raw") for lake in (folder_lake, athena_lake))
    pd.testing.assert_frame_equal(there.frame(), here.frame())
    assert there.report == here.report
    assert set(there.rejects["reason"]) == set(here.rejects["reason"])
    assert all(f.startswith("s3://lake/jiralake/jira_raw/") for f in there.rejects["file"])
    pd.testing.assert_frame_equal(there.versions(["status"]), here.versions(["status"]))


def test_series_of_irradiance(folder_lake: Lake, athena_lake: Lake) -> None:
    options = {"points": ["pvgis", "milan"], "start": "2025-06-01", "stop": "2025-06-08"}
    here, there = (irradiance.read(lake, "irradiance.points_year", **options) for lake in (folder_lake, athena_lake))
    pd.testing.assert_frame_equal(there, here)
    assert len(here) == 2 * 7 * 96
    assert there.attrs["points"] == here.attrs["points"]


@pytest.mark.filterwarnings("ignore:taxi.*Hudi table:UserWarning")
def test_hudi_on_s3_travels_in_time(folder_lake: Lake, athena_lake: Lake) -> None:
    moments = hudi.timeline(folder_lake, "taxi.table_1")
    pd.testing.assert_frame_equal(
        hudi.timeline(athena_lake, "taxi.table_1"), moments, check_dtype=False, check_like=True
    )
    first = moments["instant"].iloc[0]
    here, there = (hudi.read(lake, "taxi.table_1", as_of=first) for lake in (folder_lake, athena_lake))
    assert len(there) == len(here) > 0
    assert hudi.count(athena_lake, "taxi.table_10") == 2003  # SQL shows 2008, without the log files


def test_copies_of_landed_files_go_with_their_issues(athena_lake: Lake, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    issues = jira.load(athena_lake, "jiralake.jira_raw")
    assert list(tmp_path.iterdir()) == []
    assert len(issues.raw()) == 109
    assert len(list(tmp_path.glob("datalake-kit-jira-*/lake/jiralake/jira_raw/**/*.parquet"))) == 34
    del issues
    gc.collect()
    assert list(tmp_path.glob("datalake-kit-jira-*")) == []
