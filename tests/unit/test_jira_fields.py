"""Fields as columns: real documents whole, each type, and what does not fit."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from datalake_kit import jira
from datalake_kit.errors import ColumnNotFoundError, DataError

DOCUMENTS = sorted((Path(__file__).parents[1] / "data" / "jira").glob("*.json"))


def documents() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in DOCUMENTS]


def rows(found: list[dict[str, Any]]) -> pd.DataFrame:
    """Documents as a table has them: nested values as JSON text."""
    text = [{k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in d.items()} for d in found]
    return pd.DataFrame(text)


def unpack(*fields: dict[str, Any], **options: Any) -> pd.DataFrame:
    table = pd.DataFrame({"id": [str(n) for n in range(len(fields))], "fields": [json.dumps(f) for f in fields]})
    return jira.unpack_fields(table, **options)


def column(*values: Any, name: str = "customfield_1", **options: Any) -> pd.DataFrame:
    """Columns that one field gives."""
    return unpack(*({name: value} for value in values), **options).drop(columns="id")


def plain(series: pd.Series[Any]) -> list[Any]:
    return [None if pd.isna(v) else v for v in series]


# --- real documents -------------------------------------------------------------------------------------------------


def test_documents_of_one_site_have_the_columns_one_expects() -> None:
    found = [d for d in documents() if d["key"].startswith(("EE-", "K5-"))]
    names = {
        "customfield_10020": "Sprint", "customfield_10024": "Story Points", "customfield_10014": "Epic Link",
        "customfield_10015": "Start date", "customfield_10012": "Epic Status",
    }  # fmt: skip
    frame = jira.unpack_fields(rows(found), names=names).set_index("key")
    assert frame.loc[["EE-1", "EE-2", "EE-3"], "story_points"].to_list() == [-1, 2, 10]  # "-1", 2.0 and 10.0
    assert frame.loc["EE-1", "status"] == "已完成"
    assert frame.loc["EE-2", "status_category"] == "Done"
    assert frame.loc["EE-1", "updated"] == pd.Timestamp("2021-03-28T08:06:08.713Z")
    assert frame.loc["EE-1", "sprint"] == "EE Sprint 7"
    assert frame.loc["EE-1", "sprint_start"] == pd.Timestamp(
        "2020-06-12T00:38:51.882Z"
    )  # another offset, same document
    assert frame.loc["EE-2", "start_date"] == pd.Timestamp("2020-06-12")
    assert frame.loc["K5-3", ["parent_key", "parent_id", "epic_link", "agile_epic_key"]].to_list() == [
        "K5-4", "20710", "K5-4", "K5-4",
    ]  # fmt: skip
    assert frame.loc["K5-4", "epic_status"] == "To Do"
    assert frame.loc["EE-15", ["time_spent_seconds", "time_tracking_time_spent"]].to_list() == [28800, "1d"]
    assert frame.loc["EE-15", ["worklogs_count", "fix_versions", "labels"]].to_list()[0:2] == [2, "v2.7.0"]
    assert len(json.loads(frame.loc["EE-15", "worklogs"])["worklogs"]) == 2
    assert not [c for c in frame if c.startswith("customfield_10073")]  # only ever an empty list


def test_a_document_with_a_thousand_custom_fields_gives_those_that_hold_something() -> None:
    wide = next(d for d in documents() if d["key"] == "TEST-21708")
    assert sum(k.startswith("customfield_") for k in wide["fields"]) > 1000
    frame = jira.unpack_fields(rows([wide]))
    assert jira.names(frame)["field"].str.startswith("customfield_").sum() < 60
    everything = jira.unpack_fields(rows([wide]), fields="all")
    assert set(wide["fields"]) == set(jira.names(everything)["field"])


def test_names_come_from_the_documents() -> None:
    found = [d for d in documents() if d["key"] == "TST-2"]
    frame = jira.unpack_fields(rows(found))
    assert frame.loc[0, ["my_number_field_new", "my_radio_buttons", "project3"]].to_list() == [1.457, "Another", "TST"]
    assert "names" not in frame


# --- types ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ((1, 2.5, None), "float64", [1, 2.5, None]),
        ((1, 2, 3), "float64", [1, 2, 3]),
        (("-1", 2.0, 10.0, 15, -0.5), "float64", [-1, 2, 10, 15, -0.5]),
        (("1", "2"), "str", ["1", "2"]),  # never a number: a text that looks like one
        (("1", 2, "n/a"), "str", ["1", "2", "n/a"]),
        (("nan", 1), "str", ["nan", "1"]),
        ((12345678901234567890, 1), "str", ["12345678901234567890", "1"]),  # a DOUBLE would change it
        ((9223372036854776000, 1), "float64", [9.223372036854776e18, 1]),  # this is one already
        ((True, False, None), "boolean", [True, False, None]),
        ((True, 1), "str", ["true", "1"]),
        (("2026-02-28", None), "datetime64[ms]", [pd.Timestamp("2026-02-28"), None]),
        (("2026-02-28", "2026-02-30"), "str", ["2026-02-28", "2026-02-30"]),
        (("2026-02-28", "soon"), "str", ["2026-02-28", "soon"]),
        (("a", {"x": 1}, 5), "str", ["a", '{"x":1}', "5"]),
        (("", "a"), "str", ["", "a"]),
        (("{}", None), "str", ["{}", None]),  # a text that is no object
        (({"a": {"b": [1, 2]}}, None), "str", ['{"a":{"b":[1,2]}}', None]),
        (("0|i3evdz:", None), "str", ["0|i3evdz:", None]),
    ],
)
def test_plain_values(values: tuple[Any, ...], dtype: str, expected: list[Any]) -> None:
    frame = column(*values)
    assert list(frame) == ["customfield_1"]
    assert str(frame["customfield_1"].dtype) == dtype
    assert plain(frame["customfield_1"]) == expected


def test_instants_of_every_offset_are_utc() -> None:
    frame = column(
        "2021-03-28T09:00:00.000+0000",
        "2021-03-28T09:00:00.5-05:00",
        "2021-03-28T09:00:00Z",
        "2021-03-28T17:00:00+0800",
    )
    assert str(frame["customfield_1"].dtype) == "datetime64[us, UTC]"
    hours = [t.isoformat() for t in frame["customfield_1"]]
    assert hours[0] == hours[2] == hours[3] == "2021-03-28T09:00:00+00:00"
    assert hours[1] == "2021-03-28T14:00:00.500000+00:00"


def test_an_instant_without_offset_stays_text() -> None:
    assert plain(column("2021-03-28T09:00:00.000")["customfield_1"]) == ["2021-03-28T09:00:00.000"]


PERSON = {"self": "x", "accountId": "5d1", "displayName": "Ada", "emailAddress": "a@b.c", "active": True}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((PERSON, None), {"": ["Ada", None], "account_id": ["5d1", None], "email": ["a@b.c", None]}),
        (
            ({"name": "u1", "key": "k1", "displayName": "U"}, {"accountId": "7", "displayName": ""}),
            {"": ["U", ""], "account_id": ["k1", "7"]},
        ),
        (({"value": "A", "id": "1"}, "B"), {"": ["A", "B"]}),  # an option that came as a plain text
        (({"value": "A", "child": {"value": "a"}}, {"value": "B"}), {"": ["A", "B"], "child": ["a", None]}),
        (([{"value": "A"}, {"value": "B"}], []), {"": ["A; B", None]}),
        (([{"value": "A"}, "B"], None), {"": ['[{"value":"A"},"B"]', None]}),
        (([{"name": "1.0", "id": "5"}], [{"name": "2"}]), {"": ["1.0", "2"]}),
        (
            ([{"name": "1.0", "released": True}], [{"name": "2"}]),
            {"": ["1.0", "2"], "json": ['[{"name":"1.0","released":true}]', '[{"name":"2"}]']},
        ),
        ((["x", "y"], ["z"], "w"), {"": ["x; y", "z", "w"]}),
        (
            ([PERSON, PERSON], None),
            {"": ["Ada; Ada", None], "account_ids": ["5d1; 5d1", None], "emails": ["a@b.c; a@b.c", None]},
        ),
        ((["a; b", "c"], ["a", "b; c"], ["a"]), {"": ['["a; b","c"]', '["a","b; c"]', "a"]}),
        (({"name": "High", "id": "2"}, None), {"": ["High", None], "id": ["2", None]}),
        (
            ({"key": "AB", "name": "Project", "avatarUrls": {}}, None),
            {"": ["AB", None], "name": ["Project", None], "id": [None, None]},
        ),
        (({"name": "High", "deadline": 5},), {"": ['{"name":"High","deadline":5}']}),  # says more than a name
        (({"errorMessage": "no such metric"},), {"": ['{"errorMessage":"no such metric"}']}),  # of what?
        (([[1, 2], [3]],), {"": ["[[1,2],[3]]"]}),
        (({"x": 1}, [1], "t", 5), {"": ['{"x":1}', "[1]", "t", "5"]}),
    ],
)  # fmt: skip
def test_objects_and_lists(values: tuple[Any, ...], expected: dict[str, list[Any]]) -> None:
    frame = column(*values)
    named = {f"customfield_1{'_' + part if part else ''}": cells for part, cells in expected.items()}
    assert {name: plain(frame[name]) for name in frame} == named


def test_a_sprint_field_gives_the_current_one_and_all() -> None:
    text = (
        "com.atlassian.greenhopper.service.sprint.Sprint@1f[id=5,rapidViewId=9,state=CLOSED,name=A, b,"
        "startDate=2026-01-01T09:00:00.000Z,endDate=2026-01-14T09:00:00.000Z,completeDate=<null>,sequence=5,goal=]"
    )
    now = {"id": 6, "name": "B", "state": "active", "boardId": 9, "startDate": "2026-01-15T09:00:00.000Z"}
    frame = column([text, now], [text], None, [])
    assert plain(frame["customfield_1"]) == ["B", "A, b", None, None]
    assert plain(frame["customfield_1_all"]) == ["A, b; B", "A, b", None, None]
    assert plain(frame["customfield_1_state"]) == ["active", "closed", None, None]
    assert plain(frame["customfield_1_id"]) == [6, 5, None, None]
    assert frame["customfield_1_start"][1] == pd.Timestamp("2026-01-01T09:00:00Z")
    closed = {
        "id": 5, "name": "A, b", "state": "closed", "startDate": "2026-01-01T09:00:00.000Z",
        "endDate": "2026-01-14T09:00:00.000Z", "completeDate": None, "boardId": 9, "goal": "",
    }  # fmt: skip
    active = closed | now | {"endDate": None, "goal": None}
    every = [cell and json.loads(cell) for cell in plain(frame["customfield_1_json"])]
    assert every == [[closed, active], [closed], None, None]
    assert list(every[0][1]) == list(closed)  # one order of keys


def test_a_sprint_whose_keys_were_folded_and_whose_date_is_none() -> None:
    sprint = {"id": 6, "name": "B", "state": "ACTIVE", "boardId": 9, "startDate": "soon", "goal": 5}
    folded = {key.lower(): value for key, value in sprint.items()}
    frame = column([sprint], [folded])
    assert plain(frame["customfield_1"]) == ["B", "B"]
    assert plain(frame["customfield_1_start"]) == [None, None]
    one, two = (json.loads(cell) for cell in frame["customfield_1_json"])
    assert one == two
    assert (one[0]["startDate"], one[0]["state"], one[0]["goal"]) == ("soon", "active", "5")


def test_sprints_kept_whole_stand_beside_the_one_shape() -> None:
    sprint = {"id": 6, "name": "B", "state": "ACTIVE", "boardId": 9, "synced": False}
    frame = column([sprint], keep_objects=True)
    assert json.loads(frame["customfield_1_raw"][0]) == [sprint]
    assert "synced" not in frame["customfield_1_json"][0]


def test_status_in_another_language_has_its_category() -> None:
    frame = unpack(
        {"status": {"name": "Erledigt", "id": "6", "statusCategory": {"key": "done", "name": "Fertig"}}},
        {"status": {"name": "Open", "id": "1"}},
        {"status": {"name": "Odd", "statusCategory": {"key": "mine", "name": "Mine"}}},
        {"status": None},
    )
    assert plain(frame["status"]) == ["Erledigt", "Open", "Odd", None]
    assert plain(frame["status_category"]) == ["Done", None, "Mine", None]
    assert plain(frame["status_id"]) == ["6", "1", None, None]


def test_a_deleted_user_and_an_empty_object() -> None:
    frame = unpack(
        {"assignee": {"accountId": "unknown"}}, {"assignee": {}}, {"assignee": None}, {"assignee": "former user"}
    )
    assert plain(frame["assignee"]) == ["unknown", None, None, "former user"]


def test_lists_cut_short_tell_how_many_there_are() -> None:
    frame = unpack(
        {"comment": {"comments": [{"id": "1", "body": "x"}], "total": 57, "maxResults": 1}}, {"comment": None}
    )
    assert plain(frame["comments_count"]) == [57, None]
    assert json.loads(frame["comments"][0])["comments"][0]["body"] == "x"


def test_description_as_text_and_as_a_document() -> None:
    adf = {"version": 1, "type": "doc", "content": [{"type": "paragraph"}]}
    frame = unpack({"description": "plain"}, {"description": adf})
    assert frame["description"][0] == "plain"
    assert json.loads(frame["description"][1]) == adf


def test_the_schema_decides_where_the_shape_says_nothing() -> None:
    records = [{"id": "customfield_1", "name": "Points", "schema": {"type": "number", "custom": "x:float"}}]
    assert plain(column("5", "7", names=records)["points"]) == [5, 7]
    text = [{"id": "customfield_1", "name": "Code", "schema": {"type": "string", "custom": "x:textfield"}}]
    assert plain(column("2026-01-01", names=text)["code"]) == ["2026-01-01"]


def test_a_schema_that_the_values_do_not_keep_loses_nothing() -> None:
    for custom in (
        "float",
        "datepicker",
        "datetime",
        "select",
        "userpicker",
        "multiselect",
        "gh-sprint",
        "cascadingselect",
    ):
        records = [{"id": "customfield_1", "name": "It", "schema": {"type": "any", "custom": f"x:{custom}"}}]
        frame = column("free text", {"k": "v"}, 5, names=records)
        assert plain(frame["it"]) == ["free text", '{"k":"v"}', "5"], custom


def test_absent_and_null_are_both_missing_and_no_column_is_made_of_nothing() -> None:
    frame = unpack({"customfield_1": None, "customfield_2": [], "customfield_3": {}, "summary": "a"}, {"summary": None})
    assert list(frame) == ["id", "summary"]


def test_fields_are_chosen_by_id_name_or_column() -> None:
    names = {"customfield_1": "Story Points", "customfield_2": "Team", "customfield_3": "Unused"}
    fields = {"summary": "x", "customfield_1": 5, "customfield_2": "T", "duedate": None, "issuetype": {"name": "Bug"}}
    for asked in (["customfield_1", "issuetype"], ["Story points", "issue_type"], ["story_points", "Issuetype"]):
        frame = unpack(fields, names=names, fields=asked)
        assert list(frame) == [
            "id",
            "issue_type",
            "issue_type_id",
            "issue_type_is_subtask",
            "issue_type_level",
            "story_points",
        ]
    assert list(unpack(fields, names=names, fields="Unused")) == ["id", "unused"]
    with pytest.raises(ColumnNotFoundError, match="story_points"):
        unpack(fields, names=names, fields=["story_point"])


def test_index_and_other_columns_are_kept_and_the_input_is_not_changed() -> None:
    table = pd.DataFrame({"n": [1, 2], "fields": ['{"summary": "a"}', None], "id": ["7", "8"]}, index=["x", "y"])
    before = table.copy()
    frame = jira.unpack_fields(table)
    assert frame.to_dict() == {"id": {"x": "7", "y": "8"}, "summary": {"x": "a", "y": np.nan}, "n": {"x": 1, "y": 2}}
    pd.testing.assert_frame_equal(table, before)


# --- how fields can lie ---------------------------------------------------------------------------------------------

LYING = {
    "summary": "a",
    "customfield_1": 2.5,
    "status": {"name": "Open", "statusCategory": {"key": "new"}},
    "labels": ["x"],
}


def layouts() -> dict[str, Any]:
    pairs = [(k, v if isinstance(v, str) else json.dumps(v)) for k, v in LYING.items()]
    flat = {f"fields.{k}": [v if isinstance(v, str | float) else json.dumps(v)] for k, v in LYING.items()}
    return {
        "text": pd.DataFrame({"id": ["1"], "fields": [json.dumps(LYING)]}),
        "dict": pd.DataFrame({"id": ["1"], "fields": [LYING]}),
        "struct": pa.Table.from_pylist([{"id": "1", "fields": LYING}]),
        "map": pa.table({"id": ["1"], "fields": pa.array([pairs], pa.map_(pa.string(), pa.string()))}),
        "columns": pd.DataFrame({"id": ["1"], **flat}),
        "columns, underscore": pa.table({"id": ["1"], **{k.replace(".", "_"): v for k, v in flat.items()}}),
        "bare columns": pa.Table.from_pylist([{"id": "1", **LYING}]),
    }


@pytest.mark.parametrize("layout", list(layouts()))
def test_every_layout_gives_the_same(layout: str) -> None:
    frame = jira.unpack_fields(layouts()[layout])
    found = frame[["id", "summary", "status", "status_category", "labels"]].iloc[0].to_list()
    assert found == ["1", "a", "Open", "To Do", "x"]
    # A map has texts only: that 2.5 is a number is not known any more.
    assert frame["customfield_1"][0] == ("2.5" if layout == "map" else 2.5)


def test_instants_of_flattened_columns_keep_their_zone() -> None:
    instant = datetime(2026, 3, 1, 10, tzinfo=UTC)
    frame = jira.unpack_fields(
        pa.table({"id": ["1"], "summary": ["a"], "updated": pa.array([instant], pa.timestamp("us", "UTC"))})
    )
    assert frame["updated"][0] == pd.Timestamp(instant)


def test_names_that_athena_folded_are_known() -> None:
    folded = {
        "issuetype": {"name": "Bug"},
        "fixversions": [{"name": "v1"}],
        "assignee": {"displayname": "A", "accountid": "1"},
    }
    frame = unpack(folded)
    assert frame[["issue_type", "fix_versions", "assignee", "assignee_account_id"]].iloc[0].to_list() == [
        "Bug",
        "v1",
        "A",
        "1",
    ]


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["{", "", "null", "[1]", '"x"', "5", '{"a": "\\ud800"}', "nonsense"])
def test_a_text_that_is_no_object_is_named(text: str) -> None:
    with pytest.raises(DataError, match=r"1 rows .*rows 1"):
        jira.unpack_fields(pd.DataFrame({"fields": ['{"summary": "a"}', text]}))


@pytest.mark.parametrize("table", [pd.DataFrame({"a": [1]}), pd.DataFrame(), pd.DataFrame({"fields": [5]})])
def test_no_fields(table: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="fields"):
        jira.unpack_fields(table)


def test_an_empty_table_gives_an_empty_frame() -> None:
    assert (
        len(jira.unpack_fields(pa.table({"id": pa.array([], pa.string()), "fields": pa.array([], pa.string())}))) == 0
    )


def test_a_thousand_levels_and_ten_megabytes() -> None:
    deep = "[" * 1000 + "]" * 1000
    large = "x" * 10_000_000
    texts = [f'{{"customfield_1": {deep}, "summary": "deep"}}', json.dumps({"summary": large, "customfield_1": [[1]]})]
    frame = jira.unpack_fields(pd.DataFrame({"fields": texts}))
    assert frame["summary"].str.len().to_list() == [4, 10_000_000]
    assert frame["customfield_1"].to_list() == [deep, "[[1]]"]


def test_keys_that_need_quotes() -> None:
    keys = ['a"b', "a'b", "a/b", "a~b", "a.b", "$.x", "a b", "", "日本"]
    frame = unpack(dict.fromkeys(keys, "v"))
    assert frame.iloc[0].to_list()[1:] == ["v"] * len(keys)


@pytest.mark.parametrize("column_type", [pa.int64(), pa.float64(), pa.bool_(), pa.list_(pa.string()), pa.binary()])
def test_a_column_fields_that_holds_no_documents_says_so(column_type: pa.DataType) -> None:
    with pytest.raises(DataError, match="fields of the frame has the type"):
        jira.unpack_fields(pa.table({"id": ["1"], "fields": pa.nulls(1, column_type)}))


def test_an_object_column_that_holds_numbers_or_documents_says_so() -> None:
    with pytest.raises(DataError, match="no JSON object"):
        jira.unpack_fields(pd.DataFrame({"id": ["1", "2"], "fields": ["5", '{"summary": "a"}']}))
    with pytest.raises((DataError, pa.ArrowException)):
        jira.unpack_fields(pd.DataFrame({"id": ["1", "2"], "fields": pd.Series([5, {"summary": "a"}], dtype=object)}))


def test_keys_twice_in_letters_of_two_kinds_and_without_name() -> None:
    text = '{"summary": "a", "summary": "b", "Summary": "c", "": "d", "": "e", "customfield_1": {"": 1, "x": {"": 2}}}'
    frame = jira.unpack_fields(pd.DataFrame({"fields": [text]}))
    assert sorted(frame.iloc[0].astype(str)) == sorted(["a", "c", "d", '{"":1,"x":{"":2}}'])


def test_ten_megabytes_in_every_kind_of_value() -> None:
    large = "x" * 10_000_000
    values = [{"displayName": large, "accountId": "1"}, [large, "y"], {"value": large, "child": {"value": "z"}}]
    frame = unpack({f"customfield_{n}": value for n, value in enumerate(values)})
    assert [len(frame[f"customfield_{n}"][0]) for n in range(3)] == [len(large), len(large) + 3, len(large)]


def test_deep_values_within_usual_objects() -> None:
    deep = "[" * 1000 + "1" + "]" * 1000
    texts = [
        f'{{"assignee": {{"displayName": {deep}}}, "status": {{"name": "Open", "statusCategory": {deep}}}}}',
        '{"assignee": {"displayName": "A"}, "status": {"name": "Done"}}',
    ]
    frame = jira.unpack_fields(pd.DataFrame({"fields": texts}), keep_objects=True)
    assert frame["assignee"].to_list() == [deep, "A"]
    assert frame["status"].to_list()[1] == "Done"
    assert deep in frame["status_json"][0]


@pytest.mark.parametrize("escape", ['"\\ud800"', '{"value": "\\udfff"}', '["a", "\\ud83d"]'])
def test_a_lone_surrogate_is_refused_with_its_row(escape: str) -> None:
    with pytest.raises(DataError, match=r"rows 1, from 0"):
        jira.unpack_fields(pd.DataFrame({"fields": ['{"a": "b"}', f'{{"customfield_1": {escape}}}']}))


def test_a_number_that_no_double_holds_stays_text() -> None:
    texts = ['{"customfield_1": 1e400}', '{"customfield_1": 2}']
    assert jira.unpack_fields(pd.DataFrame({"fields": texts}))["customfield_1"].to_list() == ["1e400", "2"]


def test_types_are_those_of_a_full_load_where_a_part_has_whole_numbers_only() -> None:
    part, full = column(1, 2), column(1, 2, 2.5)
    assert part["customfield_1"].dtype == full["customfield_1"].dtype == "float64"


def test_an_address_is_a_column_only_where_there_is_one() -> None:
    assert list(column({"displayName": "A", "accountId": "1"})) == ["customfield_1", "customfield_1_account_id"]
    assert "customfield_1_email" in column({"displayName": "A"}, {"displayName": "B", "emailAddress": "b@x.y"})
