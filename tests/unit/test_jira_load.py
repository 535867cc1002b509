"""Loading whatever lies in the files: structs as their JSON text, tables with next to nothing, large fields."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit import jira
from datalake_kit.errors import DataError, UnreadableFileError
from datalake_kit.jira.fields import plan

START = datetime(2026, 3, 1, 2, 0, 7, tzinfo=UTC)
DAY = "2026-03-0{}T09:00:00.000+0000"


def load(folder: Path, **options: Any) -> jira.JiraIssues:
    files = sorted(folder.rglob("*.parquet"))
    return jira.load(SimpleNamespace(table=lambda name: SimpleNamespace(files=lambda: files)), "jiralake.t", **options)  # type: ignore[arg-type]


def land(folder: Path, number: int, table: pa.Table) -> Path:
    path = folder / f"run-{START + timedelta(days=number):%Y-%m-%dT%H-%M-%S}.parquet"
    pq.write_table(table, path)
    return path


def rows(*fields: str | None, first: int = 0) -> pa.Table:
    ids = [str(n) for n in range(first, first + len(fields))]
    return pa.table({"id": ids, "key": [f"A-{n}" for n in ids], "fields": pa.array(fields, pa.string())})


def both_ways(folder: Path, fields: list[Any], kind: pa.DataType) -> tuple[jira.JiraIssues, jira.JiraIssues]:
    """The same rows with `fields` as a struct, and as the JSON text of that struct."""
    table = pa.table({"id": [str(n % 3) for n in range(len(fields))], "fields": pa.array(fields, kind)})
    (folder / "struct").mkdir()
    (folder / "text").mkdir()
    path = land(folder / "struct", 1, table)
    with plan.connect() as connection:
        query = f"SELECT id, CAST(to_json(fields) AS VARCHAR) AS fields FROM read_parquet('{path}')"
        land(folder / "text", 1, connection.sql(query).to_arrow_table())
    return load(folder / "struct"), load(folder / "text")


def assert_same(fields: list[Any], kind: pa.DataType, names: Any = None) -> None:
    with tempfile.TemporaryDirectory() as name:
        struct, text = both_ways(Path(name), fields, kind)
        one, other = struct.frame(names=names), text.frame(names=names)
        pd.testing.assert_frame_equal(one, other)
        pd.testing.assert_frame_equal(jira.names(one), jira.names(other))
        pd.testing.assert_frame_equal(struct.rejects.drop(columns="file"), text.rejects.drop(columns="file"))
        pd.testing.assert_frame_equal(struct.field_types(), text.field_types())
        assert struct.report.rows_used == text.report.rows_used
        assert struct.report.rows_undated == text.report.rows_undated
        assert struct.report.adds_up


# --- structs --------------------------------------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=4)
TEXTS = st.sampled_from(["", "a; b", "{}", "[1]", '{"x":1}', "5", "2.50", "true", "2026-05-01", DAY.format(1)]) | WORDS
NUMBERS = st.sampled_from([0.0, 2.5, -1.0, 1e20, 1e-7, 123456789.0, float("nan"), float("inf")])
WHOLE = st.sampled_from([0, -3, 2**53 + 1, 2**62])
LEAVES: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.string(), TEXTS), (pa.float64(), NUMBERS), (pa.int64(), WHOLE), (pa.int32(), st.integers(-9, 9)),
    (pa.bool_(), st.booleans()), (pa.float32(), st.sampled_from([0.5, 3.0])),
    (pa.timestamp("us", "UTC"), st.datetimes(datetime(2020, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))),
    (pa.date32(), st.dates(datetime(2020, 1, 1).date(), datetime(2027, 1, 1).date())),
]  # fmt: skip


def struct_of(**members: tuple[pa.DataType, st.SearchStrategy[Any]]) -> tuple[pa.DataType, st.SearchStrategy[Any]]:
    kind = pa.struct([(key, member) for key, (member, _) in members.items()])
    return kind, st.fixed_dictionaries({key: values | st.none() for key, (_, values) in members.items()})


def list_of(element: tuple[pa.DataType, st.SearchStrategy[Any]]) -> tuple[pa.DataType, st.SearchStrategy[Any]]:
    return pa.list_(element[0]), st.lists(element[1] | st.none(), max_size=3)


TEXT, NUMBER, INTEGER = LEAVES[0], LEAVES[1], LEAVES[2]
PERSON = struct_of(displayName=TEXT, accountId=TEXT, self=TEXT, active=LEAVES[4], emailAddress=TEXT)
OPTION = struct_of(value=TEXT, id=TEXT)
SHAPES = [
    *LEAVES, PERSON, OPTION, struct_of(value=TEXT, child=OPTION), struct_of(name=TEXT, id=NUMBER),
    struct_of(name=TEXT, deadline=INTEGER), struct_of(x=TEXT), list_of(TEXT), list_of(NUMBER), list_of(OPTION),
    list_of(PERSON), list_of(struct_of(name=TEXT, id=INTEGER)), list_of(list_of(TEXT)),
]  # fmt: skip
OWN = {
    "summary": [TEXT, NUMBER], "duedate": [TEXT, LEAVES[7]], "created": [TEXT, LEAVES[6]], "assignee": [PERSON, TEXT],
    "status": [struct_of(name=TEXT, id=TEXT, statusCategory=struct_of(key=TEXT, name=TEXT)), OPTION],
    "issuetype": [struct_of(name=TEXT, subtask=LEAVES[4], hierarchyLevel=NUMBER), struct_of(name=TEXT, subtask=TEXT)],
    "votes": [struct_of(votes=NUMBER), struct_of(votes=INTEGER), NUMBER], "labels": [list_of(TEXT), list_of(NUMBER)],
    "components": [list_of(struct_of(name=TEXT)), OPTION], "timespent": [NUMBER, INTEGER, TEXT],
    "comment": [struct_of(total=NUMBER, comments=list_of(struct_of(body=TEXT)))],
    "subtasks": [list_of(struct_of(key=TEXT)), list_of(TEXT)],
    "parent": [struct_of(key=TEXT, fields=struct_of(summary=TEXT, issuetype=struct_of(name=TEXT)))],
}  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Any], pa.DataType]:
    """Documents of one struct type, of Jira's own fields and custom ones."""
    members = {key: draw(st.sampled_from(of)) for key, of in OWN.items() if draw(st.booleans())}
    members |= {f"customfield_{n}": draw(st.sampled_from(SHAPES)) for n in range(draw(st.integers(0, 4)))}
    kind, documents = struct_of(updated=TEXT, **members)
    return draw(st.lists(documents | st.none(), min_size=1, max_size=6)), kind


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.int64(), [1, 2**53 + 1]),  # a DOUBLE would change it
        (pa.float64(), [1.5, float("nan")]),
        (pa.list_(pa.string()), [["a", None], [], ["b; c"]]),
        (pa.struct([("value", pa.string()), ("id", pa.string())]), [{"value": None, "id": "7"}, {"value": "x"}]),
    ],
)
def test_members_that_only_their_text_can_tell(kind: pa.DataType, values: list[Any]) -> None:
    fields = [{"timespent": value, "customfield_1": value} for value in values]
    assert_same(fields, pa.struct([("timespent", kind), ("customfield_1", kind)]))


def test_structs_of_several_types_of_which_some_rows_are_looked_at(tmp_path: Path) -> None:
    for number, kind in enumerate([pa.int64(), pa.float64()]):
        fields = [{"updated": DAY.format(1), "customfield_1": n} for n in range(700)]
        struct = pa.struct([("updated", pa.string()), ("customfield_1", kind)])
        ids = [str(number * 700 + n) for n in range(700)]
        land(tmp_path, number, pa.table({"id": ids, "fields": pa.array(fields, struct)}))
    assert load(tmp_path).frame()["customfield_1"].to_list() == [*range(700), *range(700)]


@settings(max_examples=15, deadline=None)
@given(tables())
def test_a_struct_gives_what_its_json_text_gives(table: tuple[list[Any], pa.DataType]) -> None:
    assert_same(*table)


@pytest.mark.parametrize("element", [OPTION, TEXT, NUMBER])
def test_structs_of_several_types_in_one_table(tmp_path: Path, element: tuple[pa.DataType, Any]) -> None:
    """A member that only some files have, and one that is of another type in each."""
    first = pa.struct([("summary", pa.string()), ("updated", pa.string()), ("customfield_1", pa.int64())])
    second = pa.struct(
        [("updated", pa.string()), ("customfield_1", pa.float64()), ("customfield_2", pa.list_(element[0]))]
    )
    land(tmp_path, 1, pa.table({
        "id": ["1", "2"], "fields": pa.array([
            {"summary": "a", "updated": DAY.format(1), "customfield_1": 2},
            {"summary": "old", "updated": DAY.format(1), "customfield_1": 7},
        ], first),
    }))  # fmt: skip
    land(tmp_path, 2, pa.table({
        "id": ["2", "3"], "fields": pa.array([{"updated": DAY.format(2), "customfield_1": 2.5}, None], second),
    }))  # fmt: skip
    issues = load(tmp_path)
    frame = issues.frame()
    assert frame["customfield_1"].to_list() == [2, 2.5]
    assert frame["summary"].isna().to_list() == [False, True]
    assert issues.rejects["reason"].to_list() == ["no fields"]
    assert issues.report.adds_up


def test_of_structs_only_what_a_rule_does_not_read_becomes_json(tmp_path: Path) -> None:
    kind = pa.struct([("summary", pa.string()), ("customfield_1", pa.struct([("value", pa.string())]))])
    fields = [{"summary": "a", "customfield_1": {"value": "x"}}, {"summary": "b", "customfield_1": None}]
    struct, _ = both_ways(tmp_path, fields, kind)
    source = struct._chosen.source  # type: ignore[union-attr]
    assert [sorted(part.members) for part in source.parts] == [["customfield_1", "summary"]]
    assert "to_json" not in source.parts[0].query


# --- little, or nothing ---------------------------------------------------------------------------------------------


def test_no_files_at_all(tmp_path: Path) -> None:
    issues = load(tmp_path)
    assert list(issues.frame()) == ["id", "key"]
    assert len(issues.frame()) == len(issues.raw()) == len(issues.rejects) == len(issues.versions()) == 0
    assert issues.report.adds_up
    assert issues.report.files == 0


@pytest.mark.parametrize("kind", [pa.string(), pa.struct([("summary", pa.string())]), pa.null()])
def test_files_without_rows(tmp_path: Path, kind: pa.DataType) -> None:
    schema = pa.schema([("id", pa.string()), ("key", pa.string()), ("fields", kind)])
    land(tmp_path, 1, schema.empty_table())
    issues = load(tmp_path)
    frame = issues.frame()
    assert list(frame)[:2] == ["id", "key"]
    assert len(frame) == issues.report.rows_in == 0
    assert issues.report.adds_up


def test_no_row_has_updated(tmp_path: Path) -> None:
    land(tmp_path, 1, rows('{"summary": "a"}', '{"summary": "b"}'))
    land(tmp_path, 2, rows('{"summary": "c"}'))
    issues = load(tmp_path)
    assert issues.frame()[["id", "summary"]].to_numpy().tolist() == [["1", "b"], ["0", "c"]]
    assert issues.report.rows_undated == 2


def test_a_field_of_ten_megabytes_and_one_of_a_thousand_levels(tmp_path: Path) -> None:
    deep, large = "[" * 1000 + "]" * 1000, "x" * 10_000_000
    land(tmp_path, 1, rows(f'{{"customfield_1": {deep}}}', json.dumps({"summary": large, "customfield_1": [[1]]})))
    frame = load(tmp_path).frame()
    assert frame["summary"].str.len().to_list()[1] == 10_000_000
    assert frame["customfield_1"].to_list() == [deep, "[[1]]"]


@pytest.mark.slow
def last_looked_at(count: int) -> int:
    """Of so many rows the one that is looked at only when all are."""
    order = f"SELECT n FROM range({count}) AS r(n) ORDER BY hash(CAST(n AS VARCHAR)) DESC LIMIT 1"
    with plan.connect() as connection:
        return int(connection.sql(order).fetchall()[0][0])


def test_more_than_a_thousand_custom_fields(tmp_path: Path) -> None:
    """Each of 4,000 documents has 1,053 of them; few hold something, one of them in a row that is not looked at."""
    nothing = {f"customfield_{n}": None for n in range(10_000, 11_053)}
    documents = [json.dumps({"summary": f"s{n}", **nothing, "customfield_10007": n}) for n in range(2000)]
    texts = documents * 2
    texts[last_looked_at(len(texts))] = json.dumps({"summary": "rare", **nothing, "customfield_10999": "here"})
    land(tmp_path, 1, rows(*texts))
    frame = load(tmp_path).frame()
    assert list(frame) == ["id", "key", "summary", "customfield_10007", "customfield_10999"]
    assert frame["customfield_10999"].notna().sum() == 1
    assert frame["customfield_10007"].dtype == "float64"


# --- more rows than are looked at -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3,000 issues, of which one has keys that no other has."""
    folder = tmp_path_factory.mktemp("many")
    texts = [json.dumps({"summary": f"s{n}", "labels": ["a"] * (n % 3)}) for n in range(3000)]
    texts[last_looked_at(3000)] = json.dumps({"summary": "rare", "labels": "one", "duedate": None, "customfield_1": 5})
    land(folder, 1, rows(*texts))
    return folder


def test_a_key_that_only_a_row_not_looked_at_has_becomes_a_column(many: Path) -> None:
    issues = load(many)
    frame = issues.frame()
    rare = frame[frame["summary"] == "rare"].iloc[0]
    assert rare["customfield_1"] == 5
    assert rare["labels"] == "one"
    assert "due_date" in frame
    assert frame["labels"].value_counts().to_dict() == {"a": 1000 - (1 if int(rare["id"]) % 3 == 1 else 0),
        "a; a": 1000 - (1 if int(rare["id"]) % 3 == 2 else 0), "one": 1}  # fmt: skip


def test_what_was_read_before_changes_nothing(many: Path) -> None:
    """The frame from one pass is that of a load whose keys were counted first."""
    at_sight, counted = load(many), load(many)
    assert counted.report.rows_used == 3000
    frame = at_sight.frame()
    pd.testing.assert_frame_equal(frame, counted.frame())
    pd.testing.assert_frame_equal(at_sight.field_types(), counted.field_types())
    pd.testing.assert_frame_equal(frame, at_sight.frame())


def test_a_document_cut_short_among_issues_that_came_once_is_set_aside(tmp_path: Path) -> None:
    land(tmp_path, 1, rows('{"summary": "a"}', '{"summary": "cut'))
    issues = load(tmp_path)
    assert issues.frame()["summary"].to_list() == ["a"]
    assert issues.rejects["reason"].to_list() == ["fields is not valid JSON"]
    assert issues.report.adds_up


def test_columns_may_be_called_as_the_loader_calls_its_own(tmp_path: Path) -> None:
    table = rows('{"summary": "a"}').append_column("row", [["r"]]).append_column("path", [["p"]])
    table = table.append_column("position", [["q"]]).append_column("landed", [["l"]])
    land(tmp_path, 1, table)
    issues = load(tmp_path)
    beside = ["row", "path", "position", "landed"]
    assert issues.frame()[beside].iloc[0].to_list() == ["r", "p", "q", "l"]
    assert issues.raw()[beside].iloc[0].to_list() == ["r", "p", "q", "l"]


@pytest.mark.parametrize("name", ["_path", "FILE_ROW_NUMBER", "_position", "_landed", "_chosen_path"])
def test_columns_that_reading_adds_are_named_when_a_file_has_them(tmp_path: Path, name: str) -> None:
    land(tmp_path, 1, rows('{"summary": "a"}').append_column(name, [["x"]]))
    with pytest.raises(DataError, match=f"has a column {name.casefold()}"):
        load(tmp_path).frame()


@pytest.mark.parametrize(
    "kinds",
    [
        ([[1, 2]], ["t"]),
        ([{"a": 1}], ["{}"]),
        ([{"a": 1}], [{"b": "x"}]),
        ([datetime(2026, 1, 1)], [5]),
        ([True], [b"x"]),
    ],
)
@pytest.mark.parametrize("layout", ["text", "columns"])
def test_a_column_beside_the_fields_may_be_of_another_type_in_each_file(
    tmp_path: Path, kinds: tuple[list[Any], list[Any]], layout: str
) -> None:
    for number, values in enumerate(kinds):
        table = rows('{"summary": "a"}', first=number)
        if layout == "columns":
            table = table.drop_columns("fields").append_column("fields.summary", [["a"]])
        land(tmp_path, number, table.append_column("changelog", pa.array(values)))
    issues = load(tmp_path)
    assert issues.frame()["changelog"].notna().all()
    assert issues.frame()["summary"].to_list() == ["a", "a"]
    assert len(issues.raw()) == 2
    assert issues.report.adds_up


def test_an_id_is_the_same_whether_it_is_a_text_or_a_number(tmp_path: Path) -> None:
    fields = ['{"summary": "a"}', '{"summary": "b"}', '{"summary": "c"}']
    for number, ids in enumerate((["1", "2", None], [1, 2, None], pa.array([1, 2, None], pa.float64()))):
        land(tmp_path, number, pa.table({"id": ids, "fields": fields}))
    issues = load(tmp_path)
    assert issues.frame()["id"].to_list() == ["1", "2"]
    assert (issues.report.rows_superseded, issues.report.rows_rejected, issues.report.adds_up) == (4, 3, True)


def test_a_text_that_is_no_utf8_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    text = pa.array([b'{"summary": "\xff"}'], pa.binary())
    bad = pa.Array.from_buffers(pa.string(), 1, text.buffers())
    path = land(tmp_path, 1, pa.table({"id": ["1"], "fields": bad}))
    with pytest.raises(UnreadableFileError, match=path.name):
        load(tmp_path).frame()
