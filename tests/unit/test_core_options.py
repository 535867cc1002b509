"""Options of a statement that concern Athena, on the local engine: taken where that is honest, refused elsewhere."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from datalake_kit import errors
from datalake_kit.lake import Lake, connect


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake folder."""
    return connect(tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"max_scan": 1},
        {"max_scan": "10 GB"},
        {"max_age": dt.timedelta(minutes=5)},
        {"unload": True},
        {"unload": False},
        {"progress": True},
    ],
)
def test_what_changes_no_answer_is_taken(lake: Lake, options: dict[str, Any]) -> None:
    assert lake.sql("SELECT 1 AS one", **options)["one"].tolist() == [1]
    assert lake.arrow("SELECT 1 AS one", **options).num_rows == 1
    assert lake.batches("SELECT 1 AS one", **options).read_all().num_rows == 1


def test_what_is_not_kept_is_refused(lake: Lake) -> None:
    with pytest.raises(errors.ParameterError, match="timeout= is for Athena"):
        lake.sql("SELECT 1 AS one", timeout=5)


@pytest.mark.parametrize("options", [{"max_scan": "x"}, {"max_age": "x"}, {"unload": 1.5}, {"progress": "x"}])
def test_nonsense_is_refused_as_on_athena(lake: Lake, options: dict[str, Any]) -> None:
    with pytest.raises(errors.ParameterError, match=next(iter(options))):
        lake.sql("SELECT 1 AS one", **options)


def test_an_option_that_is_a_parameter_goes_into_params(lake: Lake) -> None:
    frame = lake.sql("SELECT :timeout AS t, :progress AS p", params={"timeout": 5, "progress": "x"})
    assert frame.iloc[0].tolist() == [5, "x"]


def test_the_local_engine_costs_nothing(lake: Lake) -> None:
    lake.sql("SELECT 1 AS one")
    assert (lake.costs.queries, lake.costs.cost) == (0, 0.0)
    assert lake.last_query is not None
    assert lake.last_query.state == "SUCCEEDED"
    assert lake.last_query.cost is None
