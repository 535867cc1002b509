"""The queries of sql/jira give what the package gives."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from datalake_kit import jira
from datalake_kit.demo import jira_raw
from datalake_kit.lake import Lake, connect


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    root = tmp_path_factory.mktemp("lake")
    jira_raw.build(root / "jiralake" / "jira_raw")
    return connect(root)


def test_newest_issues_are_those_of_the_loader(lake: Lake) -> None:
    by_sql = lake.query("jira/newest_issues", table="jiralake.jira_raw").set_index("id")
    frame = jira.load(lake, "jiralake.jira_raw").frame().set_index("id")
    assert set(by_sql.index) == set(frame.index)
    keys = by_sql["key"].to_dict()
    assert keys == frame["key"].to_dict()
    for number, text in by_sql["fields"].items():
        assert frame.loc[number, "updated"] == pd.Timestamp(json.loads(text)["updated"]), number


def test_what_is_set_aside_is_in_no_version(lake: Lake) -> None:
    rejected = jira.load(lake, "jiralake.jira_raw").rejects
    by_sql = lake.query("jira/newest_issues", table="jiralake.jira_raw")
    assert len(rejected) == 2
    assert by_sql["id"].notna().all()
    assert by_sql["fields"].map(lambda text: isinstance(json.loads(text), dict)).all()
