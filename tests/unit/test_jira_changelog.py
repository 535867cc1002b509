"""What changed in issues: from changelogs as Jira sends them, real ones among them, and from versions."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit import jira
from datalake_kit.errors import ColumnNotFoundError, DataError
from datalake_kit.jira.history.changelog import COLUMNS, changelog, history_report
from datalake_kit.jira.history.intervals import status_intervals
from tests.jira_histories import (
    FIELD_IDS,
    History,
    histories,
    landing_times,
    random_histories,
    to_frame,
    to_versions,
)

Document = dict[str, Any]


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    folder = Path(__file__).parents[1] / "data" / "jira"
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return [d for d in found if d.get("id") and d["key"] != "SAM-1"]  # of another site, with the id of HST-1


def unpacked(documents: list[Document]) -> pd.DataFrame:
    rows = [
        {"id": d["id"], "key": d["key"], "fields": json.dumps(d["fields"]),
         "changelog": json.dumps(d["changelog"], ensure_ascii=False) if "changelog" in d else None}
        for d in documents
    ]  # fmt: skip
    return jira.unpack_fields(pd.DataFrame(rows))


def entry(number: str | None, at: str | None, *items: tuple[Any, ...], **more: Any) -> Document:
    """An entry of a changelog; items as field, from, fromString, to, toString."""
    names = ("field", "from", "fromString", "to", "toString")
    found = {"created": at, "items": [dict(zip(names, item, strict=True)) for item in items], **more}
    return found if number is None else {"id": number, **found}


def issue(*entries: Document, **page: Any) -> pd.DataFrame:
    text = json.dumps({"histories": list(entries), **page})
    return pd.DataFrame({"id": ["10"], "key": ["A-1"], "changelog": [text]})


MOVE = ("status", "1", "Open", "3", "Doing")
DAY = "2026-03-02T09:00:00.000+0000"


# --- real documents -------------------------------------------------------------------------------------------------


def test_every_item_of_every_real_document_is_there(documents: list[Document]) -> None:
    found = changelog(unpacked(documents))
    assert list(found.columns) == list(COLUMNS)
    expected = [
        (d["id"], d["key"], item["field"], item.get("from"), item.get("fromString"), item.get("to"),
         item.get("toString"), pd.Timestamp(h["created"]).tz_convert("UTC"), h.get("author", {}).get("displayName"))
        for d in documents if "changelog" in d for h in d["changelog"]["histories"] for item in h["items"]
    ]  # fmt: skip
    columns = ["id", "key", "field", "from_value", "from_text", "to_value", "to_text", "changed_at", "author"]
    rows = [tuple(None if pd.isna(v) else v for v in row) for row in found[columns].itertuples(index=False)]
    assert sorted(map(repr, rows)) == sorted(map(repr, expected))
    assert len(rows) == 193
    assert found["exact"].all()
    assert (found["source"] == "changelog").all()
    assert found.equals(found.sort_values(["id", "changed_at"], kind="stable"))
    pd.testing.assert_series_equal(found["not_before"], found["changed_at"], check_names=False)


def test_the_real_statuses_of_an_issue(documents: list[Document]) -> None:
    """EE-1: localised names, one id under two names, the last move 2 ms after `updated`, a later entry of Workflow."""
    frame = unpacked([d for d in documents if d["key"] == "EE-1"])
    found = status_intervals(frame)
    assert found["status"].to_list() == ["Inbox", "Ready for Dev", "In Progress", "Open", "Closed", "已完成"]
    assert found["status_id"].to_list() == ["10020", "10029", "3", "1", "6", "10068"]
    assert found["problem"].isna().all()
    assert found["start"].iloc[-1] - frame["updated"].iloc[0] == timedelta(milliseconds=2)
    assert found["end"].iloc[-1] == found["start"].iloc[-1]  # all that the data know of is the move itself
    assert found["seconds"].iloc[2] == pytest.approx(9849.567)


def test_the_report_of_real_documents(documents: list[Document]) -> None:
    report = history_report(unpacked(documents)).set_index("key")
    assert report.loc["EE-1", ["source", "entries", "missing_entries"]].to_list() == ["changelog", 25, 0]
    assert report.loc["HST-1", "entries"] == 4
    assert pd.isna(report.loc["PROJ-123", "source"])
    assert report[["missing_entries", "undated_entries", "unreadable", "undated_versions"]].to_numpy().sum() == 0


# --- shapes ---------------------------------------------------------------------------------------------------------


def test_every_shape_of_a_changelog(documents: list[Document]) -> None:
    page = next(d for d in documents if d["key"] == "EE-2")["changelog"]
    base = pd.DataFrame({"id": ["1"], "key": ["A-1"]})
    text = changelog(base.assign(changelog=[json.dumps(page)]))
    values = {"startAt": 0, "maxResults": 100, "total": 24, "isLast": True, "values": page["histories"]}
    struct = pa.array([page]).to_pandas()  # dicts that hold arrays of numpy
    for shape in (
        [page], [values], [json.dumps(values)], [json.dumps(page["histories"])], [page["histories"]], struct,
        pd.Series([json.dumps(page)], dtype="category"), pd.Series([json.dumps(page)], dtype=object),
        pd.arrays.ArrowExtensionArray(pa.array([page])),
    ):  # fmt: skip
        pd.testing.assert_frame_equal(changelog(base.assign(changelog=shape)), text)
    assert len(text) == sum(len(h["items"]) for h in page["histories"])


def test_instants_of_jira() -> None:
    forms = ["2026-03-02T10:00:00.000+0100", "2026-03-02T09:00:00Z", "2026-03-02T09:00:00.000+00:00", 1772442000000]
    frame = issue(*(entry(str(n), at, MOVE) for n, at in enumerate(forms)))  # type: ignore[arg-type]
    assert set(changelog(frame)["changed_at"]) == {pd.Timestamp(DAY)}


def test_an_entry_without_an_instant_is_left_out_and_counted() -> None:
    frame = issue(
        entry("1", None, MOVE), entry("2", "yesterday", MOVE), entry("3", "2026-03-02T09:00:00", MOVE),
        entry("4", "2026-02-30T09:00:00.000+0000", MOVE), entry("5", DAY, MOVE),
    )  # fmt: skip
    assert len(changelog(frame)) == 1
    assert history_report(frame)[["entries", "undated_entries"]].to_numpy().tolist() == [[5, 4]]


def test_authors_that_are_gone_or_of_old_servers() -> None:
    people = [{"author": {"displayName": "Ada", "accountId": "5d"}}, {"author": {"name": "ada"}}, {}, {"author": None}]
    frame = issue(*(entry(str(n), DAY, MOVE, **who) for n, who in enumerate(people)))
    found = changelog(frame)
    assert found["author"].fillna("").to_list() == ["Ada", "ada", "", ""]
    assert found["author_account_id"].fillna("").to_list() == ["5d", "ada", "", ""]


def test_entries_of_one_instant_are_in_the_order_of_their_numbers() -> None:
    steps = [entry("9", DAY, MOVE), entry("10", DAY, ("status", "3", "Doing", "6", "Closed"))]
    for listed in (steps, steps[::-1]):
        assert changelog(issue(*listed))["to_text"].to_list() == ["Doing", "Closed"]
    two = entry("7", DAY, MOVE, ("status", "3", "Doing", "1", "Open"))
    assert changelog(issue(two))["to_text"].to_list() == ["Doing", "Open"]


def test_what_values_may_be() -> None:
    odd = entry("1", DAY, ("Points", 3, None, [5, "a"], {"x": 1}), ("", None, "", "", None), (None, 1, 1, 1, 1))
    found = changelog(issue(odd))
    assert found["to_value"].to_list() == ['[5,"a"]', ""]
    assert found["from_value"].fillna("-").to_list() == ["3", "-"]
    assert found["to_text"].fillna("-").to_list() == ['{"x":1}', "-"]


# --- cut short, twice, damaged --------------------------------------------------------------------------------------


def test_a_changelog_cut_short_is_reported() -> None:
    frame = issue(entry("1", DAY, MOVE), startAt=0, maxResults=1, total=120)
    assert history_report(frame)["missing_entries"].to_list() == [119]
    assert history_report(issue(total="x"))["missing_entries"].to_list() == [0]


def test_an_entry_counts_once_however_often_it_comes() -> None:
    first, second = (
        entry("1", DAY, MOVE),
        entry("2", "2026-03-03T09:00:00.000+0000", ("status", "3", "Doing", "1", "Open")),
    )
    assert len(changelog(issue(first, second, first))) == 2  # pages that overlap
    assert history_report(issue(first, second, first, total=3))["missing_entries"].to_list() == [1]
    nameless = [entry(None, DAY, MOVE), entry(None, DAY, ("Rank", "", "", "", "up"))]
    assert len(changelog(issue(*nameless, *nameless))) == 2
    versions = pd.concat([issue(first), issue(second, total=2)]).assign(
        updated=pd.to_datetime(["2026-03-02T09:00Z", "2026-03-03T09:00Z"])
    )
    assert changelog(versions)["to_text"].to_list() == ["Doing", "Open"]  # together
    assert history_report(versions)[["versions", "entries", "missing_entries"]].to_numpy().tolist() == [[2, 2, 0]]


def test_the_copy_of_an_entry_in_the_newest_version_counts() -> None:
    versions = pd.concat([issue(entry("1", DAY, MOVE)), issue(entry("1", DAY, ("status", "1", "Open", "3", "进行中")))])
    versions["updated"] = pd.to_datetime(["2026-03-03T09:00Z", "2026-03-02T09:00Z"])
    assert changelog(versions)["to_text"].to_list() == ["Doing"]


@pytest.mark.parametrize("text", ["{", "no json", '"text"', "{}", "17", "null", '{"histories": {"a": 1}}', "\ud800"])
def test_a_changelog_that_is_none_is_counted_and_the_versions_tell(text: str) -> None:
    states = [("2026-03-02T09:00Z", "Open", "1"), ("2026-03-03T09:00Z", "Doing", "3")]
    frame = pd.DataFrame(states, columns=["updated", "status", "status_id"]).assign(
        id="10", key="A-1", created=pd.Timestamp("2026-03-02T09:00Z"), changelog=pd.Series([text] * 2, dtype=object)
    )
    frame["updated"] = pd.to_datetime(frame["updated"])
    good = issue(entry("1", DAY, MOVE)).assign(id="11", status="Doing")
    both = pd.concat([frame, good])
    assert changelog(both)[["id", "to_text", "source"]].to_numpy().tolist() == [
        ["10", "Doing", "versions"], ["11", "Doing", "changelog"]]  # fmt: skip
    assert history_report(both)["unreadable"].to_list() == [2, 0]
    assert status_intervals(both)["problem"].to_list()[0] == "2 changelogs cannot be read"


def test_a_deep_changelog_and_a_long_one() -> None:
    deep = '{"x": ' * 1000 + "1" + "}" * 1000
    frame = issue(entry("1", DAY, MOVE))
    frame["changelog"] = [f'{{"deep": {deep}, {frame["changelog"][0][1:]}']
    assert len(changelog(frame)) == 1
    long = issue(entry("1", DAY, ("description", None, "x" * 5_000_000, None, "y" * 5_000_000)))
    assert len(changelog(long)["to_text"][0]) == 5_000_000


# --- versions -------------------------------------------------------------------------------------------------------


def changed(found: pd.DataFrame) -> list[tuple[Any, ...]]:
    columns = ["id", "field", "from_value", "from_text", "to_value", "to_text"]
    return [tuple(None if pd.isna(v) else v for v in row) for row in found[columns].itertuples(index=False)]


@settings(max_examples=6, deadline=None)
@given(histories(most_issues=20))
def test_a_changelog_tells_every_event(some: list[History]) -> None:
    found = changelog(to_frame(some))
    expected = [(h.id, e.field, *e.before, *e.after) for h in sorted(some, key=lambda h: h.id) for e in h.events]
    assert changed(found) == expected
    assert found["changed_at"].to_list() == [e.at for h in sorted(some, key=lambda h: h.id) for e in h.events]
    assert found["field_id"].to_list() == [FIELD_IDS[f] for f in found["field"]]


@settings(max_examples=8, deadline=None)
@given(histories(most_issues=20), st.sampled_from([6, 24, 200]), st.booleans())
def test_versions_tell_the_difference_and_when_it_can_have_been(some: list[History], hours: int, resend: bool) -> None:
    times = landing_times(some, timedelta(hours=hours))
    found = changelog(to_versions(some, times, resend=resend))
    assert not found["exact"].any()
    assert (found["not_before"] <= found["changed_at"]).all()
    assert (found["changed_at"] <= found["not_after"]).all()
    for history in some:
        one = found[found["id"] == history.id]
        seen = [at for at in times if at >= history.created]
        for name in FIELD_IDS:
            expected = differences(history, name, seen)
            rows = one[one["field"] == name]
            texts = [tuple("" if pd.isna(v) else v for v in r) for r in rows[["from_text", "to_text"]].to_numpy()]
            assert texts == [(a, b) for a, b, _, _ in expected]
            assert rows["not_before"].to_list() == [low for _, _, low, _ in expected]
            assert rows["not_after"].to_list() == [high for _, _, _, high in expected]


def differences(history: History, field: str, seen: list[datetime]) -> list[tuple[str, str, datetime, datetime]]:
    """What a run that lands at each of the times sees change: from, to, `updated` before and after."""
    found = []
    for earlier, later in pairwise(seen):
        before, after = (shown(history, field, at) for at in (earlier, later))
        if before != after:
            found.append((before, after, history.updated(earlier), history.updated(later)))
    return found


def shown(history: History, field: str, at: datetime) -> str:
    """The text that a frame of versions has for a field; a list of sprints is in the order of their numbers."""
    text = history.state(at)[field][1] or ""
    return "; ".join(sorted(text.split(", "))) if field == "Sprint" else text


def test_a_category_that_changed_within_the_bounds_says_when() -> None:
    some = random_histories(random.Random(11), 60, fields=["status"])
    times = landing_times(some, timedelta(days=9))
    frame = to_versions(some, times)
    found = changelog(frame)
    narrowed = found[found["changed_at"] < found["not_after"]]
    assert len(narrowed) > 5
    events = {(h.id, e.at) for h in some for e in h.events}
    assert all((row.id, row.changed_at) in events for row in narrowed.itertuples())
    wide = changelog(frame.drop(columns="status_category_changed"))
    assert (wide["changed_at"] == wide["not_after"]).all()
    outside = frame.assign(status_category_changed=pd.Timestamp("2020-01-01", tz="UTC"))
    pd.testing.assert_frame_equal(changelog(outside), wide)


def test_a_field_under_its_business_name() -> None:
    values = [("2026-03-02", 3, "Red"), ("2026-03-03", 5, "Blue")]
    versions = [
        {"updated": f"{day}T09:00:00.000+0000", "customfield_10016": points, "customfield_10030": {"value": colour},
         "votes": {"votes": points}}
        for day, points, colour in values
    ]  # fmt: skip
    raw = pd.DataFrame({"id": ["1", "1"], "key": ["A-1", "B-1"], "fields": [json.dumps(v) for v in versions]})
    frame = jira.unpack_fields(raw, names={"customfield_10016": "Story Points", "customfield_10030": "Team colour"})
    found = changelog(frame)
    assert set(changed(found)) == {
        ("1", "Story Points", None, "3", None, "5"), ("1", "Team colour", None, "Red", None, "Blue"),
        ("1", "Key", None, "A-1", None, "B-1"),
    }  # fmt: skip
    assert set(found["key"]) == {"B-1"}
    assert found.set_index("field").loc["Team colour", "field_id"] == "customfield_10030"
    for name in ("Team colour", "team_colour", "customfield_10030"):
        assert changelog(frame, fields=name)["field"].to_list() == ["Team colour"]
    assert len(changelog(frame, fields=[])) == 0


def test_a_person_of_the_same_account_under_another_name_did_not_change() -> None:
    frame = pd.DataFrame({
        "id": "1", "updated": pd.to_datetime(["2026-03-02T00Z", "2026-03-03T00Z", "2026-03-04T00Z"]),
        "assignee": ["Ada", "Ada Lang", None], "assignee_account_id": ["5d", "5d", None],
    })  # fmt: skip
    assert changed(changelog(frame)) == [("1", "assignee", "5d", "Ada Lang", None, None)]


def test_fields_of_a_changelog_by_name_id_or_column() -> None:
    frame = to_frame(random_histories(random.Random(2), 20))
    everything = changelog(frame)
    for asked in ("Story Points", "story points", "customfield_10016", "story_points"):
        found = changelog(frame, fields=asked)
        assert len(found) > 3
        pd.testing.assert_frame_equal(found, everything[everything["field"] == "Story Points"].reset_index(drop=True))
    both = changelog(frame, fields=["status", "Flagged"])
    assert set(both["field"]) == {"status", "Flagged"}


# --- input ----------------------------------------------------------------------------------------------------------


def test_no_history_is_refused() -> None:
    frame = to_frame(random_histories(random.Random(2), 3)).drop(columns="changelog")
    for call in (changelog, history_report):
        with pytest.raises(DataError, match=r"no column changelog.*expand=changelog"):
            call(frame)
        with pytest.raises(ColumnNotFoundError, match="no column id"):
            call(frame.drop(columns="id"))
        with pytest.raises(DataError, match="1 rows have no id"):
            call(pd.concat([frame, frame.head(1).assign(id=None)]))


def test_one_version_of_each_issue_tells_of_no_change() -> None:
    some = random_histories(random.Random(2), 5)
    once = to_versions(some, [landing_times(some)[-1]])
    assert len(changelog(once)) == 0
    assert history_report(once)["source"].isna().all()


def test_an_empty_table_gives_an_empty_one() -> None:
    full = to_frame(random_histories(random.Random(1), 5))
    for empty in (full.head(0), to_versions([], []), pd.DataFrame({"id": []})):
        found = changelog(empty)
        assert len(found) == 0
        assert found.dtypes.to_dict() == changelog(full).dtypes.to_dict()
        assert len(history_report(empty)) == 0


def test_the_input_is_not_changed_and_ids_may_be_numbers() -> None:
    frame = issue(entry("1", DAY, MOVE))
    frame["changelog"] = [json.loads(frame["changelog"][0])]
    before = json.dumps(frame["changelog"][0])
    numbers = frame.assign(id=[10.0])
    assert changelog(numbers)["id"].to_list() == ["10"]
    assert json.dumps(frame["changelog"][0]) == before


def test_cells_of_what_is_returned_can_be_set() -> None:
    frame = to_frame(random_histories(random.Random(3), 20))
    for make in (changelog, history_report, status_intervals):
        found = make(frame)
        for place, name in enumerate(found.columns):
            found.loc[0, name] = found[name].iloc[-1]
            found.iloc[1, place] = found[name].iloc[-1]
            assert pd.isna(found.loc[0, name]) or found.loc[0, name] == found[name].iloc[-1]
