"""Business names to column names and back."""

from __future__ import annotations

import json
import random
import re
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit import jira
from datalake_kit.errors import DataError
from datalake_kit.jira.fields._reserved import RESERVED_WORDS
from datalake_kit.jira.fields.names import ATTRIBUTE, Claims, FieldInfo, column_base, read_fields, snake_case


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


@settings(max_examples=15, deadline=None)
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


@settings(max_examples=15, deadline=None)
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


NAMES = st.text(max_size=40) | st.sampled_from(
    ["Status", "status category", "Reviewer", "Reviewer account id", "order", "1", "🚀", "ID", "Team", "team", "TEAM"]
)


@settings(max_examples=15, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=8), st.lists(NAMES, max_size=4), st.randoms(use_true_random=False))
def test_columns_depend_neither_on_the_order_of_anything_nor_on_later_fields(
    business: list[str], later: list[str], rng: random.Random
) -> None:
    names = {f"customfield_{10 + n}": name for n, name in enumerate(business)}
    more = names | {f"customfield_{100 + n}": name for n, name in enumerate(later)}
    before = columns_by_field(dict.fromkeys(names, "x"), names)
    shuffled = list(more.items())
    rng.shuffle(shuffled)
    after = columns_by_field(dict.fromkeys([key for key, _ in reversed(shuffled)], "x"), dict(shuffled))
    assert {key: after[key] for key in names} == before


def columns_by_field(fields: dict[str, object], names: dict[str, str]) -> dict[str, str]:
    mapping = jira.names(frame_of(fields, names))
    return dict(zip(mapping["field"], mapping["column"], strict=True))


def test_a_person_without_address_takes_no_other_name_than_one_with() -> None:
    names = [
        {"id": "customfield_1", "name": "Reviewer", "schema": {"type": "user", "custom": "x:userpicker"}},
        {"id": "customfield_2", "name": "Reviewer email"},
    ]
    person = {"displayName": "A", "accountId": "5"}
    for value in (None, person, person | {"emailAddress": "a@b.c"}):
        frame = frame_of({"customfield_1": value, "customfield_2": "x"}, names)
        assert frame["reviewer_email_2"][0] == "x", value


def test_ids_that_athena_folded_are_named() -> None:
    names = {"fixVersions": "Fix versions", "CUSTOMFIELD_10024": "Story Points"}
    frame = frame_of({"fixversions": [{"name": "1"}], "customfield_10024": 5}, names)
    assert list(frame) == ["id", "fix_versions", "story_points"]
    assert jira.names(frame)["name"].to_list() == ["Fix versions", "Story Points"]


def test_twenty_thousand_names_are_taken_and_cost_little() -> None:
    names = {f"customfield_{n}": f"Points {n % 50} " + "x" * (n % 400) for n in range(20_000)}
    started = time.process_time()
    frame = frame_of({"customfield_7": 1, "customfield_19999": 2, "summary": "x"}, names)
    assert time.process_time() - started < 10
    assert len(frame.columns) == 4
    assert frame_of({"customfield_1": 1}, {"customfield_1": "long " * 1_000_000}).columns[1].endswith("_1")


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
        "parquet": folder / "f.parquet", "page": {"values": RECORDS, "total": 2},
        "upper case": pd.DataFrame({"ID": ["customfield_1"], "Name": ["Points"]}),
    }  # fmt: skip


def test_every_form_of_names_is_read(tmp_path: Path) -> None:
    for form, given_names in forms(tmp_path).items():
        assert read_fields(given_names)["customfield_1"].name == "Points", form


@pytest.mark.parametrize("form", ["records", "frame", "arrow", "table", "json", "csv", "parquet"])
def test_the_schema_comes_along(tmp_path: Path, form: str) -> None:
    assert read_fields(forms(tmp_path)[form])["customfield_1"].custom == "x:float"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (5, "not int"),
        (b"x", "not bytes"),
        ("no-such-file.json", "not there: no-such-file"),
        (["text"], "'text'"),
        ([{"name": "without id"}], "record without id"),
        ([{"id": "customfield_1", "label": "x"}], "record without name"),
        ({"customfield_1": 5}, "5 for customfield_1"),
        ({"customfield_1": ["a"]}, "must be text"),
        ({10024: "Points"}, "'customfield_10024'"),
        ([{"id": 10024, "name": "Points"}], "'customfield_10024'"),
        ({"Story Points": "customfield_10024"}, "wrong way round"),
        ({"Story Points": "SP", "Start date": "SD"}, "no id of a field"),
        (pd.DataFrame({"id": ["customfield_1"], "label": ["x"]}), "without the column name; it has: id, label"),
        (pd.DataFrame({"title": ["x"]}), "without the column id and name"),
        (pa.table({"name": ["x"]}), "without the column id"),
    ],
)
def test_wrong_names_say_so(wrong: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_fields(wrong)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("f.json", b"{"), ("f.json", b"\xff\xfe"), ("f.json", b"[" * 100_000), ("f.json", b"5"), ("f.parquet", b"x"),
        ("f.csv", b""), ("f.csv", b"id;name\ncustomfield_1;Points\n"), ("f.csv", b"\xff"),
    ],
)  # fmt: skip
def test_a_broken_file_of_names_says_so(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match="names="):
        read_fields(tmp_path / name)


def test_a_csv_file_may_hold_lines_and_commas_within_names(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text('id,name\ncustomfield_1,"Points,\nold"\ncustomfield_2,\n')
    read = read_fields(tmp_path / "f.csv")
    assert (read["customfield_1"].name, read["customfield_2"].name) == ("Points,\nold", "")
    (tmp_path / "f.csv").write_text("id,name\n")
    assert read_fields(tmp_path / "f.csv") == {}


@pytest.mark.parametrize("brought", ["[1]", "5", '"x"', "nonsense", '{"customfield_1": 5}', None, "[" * 5000, "{}"])
def test_documents_that_bring_no_usable_names_are_read_without(brought: str | None) -> None:
    table = pd.DataFrame({"id": ["1"], "fields": ['{"customfield_1": 2}'], "names": [brought], "schema": [brought]})
    assert jira.unpack_fields(table).to_dict("records") == [{"id": "1", "customfield_1": 2.0}]


def test_a_schema_of_strange_kinds_is_none() -> None:
    info = read_fields([{"id": "customfield_1", "name": "A", "schema": {"type": 5, "items": ["x"], "custom": None}}])
    assert info["customfield_1"] == FieldInfo("customfield_1", "A")


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


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        NAMES | st.sampled_from(["Reviewer: account id", "key", "sprint", "summary", "customfield_1.id", "n"]),
        min_size=1, max_size=6,
    ),
    st.permutations(["names", "fields", "columns"]),
)  # fmt: skip
def test_rename_goes_back_whatever_the_fields_are_called(business: list[str], ways: list[str]) -> None:
    names = {f"customfield_{1 + n}": name for n, name in enumerate(business)}
    person = {"displayName": "A", "accountId": "5", "emailAddress": "a@b.c"}
    fields = {"summary": "x", "sprint": {"name": "S", "state": "active", "boardId": 1}, "parent": {"key": "A-1"}}
    table = pd.DataFrame({"id": ["1"], "n": [5], "fields": [json.dumps(fields | dict.fromkeys(names, person))]})
    frame = jira.unpack_fields(table, names=names)
    renamed = frame
    for way in ways:
        renamed = jira.rename(renamed, to=way)
        assert renamed.columns.is_unique, way
    pd.testing.assert_frame_equal(jira.rename(renamed, to="columns"), frame)


def test_a_field_that_is_called_like_the_id_of_another_is_not_taken_for_it() -> None:
    fields = {"sprint": {"name": "S", "state": "active", "boardId": 1}, "customfield_1": "mine"}
    frame = frame_of(fields, {"customfield_1": "Sprint"})
    assert frame[["agile_sprint", "sprint"]].iloc[0].to_list() == ["S", "mine"]
    business = jira.rename(frame)
    assert business[["sprint", "Sprint"]].iloc[0].to_list() == ["S", "mine"]
    pd.testing.assert_frame_equal(jira.rename(business, to="columns"), frame)


def test_rename_says_where_it_can_go() -> None:
    with pytest.raises(DataError, match="fields"):
        jira.rename(named_frame(), to="field")


def test_the_mapping_survives_a_parquet_file_and_a_filter(tmp_path: Path) -> None:
    frame = named_frame()
    frame[frame["points"] > 0].to_parquet(tmp_path / "x.parquet")
    back = pd.read_parquet(tmp_path / "x.parquet")
    pd.testing.assert_frame_equal(jira.names(back), jira.names(frame))


def test_what_a_frame_carries_costs_nothing_at_every_step() -> None:
    frame = named_frame()
    carried = frame.attrs[ATTRIBUTE]
    assert frame[frame["points"] > 0][["points"]].attrs[ATTRIBUTE] is carried


def test_a_frame_without_mapping_says_so() -> None:
    with pytest.raises(DataError, match="carries no names"):
        jira.names(pd.DataFrame({"id": ["1"]}))
