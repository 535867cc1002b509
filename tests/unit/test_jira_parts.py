"""Lists inside issues as tables: real documents, what is malformed, what is cut short."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit import jira
from datalake_kit.errors import ColumnNotFoundError
from datalake_kit.jira.relations.cycles import find_groups, link_cycles
from datalake_kit.jira.relations.links import linked_issues, links
from datalake_kit.jira.relations.parts import (
    affects_versions,
    attachments,
    comments,
    components,
    cut_short,
    fix_versions,
    subtasks,
    worklogs,
)
from datalake_kit.jira.relations.sprint_table import sprints

DOCUMENTS = [json.loads(p.read_text()) for p in sorted((Path(__file__).parents[1] / "data" / "jira").glob("*.json"))]
TABLES: list[tuple[Callable[[Any], pd.DataFrame], str, str]] = [
    (components, "components", ""), (fix_versions, "fixVersions", ""), (affects_versions, "versions", ""),
    (comments, "comment", "comments"), (worklogs, "worklog", "worklogs"), (attachments, "attachment", ""),
    (subtasks, "subtasks", ""), (linked_issues, "issuelinks", ""),
]  # fmt: skip


def raw(*fields: dict[str, Any]) -> pd.DataFrame:
    ids = [str(n) for n in range(1, len(fields) + 1)]
    return pd.DataFrame({"id": ids, "key": [f"A-{n}" for n in ids], "fields": [json.dumps(f) for f in fields]})


def real() -> pd.DataFrame:
    text = [{k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in d.items()} for d in DOCUMENTS]
    return pd.DataFrame(text)


def plain(table: pd.DataFrame, *columns: str) -> list[list[Any]]:
    return [[None if pd.isna(v) else v for v in row] for row in table[list(columns)].to_numpy(dtype=object)]


# --- real documents -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "field", "inside"), TABLES)
def test_every_entry_of_the_real_documents_is_a_row(
    table: Callable[[Any], pd.DataFrame], field: str, inside: str
) -> None:
    expected = []
    for document in DOCUMENTS:
        held = document["fields"].get(field) or []
        expected += [document["key"]] * len(held[inside] if inside and held else held)
    found = table(real())
    assert found["key"].to_list() == expected
    assert found["problem"].dropna().to_list() == (["the link names no other issue"] if field == "issuelinks" else [])


@pytest.mark.parametrize("table", [t for t, _, _ in TABLES])
def test_an_unpacked_frame_gives_what_raw_issues_give(table: Callable[[Any], pd.DataFrame]) -> None:
    frame = jira.unpack_fields(real(), keep_objects=True)
    pd.testing.assert_frame_equal(table(frame), table(real()))
    nested = pd.DataFrame(DOCUMENTS)[["id", "key", "fields"]]
    pd.testing.assert_frame_equal(table(nested), table(real()))


def test_people_times_and_visibility_of_a_real_document() -> None:
    found = comments(real()).query("key == 'TST-2'")
    assert set(found["visibility_value"].dropna()) == {"Administrators", "jira-users"}
    assert found["author"].to_list()[0] == "User 2bb799"
    assert found["author_account_id"].to_list()[0] == "user-2bb799"
    assert found["created"].iloc[0] == pd.Timestamp("2010-08-17T14:40:57.791Z")
    logged = worklogs(real()).query("key == 'EE-15'")
    assert logged["time_spent_seconds"].to_list() == [14400.0, 14400.0]
    assert logged["started"].iloc[0] == pd.Timestamp("2020-06-15T09:00:00Z")
    assert str(logged["started"].dtype) == "datetime64[us, UTC]"
    version = fix_versions(real()).query("key == 'EE-1'").iloc[0]
    assert (version["version"], version["version_id"], bool(version["released"])) == ("v2.7.0", "10026", True)
    assert version["release_date"] == pd.Timestamp("2020-07-10")
    file = attachments(real()).query("filename == 'jira_logo.gif'").iloc[0]
    assert (file["bytes"], file["mime_type"]) == (2517, "image/gif")


def test_a_body_that_is_an_atlassian_document_is_kept_as_its_json() -> None:
    body = {"type": "doc", "version": 1, "content": []}
    found = comments(raw({"comment": {"comments": [{"id": "1", "body": body}]}}))
    assert json.loads(found["body"].iloc[0]) == body


def test_rich_text_is_plain_text_beside_it() -> None:
    words = {"type": "paragraph", "content": [{"type": "text", "text": "It works"}]}
    document = {"type": "doc", "version": 1, "content": [words]}
    issues = raw({"comment": {"comments": [{"body": document}, {"body": "*It* works"}, {"id": "3"}]}})
    assert plain(comments(issues), "text") == [["It works"], ["It works"], [None]]
    assert "text" not in comments(issues, text=False)
    assert plain(worklogs(raw({"worklog": {"worklogs": [{"comment": document}]}})), "text") == [["It works"]]


# --- what is malformed ----------------------------------------------------------------------------------------------


def test_entries_that_are_no_objects_are_rows_that_say_so() -> None:
    held = [{"id": "1", "name": "Web"}, 5, None, ["x"], "text"]
    found = components(raw({"components": held}, {"components": [{"name": "Api"}]}, {"components": None}))
    assert plain(found, "key", "component", "problem") == [
        ["A-1", "Web", None],
        ["A-1", None, "the entry is no object: 5"],
        ["A-1", None, "the entry is no object: null"],
        ["A-1", None, 'the entry is no object: ["x"]'],
        ["A-1", None, 'the entry is no object: "text"'],
        ["A-2", "Api", None],
    ]


def test_lists_that_are_none_are_rows_that_say_so() -> None:
    frame = pd.DataFrame({"id": ["1", "2", "3", "4"], "key": list("abcd")})
    frame["comments"] = ['{"total": 1, "comments": "none"}', "{not JSON", "", '{"comments": [{"id": "7"}]}']
    found = comments(frame)
    assert found["id"].to_list() == ["1", "2", "4"]
    assert found["comment_id"].isna().to_list() == [True, True, False]
    assert found["problem"].fillna("").to_list()[1:] == ["comments is not valid JSON: {not JSON", ""]
    assert "is no list" in found["problem"].iloc[0]


def test_a_list_a_thousand_levels_deep_and_a_long_text() -> None:
    deep = "[" * 1000 + "]" * 1000
    long = "x" * 10_000_000
    frame = pd.DataFrame({"id": ["1", "2"], "key": ["A", "B"]})
    frame["comments"] = [f'{{"comments": [{{"body": {deep}}}]}}', json.dumps({"comments": [{"body": long}]})]
    found = comments(frame)
    assert found["body"].to_list() == [deep, long]


def test_what_has_not_its_type_is_named_and_not_guessed() -> None:
    held = {"id": "1", "created": "yesterday", "size": "big", "filename": "a"}
    local = {"id": "2", "created": "2026-03-01T09:00:00", "size": 3, "filename": ""}
    found = attachments(raw({"attachment": [held, local]}))
    assert found["problem"].to_list() == [
        "bytes is no integer: big; created is no instant: yesterday",
        "created is no instant: 2026-03-01T09:00:00",  # without an offset
    ]
    assert found["created"].isna().all()
    assert found["filename"].isna().to_list() == [False, True]
    versions = fix_versions(raw({"fixVersions": [{"releaseDate": "01/Mar/26", "released": "yes"}]}))
    assert versions["problem"].iloc[0] == "released is no boolean: yes; release_date is no date: 01/Mar/26"


def test_a_person_or_a_type_that_is_a_plain_text_keeps_its_name() -> None:
    page = {"comments": [{"author": "ann", "updateAuthor": {"accountId": "7"}}, {"author": {"displayName": "Bob"}}]}
    found = comments(raw({"comment": page}))
    assert plain(found, "author", "update_author", "update_author_account_id") == [
        ["ann", "7", "7"], ["Bob", None, None]
    ]  # fmt: skip
    found = linked_issues(raw({"issuelinks": [{"type": "Blocks", "inwardIssue": {"key": "B-1"}}]}))
    assert plain(found, "link_type", "other_key", "problem") == [["Blocks", "B-1", None]]


def test_keys_that_a_catalogue_folded_are_known() -> None:
    link = {"type": {"name": "Blocks", "inward": "is blocked by"}, "inwardissue": {"id": "9", "key": "B-9"}}
    page = {"total": 3, "startat": 1, "comments": [{"updateauthor": {"displayname": "Ann", "accountid": "7"}}]}
    issues = raw({"issuelinks": [link], "comment": page})
    assert plain(linked_issues(issues), "words", "other_key") == [["is blocked by", "B-9"]]
    assert plain(comments(issues), "update_author", "update_author_account_id", "total") == [["Ann", "7", 3]]


# --- where the list is ----------------------------------------------------------------------------------------------


def test_names_joined_to_a_text_are_refused_with_the_way_out() -> None:
    frame = jira.unpack_fields(raw({"components": [{"id": "1", "name": "Web; Api"}]}))
    with pytest.raises(ColumnNotFoundError, match="keep_objects=True"):
        components(frame)


def test_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(ColumnNotFoundError, match="worklog"):
        worklogs(raw({"summary": "a"}))
    with pytest.raises(ColumnNotFoundError, match="worklog"):
        worklogs(jira.unpack_fields(raw({"summary": "a"})))
    with pytest.raises(ColumnNotFoundError, match="'key'"):
        components(jira.unpack_fields(raw({"components": []})).drop(columns="key").assign(components_json="[]"))


@pytest.mark.parametrize("table", [*(t for t, _, _ in TABLES), links, sprints])
def test_no_issues_give_an_empty_table_with_its_types(table: Callable[[Any], pd.DataFrame]) -> None:
    empty = table(pd.DataFrame({"id": [], "key": []}))
    assert len(empty) == 0
    full = table(raw({f: [] for f in ("issuelinks", "versions", "components", "fixVersions", "attachment", "subtasks")}
                     | {"comment": {"comments": []}, "worklog": {"worklogs": []}}
                     | {"customfield_1": [{"id": 1, "name": "A", "state": "active", "boardId": 1}]}))  # fmt: skip
    assert full.dtypes.to_dict() == empty.dtypes.to_dict()


class Loaded:
    """Issues that note which fields they were asked for."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.table, self.asked = table, []

    def frame(self, fields: Any = None, names: Any = None, *, keep_objects: bool = False) -> pd.DataFrame:
        self.asked.append(fields)
        return jira.unpack_fields(self.table, names=names, fields=fields, keep_objects=keep_objects)


def test_loaded_issues_unpack_the_one_field_that_is_needed() -> None:
    issues = Loaded(real())
    pd.testing.assert_frame_equal(components(issues), components(real()))
    assert issues.asked == [["components"]]


def test_the_order_is_that_of_the_issues_and_of_the_list() -> None:
    many = raw(*({"components": [{"name": f"{n}-{m}"} for m in range(n % 4)]} for n in range(50_000)))
    expected = [f"{n}-{m}" for n in range(50_000) for m in range(n % 4)]
    assert components(many)["component"].to_list() == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "name", "author", "comments", "total", "created", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=4))
@settings(max_examples=25, deadline=None)
def test_whatever_the_entries_are_each_is_a_row(held: list[Any]) -> None:
    frame = pd.DataFrame({"id": ["1"], "key": ["A"], "comments": [json.dumps({"comments": held})]})
    found = comments(frame)
    assert len(found) == len(held)
    objects = [isinstance(item, dict) for item in held]
    said = found["problem"].fillna("").str.startswith("the entry is no object")
    assert (~said).to_list() == objects


# --- cut short ------------------------------------------------------------------------------------------------------


def test_lists_that_are_cut_short_are_named() -> None:
    whole = {"total": 1, "comments": [{"id": "1"}]}
    frame = raw(
        {"comment": {"total": 9, "comments": [{"id": "1"}, {"id": "2"}]}, "worklog": {"total": 0, "worklogs": []}},
        {"comment": whole, "worklog": {"total": 3, "worklogs": []}},
        {"comment": {**whole, "startAt": 2}, "worklog": None},
        {"comment": {"isLast": False, "comments": [{"id": "1"}]}, "worklog": {"total": 1, "worklogs": [7]}},
    )
    frame["changelog"] = ['{"total": 40, "histories": [{"id": "1"}]}', None, "{}", '{"total": 0, "histories": []}']
    expected = [
        ["A-1", "comments", 2, 9], ["A-3", "comments", 1, 1], ["A-4", "comments", 1, None],
        ["A-2", "worklogs", 0, 3], ["A-1", "changelog", 1, 40],
    ]  # fmt: skip
    for issues in (frame, jira.unpack_fields(frame), Loaded(frame)):
        assert plain(cut_short(issues), "key", "list", "there", "total") == expected
    assert plain(comments(frame), "there", "total")[0] == [2, 9]


def test_nothing_that_could_be_cut_short_is_refused() -> None:
    assert len(cut_short(real())) == 0
    with pytest.raises(ColumnNotFoundError, match="no comments"):
        cut_short(raw({"summary": "a"}))


# --- links ----------------------------------------------------------------------------------------------------------

BLOCKS = {"id": "1", "name": "Blocks", "inward": "is blocked by", "outward": "blocks"}


def link(number: int | None, way: str, other_id: str | None, other_key: str, kind: Any = None) -> dict[str, Any]:
    ends = {"id": other_id, "key": other_key, "fields": {"summary": f"about {other_key}", "status": {"name": "Open"}}}
    return {"id": number and str(number), "type": kind or BLOCKS, way: ends}


def test_a_link_is_read_from_each_issue_and_occurs_once_as_an_edge() -> None:
    issues = raw(
        {"issuelinks": [link(7, "outwardIssue", "2", "A-2"), link(8, "inwardIssue", "99", "Z-9")]},
        {"issuelinks": [link(7, "inwardIssue", "1", "OLD-1")]},  # the key before the issue moved
        {"issuelinks": [link(9, "outwardIssue", "1", "A-1")]},
    )
    assert plain(linked_issues(issues), "key", "words", "other_key", "other_here") == [
        ["A-1", "blocks", "A-2", True], ["A-1", "is blocked by", "Z-9", False],
        ["A-2", "is blocked by", "A-1", True], ["A-3", "blocks", "A-1", True],
    ]  # fmt: skip
    edges = links(issues)
    assert plain(edges, "from_key", "words", "to_key", "words_back", "seen_from") == [
        ["A-1", "blocks", "A-2", "is blocked by", "both"], ["Z-9", "blocks", "A-1", "is blocked by", "to"],
        ["A-3", "blocks", "A-1", "is blocked by", "from"],
    ]  # fmt: skip
    assert plain(edges, "from_here", "to_here", "from_summary", "from_status") == [
        [True, True, "about OLD-1", "Open"], [False, True, "about Z-9", "Open"], [True, True, None, None]
    ]  # fmt: skip
    assert edges["problem"].isna().to_list() == [True, True, False]


def test_links_without_ids_meet_by_key_and_type() -> None:
    issues = raw(
        {"issuelinks": [link(None, "outwardIssue", None, "A-2"), {"id": "5", "outwardIssue": {}}]},
        {"issuelinks": [link(None, "inwardIssue", None, "A-1")]},
    )
    assert plain(links(issues), "from_key", "to_key", "to_id", "seen_from", "problem") == [
        ["A-1", "A-2", "2", "both", None], ["A-1", None, None, None, "the link names no other issue"]
    ]  # fmt: skip


def test_a_link_that_names_both_ends_is_one() -> None:
    both = link(7, "outwardIssue", "2", "A-2") | {"inwardIssue": {"id": "1", "key": "A-1"}}
    assert plain(links(raw({"issuelinks": [both]}, {"issuelinks": [both]})), "from_key", "to_key", "seen_from") == [
        ["A-1", "A-2", "both"]
    ]
    itself = [link(7, "outwardIssue", "1", "A-1"), link(7, "inwardIssue", "1", "A-1")]
    assert plain(links(raw({"issuelinks": itself})), "from_key", "to_key", "seen_from") == [["A-1", "A-1", "both"]]


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), max_size=12))
@settings(max_examples=25, deadline=None)
def test_edges_are_those_that_were_made(pairs: list[tuple[int, int]]) -> None:
    shown: list[list[dict[str, Any]]] = [[] for _ in range(4)]  # issues 5 and 6 are not here
    for number, (start, end) in enumerate(pairs, 1):
        if start <= 4:
            shown[start - 1].append(link(number, "outwardIssue", str(end), f"A-{end}"))
        if end <= 4:
            shown[end - 1].append(link(number, "inwardIssue", str(start), f"A-{start}"))
    frame = raw({}, {}, {}, {}).drop(columns="fields").assign(issue_links=[json.dumps(held) for held in shown])
    edges = links(frame)
    expected = {
        (str(n), f"A-{a}", f"A-{b}", "both" if a <= 4 >= b else "from" if a <= 4 else "to")
        for n, (a, b) in enumerate(pairs, 1)
        if a <= 4 or b <= 4
    }
    assert len(edges) == len(expected)
    assert {tuple(r) for r in plain(edges, "link_id", "from_key", "to_key", "seen_from")} == expected
    assert edges["problem"].isna().all()


# --- cycles ---------------------------------------------------------------------------------------------------------


def edges(*pairs: str, kind: str = "Blocks") -> pd.DataFrame:
    ends = [pair.split() for pair in pairs]
    return pd.DataFrame({"from_key": [a for a, _ in ends], "to_key": [b for _, b in ends]}).assign(
        link_type=kind, words=kind.lower()
    )


def test_cycles_are_named() -> None:
    found = link_cycles(edges("A-10 A-2", "A-2 A-3", "A-3 A-10", "A-3 A-4", "B-1 B-1", "A-2 A-10"))
    assert found.values.tolist() == [
        [1, 3, 4, "A-2; A-3; A-10", "A-2 > A-10 > A-2"], [2, 1, 1, "B-1", "B-1 > B-1"]
    ]  # fmt: skip
    assert len(link_cycles(edges("A-1 A-2", "A-1 A-3", "A-2 A-3"))) == 0


def test_only_blocking_links_count_unless_asked() -> None:
    both = pd.concat([edges("A-1 A-2"), edges("A-2 A-1", kind="Relates")])
    assert len(link_cycles(both)) == 0
    assert len(link_cycles(both, ["relates", "blocks"])) == 1
    with pytest.raises(Exception, match="Did you mean Blocks"):
        link_cycles(both, "Block")
    assert len(link_cycles(edges().assign(from_key="", to_key=""), "Anything")) == 0
    with pytest.raises(ColumnNotFoundError, match="to_key"):
        link_cycles(both.drop(columns="to_key"))


def test_a_cycle_of_issues_as_jira_gives_it() -> None:
    around = [(1, 2), (2, 3), (3, 1)]
    issues = raw(
        *({"issuelinks": [link(n, "outwardIssue", str(b), f"A-{b}") for n, (a, b) in enumerate(around) if a == issue]}
          for issue in (1, 2, 3))
    )  # fmt: skip
    assert link_cycles(issues)["cycle"].to_list() == ["A-1 > A-2 > A-3 > A-1"]


def test_a_chain_longer_than_the_stack() -> None:
    count = 50_000
    chain = {str(n): [str(n + 1)] for n in range(count)}
    assert find_groups(chain) == []
    assert len(find_groups(chain | {str(count): ["0"]})[0]) == count + 1


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_groups_are_the_sets_that_reach_one_another(pairs: list[tuple[int, int]]) -> None:
    graph: dict[str, list[str]] = {}
    for start, end in pairs:
        graph.setdefault(str(start), []).append(str(end))
    reach = {(str(a), str(b)) for a, b in pairs}
    while len(more := reach | {(a, d) for a, b in reach for c, d in reach if b == c}) > len(reach):
        reach = more
    names = {name for pair in reach for name in pair}
    expected = {frozenset(b for b in names if {(a, b), (b, a)} <= reach) for a in names if (a, a) in reach}
    assert {frozenset(group) for group in find_groups(graph)} == expected


# --- sprints --------------------------------------------------------------------------------------------------------

OLD = "com.atlassian.greenhopper.service.sprint.Sprint@1f[id=4,rapidViewId=9,state=CLOSED,name=Old, one,startDate=2026-01-05T09:00:00.000+01:00,endDate=<null>,completeDate=<null>,sequence=4,goal=win]"  # noqa: E501


def test_sprints_of_both_forms() -> None:
    new = {"id": 5, "name": "New", "state": "active", "boardId": 9, "startDate": "2026-02-05T09:00:00.000Z"}
    issues = raw({"customfield_7": [OLD, new]}, {"customfield_7": [OLD]}, {"customfield_7": None})
    found = sprints(issues)
    assert plain(found, "key", "sprint_id", "sprint", "state", "board_id", "goal", "is_current") == [
        ["A-1", 4, "Old, one", "closed", 9, "win", False], ["A-1", 5, "New", "active", 9, None, True],
        ["A-2", 4, "Old, one", "closed", 9, "win", True],
    ]  # fmt: skip
    assert found["start"].to_list()[0] == pd.Timestamp("2026-01-05T08:00Z")


def test_the_current_sprint_is_the_one_of_the_frame() -> None:
    found = {}
    for number in range(len(DOCUMENTS)):
        frame = jira.unpack_fields(real().iloc[[number]])
        held = [c for c in frame if c.endswith("sprint") or c.startswith("customfield")]
        held = [c for c in held if f"{c}_all" in frame and frame[c].notna().all()]
        if held:
            table = sprints(frame)
            assert set(frame[held].iloc[0]) == set(table.loc[table["is_current"], "sprint"])
            found[frame["key"].iloc[0]] = table["sprint"].to_list()
    assert set(found) == {"EE-1", "EE-2", "EE-3", "EE-15", "K5-3", "WO-2014", "TEST-21708"}


def test_a_sprint_in_two_places_is_there_once_and_one_field_can_be_asked_for() -> None:
    sprint = {"id": 5, "name": "A", "boardId": 3, "state": "closed", "startDate": "2026-02-05T09:00:00Z"}
    fields = {"customfield_7": [sprint], "closedSprints": [sprint], "sprint": sprint | {"id": 6}}
    issues = raw(fields)
    frame = jira.unpack_fields(issues, names={"customfield_7": "Sprint"})
    for source in (issues, frame):
        assert sprints(source)["sprint_id"].to_list() == [5, 6]
    assert sprints(frame, sprint="sprint")["sprint_id"].to_list() == [5]
    assert sprints(frame, sprint="agile_sprint")["sprint_id"].to_list() == [6]
    with pytest.raises(ColumnNotFoundError, match="Did you mean"):
        sprints(frame, sprint="sprnt")
    with pytest.raises(ColumnNotFoundError, match="holds sprints"):
        sprints(raw({"summary": "a"}))


def test_a_value_that_is_no_sprint_is_a_row_that_says_so() -> None:
    frame = pd.DataFrame({"id": ["1", "2"], "key": ["A", "B"], "sprint": ["odd", "S"]})
    frame["sprint_json"] = [None, '[{"id": 1, "name": "S", "state": "closed", "startDate": "soon"}]']
    found = sprints(frame)
    assert found["problem"].to_list() == ["sprint is not valid JSON: odd", "start is no instant: soon"]
    assert found["is_current"].to_list() == [False, True]


@pytest.mark.parametrize("states", [["closed", "future"], ["future", "future"], ["active", "closed"], ["?", "closed"]])
def test_which_sprint_is_current(states: list[str]) -> None:
    held = [
        {"id": n, "name": f"S{n}", "state": s, "boardId": 1, "startDate": f"2026-0{n}-01T00:00:00Z"}
        for n, s in enumerate(states, 1)
    ]
    frame = jira.unpack_fields(raw({"customfield_7": held}), names={"customfield_7": "Sprint"})
    table = sprints(frame)
    assert table.loc[table["is_current"], "sprint"].to_list() == frame["sprint"].to_list()
