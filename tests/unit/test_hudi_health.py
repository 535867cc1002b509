"""`dk.hudi.health` over a lake, and its result: shown, turned into plain values, told in words."""

from __future__ import annotations

import inspect
import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import datalake_kit as dk
from datalake_kit.errors import EngineError, HudiError, ParameterError, TableNotFoundError
from datalake_kit.hudi import findings
from datalake_kit.hudi.checkup import health_of
from datalake_kit.hudi.examined import duration
from tests.replication import lake_of, odp_table, public_table


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> dk.Lake:
    tables = {
        "good": odp_table("tables/v6_table_4"),
        "moved": odp_table("tables/v8_table_2"),
        "broken": odp_table("damaged/v6_table_1_base_deleted"),
        "empty": public_table("cow/v6_empty"),
    }
    folder = lake_of(tmp_path_factory.mktemp("health") / "lake", tables)
    (folder / "taxi" / "plain").mkdir()
    shutil.copy(next((folder / "taxi" / "good").rglob("*.parquet")), folder / "taxi" / "plain" / "a.parquet")
    return dk.connect(folder)


def test_a_healthy_table_has_no_findings(lake: dk.Lake) -> None:
    health = dk.hudi.health(lake, "taxi.good")
    assert (health.ok, health.status, len(health.findings)) == (True, "healthy", 0)
    assert list(health.findings.columns) == list(findings.COLUMNS)
    assert repr(health) == "<Health of taxi.good: healthy>"
    assert "<table>" not in health._repr_html_()
    assert dk.hudi.health(lake, lake.table("taxi.empty")).ok


def test_the_level_hides_and_the_status_counts(lake: dk.Lake) -> None:
    shown = {level: len(dk.hudi.health(lake, "taxi.good", level=level).findings) for level in findings.SEVERITIES}
    assert shown == {"error": 0, "warning": 0, "info": 5}
    soon = datetime(2026, 11, 24, tzinfo=UTC)
    assert dk.hudi.health(lake, "taxi.moved", level="error", now=soon).status == "error"
    assert dk.hudi.health(lake, "taxi.moved", keys=False, now=soon).ok


def test_the_worst_comes_first_and_says_what_to_do(lake: dk.Lake) -> None:
    health = dk.hudi.health(lake, "taxi.broken", level="info")
    assert health.findings["severity"].tolist() == sorted(health.findings["severity"], key=findings.SEVERITIES.index)
    assert health.findings["name"].iloc[0] == "missing-base-file"
    assert health.findings["todo"].str.len().min() > 10
    assert health.headline.startswith("taxi.broken: error (missing-base-file, ")
    assert health.facts["commits"] == 4
    assert "assumed" in health.facts["times"]


def test_plain_values(lake: dk.Lake) -> None:
    told = dk.hudi.health(lake, "taxi.moved").to_dict()
    again = json.loads(json.dumps(told))
    assert again == told
    assert (again["status"], again["ok"], again["table"]) == ("error", False, "taxi.moved")
    assert again["findings"][0]["keys"][0] == "30"
    assert again["findings"][0]["count"] == 12


def test_html_is_escaped() -> None:
    found = [findings.Finding("not-checked", "warning", "<script>x</script>", keys=("<b>",))]
    shown = findings.result("<i>t</i>", found, {"location": "<u>"}, "info")._repr_html_()
    assert not [tag for tag in ("<script>", "<i>", "<u>", "<b><") if tag in shown]
    assert "&lt;script&gt;x&lt;/script&gt;" in shown
    assert "&lt;b&gt;" in shown


def test_every_name_is_documented_and_has_something_to_do() -> None:
    text = inspect.getdoc(dk.hudi.health) or ""
    named = set(re.findall(r"\b[a-z]+(?:-[a-z]+)+(?= \((?:[ewi]))", text))
    assert named == set(findings.TODO)
    sources = Path(inspect.getfile(findings)).parent
    used = set()
    for module in ("check_files", "check_commits", "check_keys", "checkup"):
        used |= set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', (sources / f"{module}.py").read_text()))
    assert used <= set(findings.TODO)


def test_what_is_refused(lake: dk.Lake, tmp_path: Path) -> None:
    with pytest.raises(HudiError, match=r"taxi\.plain is no Hudi table"):
        dk.hudi.health(lake, "taxi.plain")
    with pytest.raises(TableNotFoundError, match="Did you mean good"):
        dk.hudi.health(lake, "taxi.goood")
    with pytest.raises(TableNotFoundError, match="No Hudi table"):
        health_of(tmp_path)
    with pytest.raises(ParameterError, match="'fatal' is none of"):
        dk.hudi.health(lake, "taxi.good", level="fatal")
    with pytest.raises(ParameterError, match="no time zone"):
        dk.hudi.health(lake, "taxi.good", timezone="Mars/Olympus")
    table = shutil.copytree(odp_table("tables/v6_table_1"), tmp_path / "table")
    properties = table / ".hoodie" / "hoodie.properties"
    properties.write_text(properties.read_text().replace("hoodie.table.version=6", "hoodie.table.version=42"))
    with pytest.raises(HudiError, match="table version 42"):
        health_of(table)


@pytest.mark.parametrize("span", ["soon", "", "-1h", "6", " 6.5", 6, None, object()])
def test_spans_of_time_that_are_none(span: Any) -> None:
    with pytest.raises(ParameterError, match=r"inflight_limit=.* is no span of time"):
        duration(span, "inflight_limit")


@pytest.mark.parametrize(("span", "hours"), [("6h", 6), ("90min", 1.5), (timedelta(days=1), 24), ("0s", 0)])
def test_spans_of_time(span: Any, hours: float) -> None:
    assert duration(span, "inflight_limit") == timedelta(hours=hours)


@pytest.mark.parametrize(
    "options",
    [
        {"small_file_bytes": "1"},
        {"small_file_bytes": True},
        {"log_files": -1},
        {"log_files": None},
        {"keys": ["PK_ID"]},
        {"now": "2027-01-01"},
        {"inflight_limit": 6},
        {"inflight_limit": None},
    ],
)
def test_an_option_of_a_wrong_type_is_named(tmp_path: Path, options: dict[str, Any]) -> None:
    lake = dk.connect(lake_of(tmp_path, {"t": public_table("cow/v6_empty")}))
    with lake, pytest.raises(ParameterError, match=next(iter(options))):
        dk.hudi.health(lake, "taxi.t", **options)


@pytest.mark.parametrize("verb", [dk.hudi.health, dk.hudi.timeline])
def test_what_is_no_lake_and_a_closed_lake_are_refused(tmp_path: Path, verb: Any) -> None:
    lake = dk.connect(lake_of(tmp_path, {"t": public_table("cow/v6_empty")}))
    lake.close()
    with pytest.raises(EngineError, match="closed"):
        verb(lake, "taxi.t")
    with pytest.raises(ParameterError, match=r"dk\.connect"):
        verb(str(tmp_path), "taxi.t")
