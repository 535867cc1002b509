"""Business names to column names and back."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit import jira
from datalake_kit.errors import DataError
from datalake_kit.jira._reserved import RESERVED_WORDS
from datalake_kit.jira.names import Claims, FieldInfo, column_base, read_fields, snake_case


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("Story Points", "story_points"),
        ("[CHART] Time in Status", "chart_time_in_status"),
        ("🚀 Release train", "release_train"),
        ("fixVersions", "fix_versions"),
        ("SLAGoal", "sla_goal"),
        ("Größe", "grosse"),
        ("Ünïcode", "unicode"),
        ("a--b__c  d", "a_b_c_d"),
        ("  ", ""),
        ("🚀🚀", ""),
        ("故事点", ""),
        ("Σ Progress", "progress"),
    ],
)
def test_snake_case(name: str, column: str) -> None:
    assert snake_case(name) == column


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("Order", "order_field"),  # reserved in Athena
        ("TABLE", "table_field"),
        ("3rd party", "field_3rd_party"),
        ("🚀", "customfield_10071"),
        ("", "customfield_10071"),
        (None, "customfield_10071"),
        ("故事点", "customfield_10071"),
    ],
)
def test_a_name_that_cannot_be_one_has_a_safe_column(name: str | None, column: str) -> None:
    assert column_base(FieldInfo("customfield_10071", name)) == column


def test_a_long_name_is_cut_and_keeps_its_number() -> None:
    one = column_base(FieldInfo("customfield_10001", "word " * 80 + "one"))
    two = column_base(FieldInfo("customfield_10002", "word " * 80 + "two"))
    assert one != two
    assert one.endswith("_10001")
    assert len(f"{one}_remaining_estimate_seconds".encode()) <= 255


def frame_of(fields: dict[str, object], names: object) -> pd.DataFrame:
    return jira.unpack_fields(pd.DataFrame({"id": ["1"], "fields": [json.dumps(fields)]}), names=names)


def test_two_fields_of_one_name_and_the_older_keeps_it() -> None:
    fields = {"customfield_10070": 1, "customfield_10024": 2, "customfield_9": 3}
    frame = frame_of(fields, dict.fromkeys(fields, "Story Points"))
    assert frame.to_dict("records") == [
        {"id": "1", "story_points": 3, "story_points_10024": 2, "story_points_10070": 1}
    ]


def test_a_field_without_value_keeps_its_name_for_later() -> None:
    names = {"customfield_1": "Points", "customfield_2": "points"}
    assert list(frame_of({"customfield_1": None, "customfield_2": 5}, names)) == ["id", "points_2"]
    assert list(frame_of({"customfield_1": 4, "customfield_2": 5}, names)) == ["id", "points", "points_2"]


def test_no_custom_field_takes_the_column_of_a_field_of_jira() -> None:
    names = {
        "customfield_1": "Status",
        "customfield_2": "Status category",
        "customfield_3": "ID",
        "customfield_4": "Key",
    }
    assert list(frame_of(dict.fromkeys(names, "x"), names)) == ["id", "status_1", "status_category_2", "id_3", "key_4"]


def test_a_part_of_one_field_is_not_the_name_of_another() -> None:
    person = {"displayName": "A", "accountId": "5"}
    names = {"customfield_1": "Reviewer", "customfield_2": "Reviewer account id"}
    frame = frame_of({"customfield_1": person, "customfield_2": "x"}, names)
    assert list(frame) == ["id", "reviewer", "reviewer_account_id", "reviewer_account_id_2"]


def test_keys_that_differ_in_letters_only_are_both_there() -> None:
    frame = frame_of({"Thing": "a", "thing": "b", "THING": "c"}, None)
    assert sorted(v for v in frame.iloc[0][1:]) == ["a", "b", "c"]
    assert len({c.casefold() for c in frame}) == 4


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.text(max_size=300) | st.sampled_from(["Status", "order", "Story Points", "1"]), min_size=1, max_size=12)
)
def test_columns_are_safe_and_no_two_are_one(business: list[str]) -> None:
    names = {f"customfield_{10000 + n}": name for n, name in enumerate(business)}
    frame = frame_of(dict.fromkeys(names, 1.5), names)
    columns = [c for c in frame if c != "id"]
    assert len({c.casefold() for c in columns}) == len(names)
    for column in columns:
        assert re.fullmatch(r"[a-z_][a-z0-9_]*", column)
        assert len(column.encode()) <= 255
        assert column not in RESERVED_WORDS
    there = jira.names(frame).set_index("field")["name"].to_dict()
    assert there == {field: name or field for field, name in names.items()}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["Points", "points", "Status", "Team", "🚀"]), min_size=1, max_size=8, unique=False))
def test_a_later_field_never_changes_the_column_of_an_older_one(business: list[str]) -> None:
    names = {f"customfield_{n}": name for n, name in enumerate(business)}
    before = jira.names(frame_of(dict.fromkeys(names, "x"), names))
    more = names | {"customfield_99": business[0], "customfield_98": "Team"}
    after = jira.names(frame_of(dict.fromkeys(more, "x"), more))
    assert (
        dict(zip(after["field"], after["column"], strict=True)).items()
        >= dict(zip(before["field"], before["column"], strict=True)).items()
    )


def test_claims_go_by_folded_letters() -> None:
    claims = Claims(["ID"])
    assert claims.claim("id", [""], "7") == "id_7"
    assert claims.claim("id", [""], "7") == "id_7_2"


# --- what the user knows of the fields ------------------------------------------------------------------------------

RECORDS = [
    {"id": "customfield_1", "name": "Points", "custom": True, "schema": {"type": "number", "custom": "x:float"}},
    {"id": "summary", "name": "Summary", "custom": False, "schema": {"type": "string", "system": "summary"}},
]


def forms(folder: Path) -> dict[str, object]:
    frame = pd.DataFrame(RECORDS).assign(schema=[json.dumps(r["schema"]) for r in RECORDS])
    (folder / "f.json").write_text(json.dumps(RECORDS))
    (folder / "m.json").write_text(json.dumps({"names": {"customfield_1": "Points"}, "schema": {}}))
    frame.to_csv(folder / "f.csv", index=False)
    pq.write_table(pa.Table.from_pylist(RECORDS), folder / "f.parquet")

    class Table:
        """As a table of a lake gives its rows."""

        def arrow(self) -> pa.Table:
            return pa.Table.from_pylist(RECORDS)

    return {
        "mapping": {"customfield_1": "Points"}, "records of a mapping": {"customfield_1": {"name": "Points"}},
        "records": RECORDS, "frame": frame, "arrow": pa.Table.from_pylist(RECORDS), "table": Table(),
        "json": folder / "f.json", "document": folder / "m.json", "csv": str(folder / "f.csv"),
        "parquet": folder / "f.parquet", "upper case": pd.DataFrame({"ID": ["customfield_1"], "Name": ["Points"]}),
    }  # fmt: skip


def test_every_form_of_names_is_read(tmp_path: Path) -> None:
    for form, given_names in forms(tmp_path).items():
        assert read_fields(given_names)["customfield_1"].name == "Points", form


@pytest.mark.parametrize("form", ["records", "frame", "arrow", "table", "json", "csv", "parquet"])
def test_the_schema_comes_along(tmp_path: Path, form: str) -> None:
    assert read_fields(forms(tmp_path)[form])["customfield_1"].custom == "x:float"


@pytest.mark.parametrize(
    "wrong", [5, "no-such-file.json", [{"name": "without id"}], ["text"], {"customfield_1": 5}, b"x"]
)
def test_wrong_names_say_so(wrong: object) -> None:
    with pytest.raises(DataError):
        read_fields(wrong)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "names.xml").write_text("<x/>")
    with pytest.raises(DataError, match=r"names\.xml"):
        read_fields(tmp_path / "names.xml")


# --- the way back ---------------------------------------------------------------------------------------------------


def named_frame() -> pd.DataFrame:
    fields = {
        "summary": "x",
        "customfield_1": {"displayName": "A", "accountId": "5"},
        "customfield_2": 1,
        "customfield_3": 2,
    }
    names = {"customfield_1": "Reviewer", "customfield_2": "Points", "customfield_3": "Points"}
    return frame_of(fields, names)


def test_rename_goes_to_business_names_and_back() -> None:
    frame = named_frame()
    business = jira.rename(frame)
    assert list(business) == [
        "id", "summary", "Reviewer", "Reviewer: account id", "Points (customfield_2)", "Points (customfield_3)",
    ]  # fmt: skip
    ids = jira.rename(business, to="fields")
    assert list(ids) == ["id", "summary", "customfield_1", "customfield_1.account_id", "customfield_2", "customfield_3"]
    pd.testing.assert_frame_equal(jira.rename(ids, to="columns"), frame)


def test_rename_says_where_it_can_go() -> None:
    with pytest.raises(DataError, match="fields"):
        jira.rename(named_frame(), to="field")


def test_the_mapping_survives_a_parquet_file_and_a_filter(tmp_path: Path) -> None:
    frame = named_frame()
    frame[frame["points"] > 0].to_parquet(tmp_path / "x.parquet")
    back = pd.read_parquet(tmp_path / "x.parquet")
    pd.testing.assert_frame_equal(jira.names(back), jira.names(frame))


def test_a_frame_without_mapping_says_so() -> None:
    with pytest.raises(DataError, match="carries no names"):
        jira.names(pd.DataFrame({"id": ["1"]}))
