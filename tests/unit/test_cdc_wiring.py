"""validate with everything that users have beside the files: configuration, trackers, DMS's own tables, the source."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import datalake_kit as dk
from datalake_kit.cli import app
from datalake_kit.errors import NotFoundError, ParameterError, UnreadableFileError
from tests.replication import lake_of, odp_table

WITHHELD = "20260301-101207737.parquet"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """table_1 is sound, table_6 lacks a change file, table_9 is historical."""
    tables = {
        "table_1": "tables/v6_table_1",
        "table_6": "damaged/v6_table_1_withheld",
        "table_9": "tables/v8_table_10_history",
    }
    staged = {"table_1": "table_1", "table_6": "table_1", "table_9": "table_10"}
    return lake_of(
        tmp_path_factory.mktemp("wiring") / "lake", {n: odp_table(z) for n, z in tables.items()}, staged=staged
    )


def item(table: str, **more: Any) -> dict[str, Any]:
    return {
        "refresh_cadence": "10_min_refresh",
        "source_table_name": f"taxi_trips_{table}",
        "raw_database_name": "taxi",
        "raw_table_name": table,
        "hudi_primary_key": "PK_ID",
        "hudi_precombine_field": "CDC_TIMESTAMP_SEQ",
        "hudi_partition_key": "VENDORID",
        "hudi_table_type": "copy_on_write",
        "table_storage_type": "hudi",
        "is_active": "Y",
        "table_data_versioning_type": "S",
        **more,
    }


def typed(plain: dict[str, Any]) -> dict[str, Any]:
    return {name: {"S": value} for name, value in plain.items()}


def tracked(status: str, name: str = WITHHELD, table: str = "table_6", **more: Any) -> dict[str, Any]:
    return {
        "source_table_name": f"taxi_trips_{table}",
        "file_id": name,
        "file_ingestion_path": f"taxi_trips/{table}/2026/03/01/{name}",
        "file_ingestion_date_time": "2026-03-01 10:12:08",
        "dms_file_type": "Incremental",
        "schema_name": "taxi_trips",
        "table_name": table,
        "file_ingestion_status": status,
        **more,
    }


# --- configuration


@pytest.mark.parametrize("write", [lambda items: items, lambda items: {"Items": [typed(i) for i in items]}])
def test_the_frameworks_configuration_says_tables_keys_and_modes(folder: Path, tmp_path: Path, write: Any) -> None:
    history = {"hudi_primary_key": "PK_ID,CDC_TIMESTAMP_SEQ", "table_data_versioning_type": "H"}
    items = [item("table_1"), item("table_9", **history), item("table_6", is_active="N")]
    (tmp_path / "config.json").write_text(json.dumps(write(items)))
    with dk.connect(folder) as lake:
        check = dk.cdc.validate(lake, config=tmp_path / "config.json", level="values")
    assert check.summary[["table", "mode", "verdict"]].values.tolist() == [
        ["taxi.table_1", "S", "equal"],
        ["taxi.table_9", "H", "equal"],
    ]
    assert "table_6" in check.provenance["configuration"]


def test_only_tables_of_one_cadence_and_a_table_that_is_not_there(folder: Path) -> None:
    items = [item("table_1"), item("table_6", refresh_cadence="daily"), item("table_77", refresh_cadence="daily")]
    with dk.connect(folder) as lake:
        check = dk.cdc.validate(lake, config=items, cadence="daily")
        assert check.summary.set_index("table")["verdict"].to_dict() == {
            "taxi.table_6": "different",
            "taxi.table_77": "not compared",
        }
        with pytest.raises(NotFoundError, match="daily"):
            dk.cdc.validate(lake, config=items, cadence="dayly")


# --- lag and loss


def test_a_change_that_waits_is_lag_and_one_marked_processed_is_lost(folder: Path, tmp_path: Path) -> None:
    with dk.connect(folder) as lake:
        waits = dk.cdc.validate(lake, ["taxi.table_6"], trackers=[tracked("raw_file_landed")], level="values")
        lost = dk.cdc.validate(lake, ["taxi.table_6"], trackers=[tracked("raw_file_processed")], level="values")
    assert waits.ok
    assert waits.summary["lag"].tolist() == [70]
    assert waits.summary["missing"].tolist() == [0]
    assert waits.lag["file"].str.endswith(WITHHELD).all()
    assert waits.lag["rows"].tolist() == [70]
    assert not lost.ok
    assert lost.summary["missing"].tolist() == [70]
    assert lost.lag.empty


def test_a_change_that_waits_too_long_is_a_difference(folder: Path) -> None:
    landed = datetime.now(UTC) - timedelta(hours=5)
    items = [tracked("raw_file_landed", file_ingestion_date_time=f"{landed:%Y-%m-%d %H:%M:%S}")]
    with dk.connect(folder) as lake:
        within = dk.cdc.validate(lake, ["taxi.table_6"], trackers=items, max_lag="6h", level="values")
        beyond = dk.cdc.validate(lake, ["taxi.table_6"], trackers=items, max_lag=timedelta(hours=4), level="values")
        with pytest.raises(ParameterError, match="soon"):
            dk.cdc.validate(lake, max_lag="soon")
    assert within.ok
    assert beyond.status == "different"
    assert "longer than max_lag" in beyond.sentence
    assert "5 hours" in beyond.sentence


# --- what DMS says


def test_a_table_of_which_dms_itself_reports_failures_is_not_equal(folder: Path) -> None:
    failures = pd.DataFrame(
        {
            "TASK_NAME": "t",
            "TABLE_OWNER": "taxi_trips",
            "TABLE_NAME": ["table_1", "table_2"],
            "FAILURE_TIME": "2026-03-01 10:20:00",
            "KEY_TYPE": "Row",
            "KEY": '{"key": ["77"]}',
            "FAILURE_TYPE": "RECORD_DIFF",
            "DETAILS": "[[{'FARE_AMOUNT': '1.0'}]]",
        }
    )
    with dk.connect(folder) as lake:
        check = dk.cdc.validate(lake, ["taxi.table_1", "taxi.table_9"], evidence=failures)
    assert check.different == ["taxi.table_1"]
    finding = check.findings.iloc[0]
    assert (finding["hop"], finding["kind"]) == ("source -> expected", "unverified")
    assert "77" in str(finding["key"])
    assert "1 record differs" in check.sentence


def test_large_objects_that_end_at_the_limit_are_told(tmp_path: Path) -> None:
    rows = pd.DataFrame({"ID": range(5), "NOTE": ["x" * 1024, "y" * 1024, "short", "z" * 1000, ""]})
    (tmp_path / "lake/shop/orders").mkdir(parents=True)
    (tmp_path / "lake/_raw/staging/shop/orders").mkdir(parents=True)
    rows.to_parquet(tmp_path / "lake/shop/orders/a.parquet")
    rows.to_parquet(tmp_path / "lake/_raw/staging/shop/orders/LOAD00000001.parquet")
    with dk.connect(tmp_path / "lake") as lake:
        assert dk.cdc.validate(lake, ["shop.orders"], keys="ID", level="values").ok
        check = dk.cdc.validate(
            lake, ["shop.orders"], keys="ID", level="values", settings=dk.cdc.DmsSettings(lob_max_kb=1)
        )
    assert check.status == "different"
    assert check.findings["column"].tolist() == ["NOTE"]
    assert "2 values of NOTE" in check.sentence


# --- the source


def test_a_source_is_judged_apart_from_the_lake(folder: Path) -> None:
    with dk.connect(folder) as lake:
        source = dk.hudi.read(lake, "taxi.table_1")
        one_less = source[source["PK_ID"] != 5].copy()
        one_less.loc[one_less["PK_ID"] == 6, "FARE_AMOUNT"] += 1
        both = dk.cdc.validate(
            lake,
            ["taxi.table_1", "taxi.table_6"],
            source={"taxi.table_1": one_less, "taxi.table_6": source},
            level="values",
        )
        with pytest.raises(ParameterError, match="mapping"):
            dk.cdc.validate(lake, ["taxi.table_1", "taxi.table_6"], source=source)
    found = both.findings[both.findings["table"] == "taxi.table_1"].set_index("key")
    assert set(found["hop"]) == {"source -> expected"}
    assert found["kind"].to_dict() == {5: "extra", 6: "changed"}
    lost = both.findings[both.findings["table"] == "taxi.table_6"]
    assert set(lost["hop"]) == {"expected -> lake"}
    assert len(lost) == 70
    assert both.summary["source"].tolist() == [2199, 2200]


def test_without_staging_files_the_lake_is_held_against_the_source(folder: Path, tmp_path: Path) -> None:
    lake_only = tmp_path / "lake"
    lake_of(lake_only, {"table_6": odp_table("damaged/v6_table_1_withheld")})
    with dk.connect(folder) as lake:
        source = dk.hudi.read(lake, "taxi.table_1")
    with dk.connect(lake_only) as lake:
        check = dk.cdc.validate(lake, ["taxi.table_6"], source=source, level="values")
        with pytest.raises(UnreadableFileError, match="staging"):
            dk.cdc.validate(lake, ["taxi.table_6"])
    assert check.summary[["source", "lake", "missing"]].values.tolist() == [[2200, 2130, 70]]
    assert set(check.findings["hop"]) == {"source -> lake"}
    assert check.summary["expected"].isna().all()


# --- a cut


def test_changes_after_the_cut_are_left_out_on_both_sides(folder: Path) -> None:
    with dk.connect(folder) as lake:
        files = dk.cdc.files(folder / "_raw/staging")
        own = files[(files["table"] == "table_1") & (files["kind"] == "change")].sort_values("time")
        cut = own["last_sequence"].iloc[0]
        check = dk.cdc.validate(lake, ["taxi.table_1"], until=cut, level="values")
        lost = dk.cdc.validate(lake, ["taxi.table_6"], until=own["last_sequence"].iloc[1], level="values")
    assert check.ok
    assert check.summary["expected"].tolist() == [2090]
    assert check.summary["lag"].tolist() == [110]
    assert lost.summary["missing"].tolist() == [70]


# --- masks and tolerances


def test_masked_values_are_compared_and_never_shown(folder: Path, tmp_path: Path) -> None:
    with dk.connect(folder) as lake:
        source = dk.hudi.read(lake, "taxi.table_1")
        source.loc[source["PK_ID"] == 6, "FARE_AMOUNT"] = 987654.25
        check = dk.cdc.validate(lake, ["taxi.table_1"], source=source, level="values", mask=["FARE_AMOUNT"])
        near = dk.cdc.validate(
            lake, ["taxi.table_1"], source=source, level="values", tolerance={"FARE_AMOUNT": 1_000_000}
        )
    assert check.summary["changed"].tolist() == [1]
    for text in (check.to_html(), check.to_markdown(), json.dumps(check.to_dict()), repr(check)):
        assert "987654" not in text
    assert near.ok
    assert near.checks["tolerance"].astype(str).str.contains("1000000").any()


# --- the command line


def test_the_command_line_has_the_same_options(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps([item("table_1"), item("table_6")]))
    (tmp_path / "tracker.json").write_text(json.dumps([tracked("raw_file_landed")]))
    given = ["--config", tmp_path / "config.json", "--tracker", tmp_path / "tracker.json", "--level", "values"]
    given += ["--history", tmp_path / "kept", "--mask", "FARE_AMOUNT", "--tolerance", "0.001", "--json"]
    done = CliRunner().invoke(app, ["validate", "--lake", str(folder), *map(str, given)])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert [row["lag"] for row in told["summary"]] == [None, 70] or [row["lag"] for row in told["summary"]] == [0, 70]
    assert len(pq.ParquetFile(next((tmp_path / "kept/validations").glob("*.parquet"))).read()) == 2
    late = CliRunner().invoke(app, ["validate", "--lake", str(folder), *map(str, given), "--max-lag", "1min"])
    assert late.exit_code == 1


def test_health_on_the_command_line(folder: Path) -> None:
    done = CliRunner().invoke(app, ["health", "taxi.table_1", "--lake", str(folder)])
    assert (done.exit_code, done.output.strip()) == (0, "taxi.table_1: healthy")
    told = CliRunner().invoke(app, ["health", "taxi.table_9", "--lake", str(folder), "--json"])
    assert json.loads(told.output)["taxi.table_9"]["status"] in ("healthy", "warning")
    assert CliRunner().invoke(app, ["health", "taxi.table_99", "--lake", str(folder)]).exit_code == 2


def test_a_column_that_the_source_lacks_is_not_passed_over(folder: Path) -> None:
    with dk.connect(folder) as lake:
        source = dk.hudi.read(lake, "taxi.table_1")
        without = source.drop(columns=["FARE_AMOUNT", "CDC_OPERATION", "CDC_TIMESTAMP_SEQ"])
        check = dk.cdc.validate(lake, ["taxi.table_1"], source=without, level="values")
        whole = dk.cdc.validate(lake, ["taxi.table_1"], source=source, level="values")
    assert whole.ok
    assert check.status == "not compared"
    assert check.findings["column"].tolist() == ["FARE_AMOUNT"]
    assert "FARE_AMOUNT is not in the source and cannot be compared: 2200 rows have a value" in check.sentence


def test_a_source_that_is_none_is_refused(folder: Path) -> None:
    with dk.connect(folder) as lake, pytest.raises(ParameterError, match=r"gives None"):
        dk.cdc.validate(lake, ["taxi.table_1"], source={"taxi.table_1": None})


def test_a_run_that_failed_is_said_of_a_table_that_differs(folder: Path) -> None:
    run = {
        "raw_table_name": "table_6",
        "glue_job_run_id": "jr_1",
        "refresh_status": "refresh_error",
        "refresh_start_time": "2026-03-01 10:30:00",
        "error_msg": "out of memory",
    }
    with dk.connect(folder) as lake:
        check = dk.cdc.validate(
            lake, ["taxi.table_6", "taxi.table_1"], trackers=[tracked("raw_file_processed"), run], level="values"
        )
    why = check.summary.set_index("table")["explanation"]
    assert "out of memory" in why["taxi.table_6"]
    assert "out of memory" not in why["taxi.table_1"]
