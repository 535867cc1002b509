"""Pictures of Jira issues: what they say, and that they can be drawn of anything."""

from __future__ import annotations

import io

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.axes import Axes

from datalake_kit.errors import ColumnNotFoundError, DataError
from datalake_kit.plots import jira as pictures

ISSUES = pd.DataFrame(
    {
        "id": ["1", "2", "3", "4", "5"], "key": ["A-1", "A-2", "A-10", "A-3", "B-1"], "project": ["A"] * 4 + ["B"],
        "issue_type": ["Epic", "Story", "Story", "Sub-task", None], "parent_id": [None, "1", "1", "2", None],
        "summary": ["$x_1$ & <b>", "故事 🚀", None, "line\nbreak", "z" * 300],
        "status": ["Open", "Erledigt", None, "$", "a"],
        "status_category": ["To Do", "Done", "In Progress", "Done", None],
        "updated": pd.to_datetime(["2026-03-01", "2026-03-05", None, "2026-03-02", "2026-03-03"], utc=True),
    }
)  # fmt: skip


def draw(ax: Axes) -> list[str]:
    """Draw it (a warning is an error) and give back every text that can be read."""
    ax.figure.savefig(io.BytesIO(), format="png")
    texts = [t.get_text() for t in (*ax.texts, *ax.get_yticklabels(), ax.title, ax.xaxis.label, ax.yaxis.label)]
    sides = [t for side in ("left", "right") if (t := ax.get_title(loc=side))]
    plt.close("all")
    return [*texts, *sides]


def test_status_by_type_says_scope_period_and_every_number() -> None:
    ax = pictures.status_by_type(ISSUES)
    hatches = {bar.get_hatch() for container in ax.containers for bar in container}
    legend = [t.get_text() for t in ax.get_legend().get_texts()]
    said = draw(ax)
    assert any("5 issues of A, B, updated 2026-03-01 to 2026-03-05 (UTC)" in t for t in said)
    assert {"Epic", "Story", "Sub-task", "no type", "issues", "issue type"} <= set(said)
    assert said.count("2") == 1  # Story
    assert legend == ["To Do", "In Progress", "Done", "no category"]
    assert len(hatches) >= 3  # told apart without colour


def test_bars_add_up_and_the_longest_is_on_top() -> None:
    ax = pictures.status_by_type(ISSUES)
    total = sum(bar.get_width() for container in ax.containers for bar in container)
    assert total == len(ISSUES)
    assert ax.get_yticklabels()[0].get_text() == "Story"
    assert ax.yaxis_inverted()
    draw(ax)


def test_it_draws_where_it_is_told_and_only_there() -> None:
    _, ax = plt.subplots()
    before = len(plt.get_fignums())
    assert pictures.status_by_type(ISSUES, ax=ax) is ax
    assert len(plt.get_fignums()) == before
    draw(ax)


def test_types_whose_names_cannot_be_drawn_have_their_ids() -> None:
    frame = ISSUES.assign(issue_type="\U0001f680", issue_type_id="10001")
    assert "□ (id 10001)" in draw(pictures.status_by_type(frame))


def test_an_epic_with_its_children() -> None:
    said = draw(pictures.hierarchy(ISSUES, "A-1"))
    keys = [t.split()[0] for t in said if t.startswith("A-") and "\n" not in t]
    assert keys == ["A-1", "A-2", "A-3", "A-10"]  # children below their parent, numbers in their order
    assert any("2 of 3 done" in t for t in said)
    assert any("(no summary)" in t for t in said)
    assert any("$x_1$ & <b>" in t for t in said)


def test_more_rows_than_there_is_room_for_are_counted() -> None:
    said = draw(pictures.hierarchy(ISSUES, "A-1", most=2))
    assert "and 2 more" in said


def test_an_epic_that_is_not_in_the_data() -> None:
    frame = ISSUES.iloc[1:].assign(parent_key=["A-1", "A-1", "A-2", None])
    assert any("A-1 (not in the data): 2 of 3 done" in t for t in draw(pictures.hierarchy(frame, "A-1")))


def test_bad_input() -> None:
    with pytest.raises(ColumnNotFoundError, match="status_category"):
        pictures.status_by_type(ISSUES.drop(columns="status_category"))
    with pytest.raises(DataError, match="no issue"):
        pictures.status_by_type(ISSUES.head(0))
    with pytest.raises(DataError, match=r"A-11.*A-1"):
        pictures.hierarchy(ISSUES, "A-11")
