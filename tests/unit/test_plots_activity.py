"""The picture of commits: what it counts, what it marks, and that one commit or a thousand can be read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

import datalake_kit as dk
from datalake_kit.errors import ParameterError
from datalake_kit.hudi.commits import load_timeline
from datalake_kit.hudi.history import timeline_frame
from datalake_kit.plots import style
from tests.replication import odp_table, public_table


def frame_of(name: str) -> pd.DataFrame:
    return timeline_frame(load_timeline(odp_table(name) if "table" in name else public_table(name)))


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


def many(count: int, step: str = "10min") -> pd.DataFrame:
    """A timeline of so many commits: a first load of a million rows, then 100 inserted, 50 updated, 10 deleted each."""
    frame = frame_of("tables/v6_table_1").iloc[[0] * count].reset_index(drop=True)
    begins = pd.date_range("2026-03-01", periods=count, freq=step, tz="UTC").astype("datetime64[us, UTC]")
    frame = frame.assign(started_at=begins, inserts=100, updates=50, deletes=10, operation="UPSERT")
    frame.loc[0, ["inserts", "updates", "deletes"]] = [1_000_000, 0, 0]
    return frame.assign(rows_after=(frame["inserts"] - frame["deletes"]).cumsum().astype("Int64"))


def heights(ax: Axes, label: str) -> list[float]:
    (bars,) = [c for c in ax.containers if c.get_label() == label]
    return [float(p.get_height()) for p in bars.patches]  # type: ignore[attr-defined]


def labels(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    assert legend is not None
    return [t.get_text() for t in legend.get_texts()]


def rows_line(ax: Axes) -> Any:
    right = [a for a in ax.figure.axes if a is not ax]
    return right[0].lines[0].get_ydata() if right else None


def test_each_commit_has_a_bar_above_and_below() -> None:
    frame = frame_of("tables/v6_table_10")
    frame.attrs["table"] = "taxi.table_10"
    ax = dk.plots.cdc.activity(frame)
    assert heights(ax, "inserted") == frame["inserts"].tolist()
    assert heights(ax, "updated") == frame["updates"].tolist()
    assert heights(ax, "deleted") == [-float(n) for n in frame["deletes"]]
    assert rows_line(ax).tolist() == frame["rows_after"].tolist()
    assert ax.get_title(loc="left") == "taxi.table_10: 9 commits"
    assert "UTC" in ax.get_xlabel()
    assert ax.get_xticklabels()[0].get_text() == "21:59:56\n2026-11-23"
    assert labels(ax) == ["inserted", "updated", "deleted", "rows in the table (right)"]


def test_a_first_load_is_cut_off_and_its_value_written() -> None:
    ax = dk.plots.cdc.activity(frame_of("tables/v6_table_10"))
    assert ax.get_ylim()[1] < 20
    assert [t.get_text() for t in ax.texts] == ["\N{BLACK UP-POINTING TRIANGLE} 2,000 rows"]
    even = dk.plots.cdc.activity(frame_of("cow/v9_txns_simple_nometa"))
    assert (even.get_ylim()[1] > 8, [t.get_text() for t in even.texts]) == (True, [])


def test_moved_rows_are_marks_and_replaced_ones_stand_below() -> None:
    frame = frame_of("mor/v9_txns_simple_nometa")
    ax = dk.plots.cdc.activity(frame)
    assert heights(ax, "inserted") == [
        0 if o == "CLUSTER" else n for o, n in zip(frame["operation"], frame["inserts"], strict=True)
    ]
    marks = {str(line.get_label()): np.asarray(line.get_xdata()).tolist() for line in ax.lines}
    assert (marks["compaction"], marks["clustering"]) == ([10], [11])
    replaced = dk.plots.cdc.activity(frame_of("cow/v9_txns_simple_nometa"))
    assert (
        heights(replaced, "replaced") == [0] * 7 + [-4] + [0] * 4
    )  # the clustering replaced 10, which are still there


def test_the_line_is_broken_where_rows_are_not_known() -> None:
    ax = dk.plots.cdc.activity(frame_of("mor/v9_txns_simple_nometa"))
    assert np.isnan(rows_line(ax)).tolist() == [False] + [True] * 9 + [False] * 3
    assert ax.get_title(loc="left") == "13 commits; rows unknown after 9"
    nothing = frame_of("tables/v6_table_1").assign(rows_after=pd.array([pd.NA] * 4, dtype="Int64"))
    assert rows_line(dk.plots.cdc.activity(nothing)) is None


def test_anomalies_are_marked() -> None:
    ax = dk.plots.cdc.activity(frame_of("tables/v6_table_4"))
    assert "worth a look (see anomalies)" in labels(ax)
    (mark,) = [line for line in ax.lines if str(line.get_label()).startswith("worth")]
    assert np.asarray(mark.get_xdata()).tolist() == [2]
    assert "worth a look (see anomalies)" not in labels(dk.plots.cdc.activity(frame_of("tables/v6_table_1")))


@pytest.mark.parametrize(("step", "span"), [("10min", "3 hours"), ("1s", "one minute"), ("1D", "30 days")])
def test_a_thousand_commits_are_summed_in_spans_of_time(step: str, span: str) -> None:
    frame = many(1000, step)
    frame.loc[500, "operation"] = "COMPACT"
    ax = dk.plots.cdc.activity(frame)
    assert f"bars of {span}" in ax.get_xlabel()
    inserted = heights(ax, "inserted")
    assert 10 < len(inserted) <= 61
    assert sum(inserted) == frame["inserts"].sum() - 100
    assert sum(heights(ax, "deleted")) == -(frame["deletes"].sum() - 10)
    assert rows_line(ax)[-1] == frame["rows_after"].iloc[-1]
    assert "compaction" in labels(ax)


@pytest.mark.parametrize("count", [1, 2, 30, 41, 1000])
def test_text_is_inside_the_figure_and_large_enough(count: int) -> None:
    ax = dk.plots.cdc.activity(many(count))
    ax.figure.canvas.draw()
    box = ax.figure.bbox
    legend = ax.get_legend()
    assert legend is not None
    for text in [*ax.texts, *ax.get_xticklabels(), ax.xaxis.label, *legend.get_texts()]:
        assert float(text.get_fontsize()) >= style.SMALLEST_TEXT
        extent = text.get_window_extent()
        assert box.x0 <= extent.x0 <= extent.x1 <= box.x1, text.get_text()
        assert box.y0 <= extent.y0 <= extent.y1 <= box.y1, text.get_text()
    shown = [t.get_window_extent() for t in ax.get_xticklabels() if t.get_text()]
    assert all(a.x1 < b.x0 for a, b in pairwise(shown))  # labels do not touch


def test_no_commits_and_no_timeline() -> None:
    ax = dk.plots.cdc.activity(frame_of("cow/v6_empty"))
    assert [t.get_text() for t in ax.texts] == ["no commits"]
    with pytest.raises(ParameterError, match="no column started_at, operation"):
        dk.plots.cdc.activity(pd.DataFrame({"inserts": [1]}))


def test_given_axes_are_drawn_on_and_the_frame_is_not_changed() -> None:
    frame = frame_of("tables/v6_table_1")
    before = frame.copy()
    _, axes = plt.subplots()
    assert dk.plots.cdc.activity(frame, axes) is axes
    pd.testing.assert_frame_equal(frame, before)
