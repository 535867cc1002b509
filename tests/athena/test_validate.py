"""dk.cdc.validate gives on Athena what it gives on the folder: digests are computed there, few rows are fetched."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from datalake_kit import cdc
from datalake_kit.cdc.result import Validation
from datalake_kit.lake import Lake
from tests.athena_server import Server

pytestmark = [
    pytest.mark.external,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:taxi.*Hudi table:UserWarning"),  # held in test_athena_catalog
]


def both(folder_lake: Lake, athena_lake: Lake, demo_lake: Path, **options: object) -> tuple[Validation, Validation]:
    """The same validation on both."""
    staging = demo_lake / "_raw" / "staging"
    here, there = (cdc.validate(lake, staging=staging, **options) for lake in (folder_lake, athena_lake))  # type: ignore[arg-type]
    return here, there


@pytest.mark.parametrize("level", ["counts", "values"])
def test_every_table_of_the_demo_gets_the_same_verdict(
    folder_lake: Lake, athena_lake: Lake, demo_lake: Path, level: str
) -> None:
    here, there = both(folder_lake, athena_lake, demo_lake, level=level)
    pd.testing.assert_frame_equal(there.summary, here.summary)
    pd.testing.assert_frame_equal(there.findings, here.findings)
    pd.testing.assert_frame_equal(there.by_file, here.by_file)
    assert there.sentence == here.sentence
    assert there.provenance["engine"] == "athena"
    told = there.checks.set_index("table")["check"]
    assert "8, and AWS documents none newer than 6" in " ".join(told["taxi.table_2"])
    assert "shows a merge-on-read table read-optimised" in " ".join(told["taxi.table_10"])
    digests = told[told.str.startswith("compared by digests that Athena computed")]
    fetched = {name: int(text.rsplit(" ", 1)[1]) for name, text in digests.items()}
    assert fetched["taxi.table_8"] == 3
    if level == "values":
        assert fetched["taxi.table_1"] == 0
        assert fetched["taxi.table_6"] == 0  # its 70 missing keys have no rows to fetch


def test_only_rows_that_differ_are_read_from_athena(athena_lake: Lake, demo_athena: Server, demo_lake: Path) -> None:
    check = cdc.validate(athena_lake, ["taxi.table_8"], staging=demo_lake / "_raw" / "staging", level="values")
    assert check.summary["changed"].tolist() == [3]
    asked = [body for operation, body in demo_athena.requests if operation == "StartQueryExecution"]
    whole = [text for text in asked if "SELECT * FROM" in text and "WHERE" not in text]
    assert whole == []
    assert any("md5(" in text for text in asked)


def test_a_tolerance_fetches_all_rows_and_says_so(folder_lake: Lake, athena_lake: Lake, demo_lake: Path) -> None:
    options = {"tables": ["taxi.table_8"], "level": "values", "tolerance": {"fare_amount": 0.01}}
    here, there = both(folder_lake, athena_lake, demo_lake, **options)
    pd.testing.assert_frame_equal(there.summary, here.summary)
    assert there.checks["check"].str.contains("all rows were fetched from Athena: a tolerance").any()


def test_a_cut_is_the_same_on_both(folder_lake: Lake, athena_lake: Lake, demo_lake: Path) -> None:
    options = {"tables": ["taxi.table_1", "taxi.table_6"], "until": "2026-03-01T10:05:00"}
    here, there = both(folder_lake, athena_lake, demo_lake, **options)
    pd.testing.assert_frame_equal(there.summary, here.summary)
    pd.testing.assert_frame_equal(there.findings, here.findings)


def test_masked_values_stay_masked(folder_lake: Lake, athena_lake: Lake, demo_lake: Path) -> None:
    options = {"tables": ["taxi.table_8"], "level": "values", "mask": ["PK_ID", "fare_amount", "total_amount"]}
    here, there = both(folder_lake, athena_lake, demo_lake, **options)
    pd.testing.assert_frame_equal(there.findings, here.findings)


def test_a_file_gone_from_s3_is_named(athena_lake: Lake, demo_athena: Server, demo_lake: Path) -> None:
    from datalake_kit import hudi

    files = [str(f) for f in athena_lake.table("taxi.table_5").files()]
    key = files[0].removeprefix("s3://lake/")
    s3 = demo_athena.client("s3")
    kept = s3.get_object(Bucket="lake", Key=key)["Body"].read()
    s3.delete_object(Bucket="lake", Key=key)
    try:
        check = cdc.validate(athena_lake, ["taxi.table_5"], staging=demo_lake / "_raw" / "staging")
        assert not check.ok
        assert files[0].rsplit("/", 1)[1] in " ".join(check.findings["file"].dropna())
        assert check.checks["check"].str.contains("files of its newest snapshot are gone or cut").any()
    finally:
        s3.put_object(Bucket="lake", Key=key, Body=kept)
    assert hudi.count(athena_lake, "taxi.table_5") == 294
