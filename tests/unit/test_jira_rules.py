"""Rules: what each makes of values, that the fast way and the definition give the same, and that nothing is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from datalake_kit import jira
from datalake_kit.jira.fields import desk_rules, known_fields, plan, rules
from datalake_kit.jira.fields.detect import Profile, choose_rule, noteworthy_keys
from datalake_kit.jira.fields.names import FieldInfo
from datalake_kit.jira.fields.plan import Field, Source
from datalake_kit.jira.fields.unpack import run_plan


def column(*values: Any, custom: str = "", **options: Any) -> pd.DataFrame:
    """Columns that one field gives; `custom` is its type in the schema."""
    names = [{"id": "customfield_1", "name": "It", "schema": {"type": "any", "custom": f"x:{custom}"}}]
    texts = [json.dumps({"customfield_1": value}) for value in values]
    return jira.unpack_fields(pd.DataFrame({"fields": texts}), names=names, **options)


def plain(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Cells by column, without the name of the field."""
    return {name.removeprefix("it").strip("_"): [None if pd.isna(v) else v for v in frame[name]] for name in frame}


# --- the service desk and well-known apps ---------------------------------------------------------------------------


def moment(day: int, hour: int = 9) -> dict[str, Any]:
    """A time as the service desk gives it."""
    at = pd.Timestamp(2026, 3, day, hour, tz="Europe/Vienna")
    return {
        "iso8601": f"{at:%Y-%m-%dT%H:%M:%S%z}", "jira": f"{at:%Y-%m-%dT%H:%M:%S.000%z}",
        "friendly": f"{at:%d/%b/%y}", "epochMillis": int(at.timestamp() * 1000),
    }  # fmt: skip


def span(hours: float) -> dict[str, Any]:
    return {"millis": int(hours * 3_600_000), "friendly": f"{hours}h"}


def cycle(day: int, elapsed: float, **more: Any) -> dict[str, Any]:
    """A cycle with a goal of four hours."""
    return {
        "startTime": moment(day), "breachTime": moment(day, 13), "breached": elapsed > 4, "goalDuration": span(4),
        "elapsedTime": span(elapsed), "remainingTime": span(4 - elapsed), **more,
    }  # fmt: skip


def sla(ongoing: Any = None, *completed: Any) -> dict[str, Any]:
    about = {"id": "17", "name": "Time to resolution", "_links": {"self": "https://x"}}
    return about | {"completedCycles": list(completed)} | ({"ongoingCycle": ongoing} if ongoing else {})


def test_an_sla_tells_of_its_ongoing_cycle_else_of_the_last() -> None:
    first, last = cycle(2, 5, stopTime=moment(2, 14)), cycle(5, 1, stopTime=moment(5, 10))
    values = (
        sla(cycle(9, 2.5, paused=False), first),
        sla(cycle(9, 9, paused=True)),
        sla(None, last, first),  # not in their order
        sla(),
        {"errorMessage": "metric not found"},
        None,
    )
    cells = plain(column(*values, custom="sd-sla-field"))
    assert cells[""] == ["ongoing", "paused", "completed", None, "error", None]
    assert cells["completed_cycles"] == [1, 0, 2, 0, None, None]
    assert cells["breached_cycles"] == [1, 1, 1, 0, None, None]
    assert cells["breached"] == [False, True, False, None, None, None]
    assert cells["goal_seconds"] == [14400, 14400, 14400, None, None, None]
    assert cells["elapsed_seconds"] == [9000, 32400, 3600, None, None, None]
    assert cells["remaining_seconds"] == [5400, -18000, 10800, None, None, None]
    assert cells["start"][2] == pd.Timestamp("2026-03-05T08:00:00Z")
    assert cells["stop"] == [None, None, pd.Timestamp("2026-03-05T09:00:00Z"), None, None, None]
    assert cells["breach_time"][0] == pd.Timestamp("2026-03-09T12:00:00Z")
    assert cells["error"] == [None, None, None, None, "metric not found", None]
    assert [cell and json.loads(cell) for cell in cells["json"]] == list(values)


def test_an_sla_is_known_by_its_shape_and_an_error_is_none() -> None:
    frame = column(sla(cycle(9, 2)), {"errorMessage": "no"})
    assert plain(frame)[""] == ["ongoing", "error"]
    assert plain(column({"errorMessage": "no"}))[""] == ['{"errorMessage":"no"}']
    assert plain(column("2h 30m", sla(cycle(9, 2))))[""] == ["2h 30m", "ongoing"]  # as an older server says it


def test_an_sla_with_a_time_told_only_in_milliseconds() -> None:
    started = {"epochMillis": moment(9)["epochMillis"]}
    cells = plain(column(sla({"startTime": started, "breached": False}), custom="sd-sla-field"))
    assert cells["start"] == [pd.Timestamp("2026-03-09T08:00:00Z")]
    assert cells["goal_seconds"] == [None]


def test_a_request_of_the_service_desk() -> None:
    request = {
        "_links": {"web": "https://desk/portal/1/X-1", "self": "https://desk/rest/X-1"},
        "requestType": {"id": "25", "name": "Get IT help", "serviceDeskId": "1", "groupIds": ["7"]},
        "currentStatus": {"status": "Waiting", "statusCategory": "INDETERMINATE", "statusDate": moment(3)},
    }
    cells = plain(column(request, None, "it/help"))
    assert cells.pop("json") == [json.dumps(request, separators=(",", ":")), None, None]
    assert cells == {
        "": ["Get IT help", None, "it/help"], "id": ["25", None, None],
        "url": ["https://desk/portal/1/X-1", None, None], "status": ["Waiting", None, None],
        "status_since": [pd.Timestamp("2026-03-03T08:00:00Z"), None, None],
    }  # fmt: skip


def test_approvals() -> None:
    def approval(decision: str | None, *people: str) -> dict[str, Any]:
        approvers = [{"approver": {"displayName": p, "accountId": p}, "approverDecision": "pending"} for p in people]
        return {"id": "1", "name": "Manager", "finalDecision": decision, "approvers": approvers}

    cells = plain(column([approval("approved", "Ada"), approval("declined", "Bo", "Cy")], [approval(None, "Di")], []))
    assert cells[""] == ["declined", "pending", None]
    assert cells["count"] == [2, 1, None]
    assert cells["approvers"] == ["Ada; Bo; Cy", "Di", None]
    assert "approverDecision" in cells["json"][0]


def test_organisations_participants_feedback_and_language() -> None:
    organisation = {"id": "3", "name": "Acme", "_links": {"self": "https://x"}}
    assert plain(column([organisation, organisation | {"name": "Beta"}])) == {"": ["Acme; Beta"]}
    person = {"accountId": "5", "displayName": "Ada"}
    assert plain(column([person], custom="sd-request-participants")) == {"": ["Ada"], "account_ids": ["5"]}
    assert plain(column({"rating": 4}, {"rating": 5, "comment": "quick"})) == {"": [4, 5], "comment": [None, "quick"]}
    assert plain(column({"languageCode": "de", "displayName": "Deutsch"})) == {"": ["Deutsch"], "code": ["de"]}


def test_teams_assets_groups_and_versions() -> None:
    team = {"id": "7f-1", "name": "Grid", "title": "Grid", "avatarUrl": "x", "isVisible": True, "isVerified": False}
    assert plain(column(team, None)) == {"": ["Grid", None], "id": ["7f-1", None]}
    assets = [{"workspaceId": "w", "id": "w:12", "objectId": "12"}, {"workspaceId": "w", "id": "w:9", "objectId": "9"}]
    assert plain(column(assets)) == {"": ["12; 9"], "ids": ["12; 9"]}
    labelled = [{"objectKey": "IT-1", "label": "Laptop", "objectId": "12"}]
    cells = plain(column(labelled))
    assert (cells[""], cells["ids"], json.loads(cells["json"][0])) == (["Laptop"], ["12"], labelled)
    assert plain(column({"name": "jira-users", "groupId": "g1", "self": "x"})) == {"": ["jira-users"], "id": ["g1"]}
    version = {
        "self": "x",
        "id": "7",
        "name": "1.0",
        "description": "first",
        "released": True,
        "releaseDate": "2026-03-01",
    }
    cells = plain(column([version]))
    assert (cells[""], json.loads(cells["json"][0])) == (["1.0"], [version])  # when it was released is not lost


def test_a_checklist_stays_json_and_is_counted() -> None:
    items = [{"id": 1, "name": "Test it", "checked": True}, {"id": 2, "name": "Ship it", "checked": False}]
    cells = plain(column(items, []))
    assert json.loads(cells[""][0]) == items
    assert (cells["count"], cells["checked"]) == ([2, None], [1, None])


def test_what_the_development_panel_tells() -> None:
    told = {"cachedValue": {"errors": [], "summary": {
        "pullrequest": {"overall": {"count": 4, "state": "MERGED"}}, "repository": {"overall": {"count": 9}},
    }}, "isStale": True}  # fmt: skip
    text = "{pullrequest={dataType=pullrequest, state=MERGED, stateCount=4}, json=" + json.dumps(told) + "}"
    assert plain(column("{}", text, None)) == {
        "": ["{}", text, None], "pull_requests": [None, 4, None], "commits": [None, 9, None],
        "pull_request_state": [None, "MERGED", None],
    }  # fmt: skip


def test_a_parent_link_that_is_set_and_one_that_is_not() -> None:
    unset = {"hasEpicLinkFieldDependency": False, "showField": False, "nonEditableReason": {"reason": "NO"}}
    link = unset | {"data": {"id": 10000, "key": "AB-7", "summary": "Grid", "isDone": True}}
    cells = plain(column(unset, link))
    assert json.loads(cells.pop("json")[1]) == link  # it tells more than the columns
    assert cells == {"key": [None, "AB-7"], "id": [None, "10000"], "summary": [None, "Grid"]}
    assert plain(column(unset)) == {"key": [None]}


def test_a_category_in_another_language_and_parents_as_the_cloud_sends_them() -> None:
    category = {"self": "x", "id": 3, "key": "done", "colorName": "green", "name": "Fertig"}
    status = {"self": "x", "name": "Erledigt", "id": "6", "description": "", "statusCategory": category}
    kind = {"self": "x", "id": "1", "name": "Epic", "subtask": False, "hierarchyLevel": 1}
    inside = {"summary": "Grid", "status": status, "priority": {"id": "3", "name": "High"}, "issuetype": kind}
    fields = {"statusCategory": category, "parent": {"id": "9", "key": "AB-1", "self": "x", "fields": inside}}
    frame = jira.unpack_fields(pd.DataFrame({"fields": [json.dumps(fields)]}))
    assert frame.iloc[0].to_dict() == {
        "current_status_category": "Done", "current_status_category_id": "3", "parent_key": "AB-1", "parent_id": "9",
        "parent_summary": "Grid", "parent_issue_type": "Epic", "parent_level": 1, "parent_status": "Erledigt",
        "parent_priority": "High",
    }  # fmt: skip


@pytest.mark.parametrize("odd", [{"fields": {}}, {"x": 1}, [1], 5])
def test_one_odd_value_does_not_cost_a_field_its_columns(odd: Any) -> None:
    values = [{"parent": {"key": "AB-1", "id": "9"}}, {"parent": odd}, {"parent": {"key": "AB-2", "id": "10"}}]
    frame = jira.unpack_fields(pd.DataFrame({"fields": [json.dumps(value) for value in values]}))
    assert frame["parent_key"].fillna("").to_list() == ["AB-1", "", "AB-2"]
    assert json.loads(frame["parent_json"][1]) == odd


# --- keys in other letters, keys twice ------------------------------------------------------------------------------


def test_keys_that_athena_folded_are_read_as_fast_and_alike() -> None:
    person = {"name": "u1", "displayName": "Ada", "emailAddress": "a@b.c"}
    folded = {key.lower(): value for key, value in person.items()}
    seen = Profile()
    seen.see(folded)
    assert choose_rule(FieldInfo("assignee"), seen).sql  # not value by value
    assert plain(column(folded)) == plain(column(person))
    assert plain(column(folded, person)) == plain(column(person, person))  # both kinds in one column
    assert plain(column([folded])) == plain(column([person]))


def test_of_a_key_that_comes_twice_the_first_is_taken_in_both_ways() -> None:
    text = '{"customfield_1": {"value": "a", "value": "b"}, "customfield_2": [{"name": "c", "name": "d"}]}'
    frame = jira.unpack_fields(pd.DataFrame({"fields": [text]}), keep_objects=True)
    assert frame.iloc[0].to_dict() == {
        "customfield_1": "a", "customfield_1_json": '{"value":"a","value":"b"}', "customfield_2": "c",
        "customfield_2_json": '[{"name":"c","name":"d"}]',
    }  # fmt: skip
    assert rules.read_json('{"a": 1, "a": 2, "b": 1e400}') == {"a": 1, "b": "1e400"}


# --- the fast way and the definition --------------------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8) | st.just("a; b")
words = st.sampled_from([
    "value", "name", "id", "key", "self", "displayName", "accountId", "displayname", "state", "boardId", "child",
    "total", "fields", "statusCategory", "completedCycles", "ongoingCycle", "breached", "rating", "checked", "data",
])  # fmt: skip
person = st.fixed_dictionaries(
    {}, optional={"displayName": texts, "name": texts, "accountId": texts, "key": texts, "x": st.integers()}
)
option = st.fixed_dictionaries(
    {},
    optional={
        "value": texts,
        "name": texts,
        "id": texts,
        "child": st.fixed_dictionaries({}, optional={"value": texts}),
    },
)
category = st.fixed_dictionaries({}, optional={"key": st.sampled_from(["new", "done", "x"]), "name": texts})
status = st.fixed_dictionaries({}, optional={"name": texts, "id": texts, "statusCategory": category})
numbers = st.integers(-5, 10**6) | st.floats(-1e6, 1e6, allow_subnormal=False)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | texts | st.floats(-9, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | words, inner, max_size=4),
    max_leaves=6,
)


def dict_of(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({}, optional=dict(keys))


kind = dict_of(name=texts, hierarchyLevel=st.integers(-1, 3))
RULES: list[tuple[rules.Rule, st.SearchStrategy[Any]]] = [
    (rules.USER, person), (rules.OPTION, option), (rules.CASCADING, option), (rules.NAMED, option),
    (rules.STATUS, status), (rules.STATUS_CATEGORY, category | st.just({"id": 3})),
    (rules.NAMES, st.lists(option, max_size=3)), (rules.USERS, st.lists(person, max_size=3)),
    (rules.TEXTS, st.lists(texts, max_size=3)), (rules.COUNTED, st.lists(option, max_size=3)),
    (rules.PROJECT, dict_of(key=texts, name=texts, id=texts, projectCategory=dict_of(name=texts, id=texts))),
    (rules.ISSUE_TYPE, dict_of(name=texts, id=texts, subtask=st.booleans(), hierarchyLevel=st.integers(-1, 3))),
    (rules.EPIC, dict_of(key=texts, id=st.integers(0, 9), name=texts, summary=texts, done=st.booleans())),
    (rules.PARENT, dict_of(key=texts, id=texts, fields=dict_of(summary=texts, issuetype=kind, status=status))),
    (rules.VOTES, st.fixed_dictionaries({"votes": st.integers(0, 99)})),
    (rules.WATCHES, st.fixed_dictionaries({"watchCount": st.integers(0, 99), "isWatching": st.booleans()})),
    (rules.PROGRESS, dict_of(progress=st.integers(0, 99), total=st.integers(0, 99), percent=st.integers(0, 100))),
    (rules.TIME_TRACKING, dict_of(timeSpent=texts, timeSpentSeconds=st.integers(0, 10**6), remainingEstimate=texts)),
    (rules.PAGE, st.fixed_dictionaries({"total": st.integers(0, 9), "comments": st.lists(option, max_size=2)})),
    (desk_rules.RATING, dict_of(rating=st.integers(1, 5), comment=texts)),
    (desk_rules.LANGUAGE, dict_of(languageCode=texts, displayName=texts)),
    (desk_rules.TEAM, dict_of(id=texts, name=texts, title=texts, isShared=st.booleans())),
    (desk_rules.ASSETS, st.lists(dict_of(id=texts, objectId=texts, label=texts), max_size=3)),
]  # fmt: skip
IN_PYTHON: list[tuple[rules.Rule, st.SearchStrategy[Any]]] = [
    (rules.SPRINT, st.lists(dict_of(id=st.integers(0, 9), name=texts, state=texts, startDate=texts), max_size=2)),
    (desk_rules.SLA, dict_of(ongoingCycle=anything, completedCycles=anything, errorMessage=texts)),
    (desk_rules.REQUEST_TYPE, st.fixed_dictionaries({"requestType": option, "currentStatus": anything})),
    (desk_rules.APPROVALS, st.lists(dict_of(approvers=anything, finalDecision=texts), max_size=2)),
    (desk_rules.CHECKLIST, st.lists(st.fixed_dictionaries({"checked": st.booleans()}), max_size=3)),
    (desk_rules.DEVELOPMENT, texts | anything.map(lambda v: f"{{json={json.dumps({'cachedValue': {'summary': v}})}}}")),
    (desk_rules.PARENT_LINK, st.fixed_dictionaries({"hasEpicLinkFieldDependency": st.booleans(), "data": anything})),
]  # fmt: skip
WHOLE: list[tuple[rules.Rule, st.SearchStrategy[Any]]] = [  # taken as one text, which is cast as a column
    (rules.TEXT, texts), (rules.NUMBER, numbers), (rules.BOOLEAN, st.booleans()), (rules.JSON, anything),
    (rules.DATE, st.dates().map(str)), (rules.DATETIME, st.datetimes().map(lambda t: f"{t:%Y-%m-%dT%H:%M:%S}+0100")),
]  # fmt: skip
EVERY = [*RULES, *IN_PYTHON, *WHOLE]


def test_every_rule_is_tried() -> None:
    tried = {rule.name for rule, _ in EVERY}
    known = [*known_fields.BY_CUSTOM_TYPE.values(), *known_fields.BY_TYPE.values(), *known_fields.BY_ITEMS.values()]
    known += [rule for _, rule in known_fields.SYSTEM.values() if rule] + list(rules.SCALARS.values())
    assert {rule.name for rule in known} <= tried


shared_connection = cache(plan.connect)


def by_rule(
    rule: rules.Rule, values: list[Any], *, by_value: bool = False, odd: bool = False, keep: bool = False
) -> list[list[Any]]:
    """Unpack values of one field by a rule, the fast way or value by value: rows of cells."""
    connection = shared_connection()
    table = {"_position": range(len(values)), "_fields": [json.dumps({"f": v}) for v in values]}
    connection.register("_given", pa.table(table))
    seen = Profile()
    for value in values:
        seen.see(value)
    field = Field(FieldInfo("f"), rule, seen, by_value=by_value, keep_object=keep)
    unpacked = run_plan(Source(connection, "SELECT * FROM _given", len(values)), {"f": field})
    assert odd or unpacked.fields["f"].rule is rule
    return [list(row) for row in zip(*(c.to_pylist() for c in unpacked.columns["f"]), strict=True)]


@pytest.mark.parametrize(("rule", "usual"), RULES, ids=[rule.name for rule, _ in RULES])
def test_the_fast_way_is_the_definition(rule: rules.Rule, usual: st.SearchStrategy[Any]) -> None:
    @settings(max_examples=10, deadline=None)
    @given(st.lists(usual | st.none(), min_size=1, max_size=6))
    def check(values: list[Any]) -> None:
        assert by_rule(rule, values) == by_rule(rule, values, by_value=True)

    check()


@pytest.mark.parametrize("key", [[], {}, 3, None])
def test_a_category_whose_key_is_no_text_is_told_as_it_is(key: Any) -> None:
    (category, *_) = rules.STATUS_CATEGORY.convert({"key": key, "name": "Doing"}) or (None,)
    assert category == "Doing"


@pytest.mark.parametrize(("rule", "usual"), EVERY, ids=[rule.name for rule, _ in EVERY])
def test_no_odd_value_is_lost(rule: rules.Rule, usual: st.SearchStrategy[Any]) -> None:
    """A value of any shape, among usual ones, gives something in a column, and as the definition says."""

    @settings(max_examples=10, deadline=None)
    @given(st.lists(usual, max_size=3), anything)
    def check(values: list[Any], odd: Any) -> None:
        cells = by_rule(rule, [*values, odd], odd=True)
        assert rule.scalar or cells == by_rule(rule, [*values, odd], by_value=True, odd=True)
        nothing = (
            odd is None or odd in ("", [], {}) or (isinstance(odd, list) and not set(map(str, odd)) - {"None", ""})
        )
        assert any(cell is not None for cell in cells[-1]) or nothing or is_unset(rule, odd), (odd, cells)

    check()


def is_unset(rule: rules.Rule, value: Any) -> bool:
    """A value that says of itself that there is nothing: an SLA without cycles."""
    return rule is desk_rules.SLA and isinstance(value, dict)


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    elif value is not None:
        yield value


def said(cells: list[Any]) -> set[Any]:
    """All that a row of cells says: itself, the texts joined in it, the leaves of its JSON; numbers as numbers."""
    found: set[Any] = set()
    for cell in cells:
        for text in (cell, *cell.split("; ")) if isinstance(cell, str) else ():
            found |= {text, float(text)} if is_number(text) else {text}
            if text[:1] in ("{", "["):
                inner = list(leaves(json_or_none(text)))
                found |= {way for leaf in inner for way in ways_to_say(leaf)} | said(
                    [leaf for leaf in inner if isinstance(leaf, str) and leaf[:1] in ("{", "[")]
                )
        if cell is not None and not isinstance(cell, str):
            found |= ways_to_say(cell)
    return found


def ways_to_say(leaf: Any) -> set[Any]:
    """A leaf as a text and, where it can be one, as a number or an instant, so that equal ones are equal."""
    if isinstance(leaf, bool) or leaf is None:
        return {json.dumps(leaf)}
    if isinstance(leaf, str):
        return {leaf} | ({float(leaf)} if is_number(leaf) else set()) | instants(leaf)
    if isinstance(leaf, int | float):
        return {float(leaf), json.dumps(leaf)}
    return {pd.Timestamp(leaf).isoformat(), str(leaf)}


def is_number(text: str) -> bool:
    return bool(re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", text))


def instants(text: str) -> set[str]:
    return {pd.Timestamp(text).tz_convert("UTC").isoformat()} if re.fullmatch(r"\d{4}-.*\+0100", text) else set()


def json_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


@pytest.mark.parametrize(("rule", "usual"), EVERY, ids=[rule.name for rule, _ in EVERY])
def test_kept_whole_no_leaf_of_any_value_is_lost(rule: rules.Rule, usual: st.SearchStrategy[Any]) -> None:
    @settings(max_examples=12, deadline=None)
    @given(st.lists(usual | anything, min_size=1, max_size=4))
    def check(values: list[Any]) -> None:
        for value, cells in zip(values, by_rule(rule, values, odd=True, keep=True), strict=True):
            for leaf in leaves(value):
                assert leaf == "" or ways_to_say(leaf) & said(cells), (leaf, cells)

    check()


@settings(max_examples=100, deadline=None)
@given(st.lists(anything, min_size=1, max_size=4), st.sampled_from([rule for rule, _ in EVERY]))
@example([[[], [False]]], rules.NAMES)  # JSON texts joined
@example([[["a; b"], False]], rules.NAMES)  # a JSON list of JSON texts
def test_what_the_columns_leave_out_by_default_is_decoration(values: list[Any], rule: rules.Rule) -> None:
    """A leaf that is in no column lies below a key of those that are set aside."""
    seen = Profile()
    for value in values:
        seen.see(value)
    keep = bool(noteworthy_keys(rule, seen))
    aside = {step for key in rule.aside for step in key.split(".")} | rules.DECORATIVE
    for value, cells in zip(values, by_rule(rule, values, odd=True, keep=keep), strict=True):
        for leaf in leaves(without(value, {key.casefold() for key in aside})):
            assert leaf == "" or ways_to_say(leaf) & said(cells), (leaf, cells)


def without(value: Any, keys: set[str]) -> Any:
    """A value without what lies below these keys."""
    if isinstance(value, list):
        return [without(inner, keys) for inner in value]
    if isinstance(value, dict):
        return {key: without(inner, keys) for key, inner in value.items() if key.casefold() not in keys}
    return value
