"""Pictures of delivery, sprints, forecasts and links: what they say of any data, and that each can be drawn."""

from __future__ import annotations

import io
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError
from datalake_kit.jira.flow.forecast import forecast
from datalake_kit.plots import jira as pictures
from datalake_kit.plots.jira import layout

DAYS = pd.date_range("2026-01-05", periods=12, freq="D", tz="UTC").as_unit("us")
DAYS_TOLD = "2026-01-05 to 2026-01-16 (UTC)"


@pytest.fixture(autouse=True)
def _no_figure_stays() -> Iterator[None]:
    yield
    plt.close("all")


def said(ax: Axes) -> list[str]:
    """Draw it (a warning is an error) and give back every text that can be read, the title by its lines."""
    ax.figure.savefig(io.BytesIO(), format="png", dpi=50)
    legend = ax.get_legend().get_texts() if ax.get_legend() else []
    texts = [*ax.texts, *ax.get_xticklabels(), ax.xaxis.label, ax.yaxis.label, *legend]
    assert all(text.get_fontsize() >= 9 for text in texts if text.get_text())
    return [text.get_text() for text in texts if text.get_text()] + ax.get_title(loc="left").split("\n")


def flow(names: list[str], by: str = "phase") -> pd.DataFrame:
    """Band n holds n + day issues on each day."""
    rows = [(day, name, n + k) for k, day in enumerate(DAYS) for n, name in enumerate(names)]
    return pd.DataFrame(rows, columns=["at", by, "issues"])


def cycles(days: list[float], **columns: object) -> pd.DataFrame:
    frame = {"key": [f"A-{n}" for n in range(len(days))], "outcome": "finished", "days": days}
    return pd.DataFrame({**frame, "finished_at": DAYS[np.arange(len(days)) % len(DAYS)], **columns})


# ---------------------------------------------------------------- cumulative flow


def test_time_before_the_first_version_is_a_band_of_its_own_on_top() -> None:
    days = pd.to_datetime(["2026-01-05"] * 3 + ["2026-01-06"] * 3, utc=True)
    rows = pd.DataFrame({"at": days, "phase": ["To Do", "Done", None] * 2, "issues": [3, 0, 4, 4, 2, 1]})
    words = [text.get_text() for text in pictures.cumulative_flow(rows.astype({"phase": "str"})).texts]
    assert words == ["Done 2", "To Do 4", "not known 1"]


def test_cumulative_flow_stacks_from_done_upwards_and_names_every_band() -> None:
    frame = flow(["To Do", "In Progress", "Done"])
    ax = pictures.cumulative_flow(frame, scope="team Blue")
    tops = [line.get_ydata() for line in ax.lines]
    total = frame.groupby("at")["issues"].sum().to_numpy()
    assert np.array_equal(tops[0], total)
    assert np.array_equal(tops[-1], frame.loc[frame["phase"] == "Done", "issues"])
    looks = {(to_hex(band.get_facecolor()[0]), band.get_hatch()) for band in ax.collections}
    assert len(looks) == 3
    texts = said(ax)
    assert {"Done 13", "In Progress 12", "To Do 11", "issues", "date (UTC)"} <= set(texts)
    assert {"Cumulative flow, team Blue", f"36 issues, {DAYS_TOLD}"} <= set(texts)
    assert ax.get_ylim()[0] == 0


def test_many_statuses_have_hatches_and_the_smallest_are_counted_together() -> None:
    names = [f"状态 {n} $x$" for n in range(20)]
    ax = pictures.cumulative_flow(flow(names, "status"))
    texts = said(ax)
    assert len(ax.collections) == 14
    assert "7 other statuses 98" in texts  # 0 + 1 + ... + 6, and 11 days each
    assert all(a.get_hatch() != b.get_hatch() for a, b in zip(ax.collections, ax.collections[1:], strict=False))
    heights = sorted(text.get_position()[1] for text in ax.texts)
    assert min(np.diff(heights)) > 0.04  # names do not cover each other


def test_names_of_thin_bands_stand_apart_in_the_order_of_the_bands() -> None:
    frame = flow(["To Do", "A", "B", "C", "Done"], "status").assign(issues=lambda f: f["status"].eq("Done") * 500 + 1)
    ax = pictures.cumulative_flow(frame)
    said(ax)
    heights = {text.get_text().rsplit(" ", 1)[0]: text.get_position()[1] for text in ax.texts}
    assert sorted(heights, key=lambda name: heights[name]) == ["Done", "C", "B", "A", "To Do"]


def test_bounds_of_versions_are_dotted_lines_and_one_instant_can_be_drawn() -> None:
    exact = flow(["To Do", "Done"])
    unsure = exact.assign(issues_low=exact["issues"] - 1, issues_high=exact["issues"] + 2)
    ax = pictures.cumulative_flow(unsure)
    dotted = [line.get_ydata() for line in ax.lines if line.get_linestyle() == ":"]
    assert [values[-1] for values in dotted] == [11, 14]
    assert "dotted: Done, at least and at most" in said(ax)
    same = exact.assign(issues_low=exact["issues"], issues_high=exact["issues"])
    assert not any("dotted" in text for text in said(pictures.cumulative_flow(same)))
    assert "Done 1" in said(pictures.cumulative_flow(unsure[unsure["at"] == DAYS[0]]))


# ---------------------------------------------------------------- cycle times


def test_scatter_draws_what_is_finished_and_counts_the_rest() -> None:
    frame = cycles([1.0, 2.0, 3.0, 4.0, 20.0, np.nan], outcome=["finished"] * 5 + ["in progress"])
    ax = pictures.cycle_time_scatter(frame, percentiles=(50, 85))
    points = ax.collections[0].get_offsets()
    assert sorted(float(y) for _, y in points) == [1, 2, 3, 4, 20]
    texts = said(ax)
    assert {"50 %: 3.0 days", "85 %: 20 days"} <= set(texts)
    assert "5 finished issues of A, 2026-01-05 to 2026-01-09 (UTC), 1 in progress" in texts
    assert len({line.get_linestyle() for line in ax.lines}) == 2


def test_scatter_draws_bounds_and_says_how_many_have_them() -> None:
    frame = cycles([2.0, 4.0], days_low=[2.0, 3.0], days_high=[2.0, 6.5])
    ax = pictures.cycle_time_scatter(frame)
    segments = ax.collections[0].get_segments()
    assert [segment[:, 1].tolist() for segment in segments] == [[3.0, 6.5]]
    assert any("1 of them between bounds" in text for text in said(ax))


def test_a_few_that_took_far_longer_leave_room_for_the_others_and_are_counted() -> None:
    frame = cycles([1.0, 2.0, 3.0, 4.0] * 20 + [400.0])
    ax = pictures.cycle_time_scatter(frame)
    assert ax.get_ylim()[1] < 20
    above = ax.collections[-1].get_offsets()
    assert len(above) == 1
    assert any(text.startswith("1 of more than 10 days, up to 400 days") for text in said(ax))
    histogram = pictures.cycle_time_histogram(frame)
    assert sum(bar.get_height() for bar in histogram.patches) == 80
    assert any("1 of more than" in text for text in said(histogram))


def test_histogram_counts_every_issue_in_bars_of_whole_days() -> None:
    days = np.random.default_rng(1).uniform(0, 30, 2000)
    ax = pictures.cycle_time_histogram(cycles(list(days)))
    assert [bar.get_height() for bar in ax.patches[:3]] == [((days >= d) & (days < d + 1)).sum() for d in range(3)]
    assert sum(bar.get_height() for bar in ax.patches) == 2000
    assert "days, a bar is 1 day wide" in said(ax)


def test_percentiles_that_are_equal_share_a_line() -> None:
    ax = pictures.cycle_time_scatter(cycles([2.0]))
    assert "50 %, 85 %, 95 %: 2.0 days" in said(ax)
    assert len(ax.lines) == 1


# ---------------------------------------------------------------- aging


def work(count: int, statuses: int) -> pd.DataFrame:
    ages = np.random.default_rng(2).lognormal(2, 1, count)
    return pd.DataFrame(
        {"key": [f"PROJECT-{n}" for n in range(count)], "status": [f"状态 {n % statuses}" for n in range(count)],
         "age_days": ages, "percentile": np.clip(ages, 0, 100), "at": DAYS[-1], "age_days_low": ages * 0.8,
         "age_days_high": ages}
    )  # fmt: skip


def test_aging_marks_old_work_by_form_and_names_the_oldest() -> None:
    frame = work(400, 5)
    ax = pictures.aging(frame)
    texts = said(ax)
    old = int((frame["percentile"] >= 85).sum())
    assert f"older than 85 % of past cycle times: {old}" in texts
    assert str(frame.loc[frame["age_days"].idxmax(), "key"]) in texts
    points = [group for group in ax.collections if hasattr(group, "get_sizes") and len(group.get_sizes())]
    assert sum(len(group.get_offsets()) for group in points) == 400
    assert len({tuple(map(tuple, group.get_paths()[0].vertices.round(3))) for group in points}) == 2
    assert sum(text.endswith("(80)") for text in texts) == 5


def test_aging_of_one_issue_without_a_past() -> None:
    texts = said(pictures.aging(work(1, 1).assign(percentile=np.nan)))
    assert "no past cycle time to compare with" in texts
    assert any(text.startswith("1 issue of PROJECT, on 2026-01-16") for text in texts)


# ---------------------------------------------------------------- sprints


def course(**columns: object) -> pd.DataFrame:
    frame = {"sprint": "Blue 7 $x$", "at": DAYS[:5], "reason": ["start", "completed", "added", "removed", "end"],
             "remaining_issues": [5.0, 4.0, 6.0, 5.0, 5.0], "remaining_points": np.nan,
             "ideal_issues": [5.0, 3.75, 2.5, 1.25, 0.0], "ideal_points": np.nan,
             "scope_issues": [5.0, 5.0, 7.0, 6.0, 6.0], "completed_issues": [0.0, 1.0, 1.0, 1.0, 1.0],
             "uncertain": [False, True, False, False, False]}  # fmt: skip
    return pd.DataFrame({**frame, **columns})


def rising() -> pd.DataFrame:
    """The same as a burnup has it."""
    frame = course()
    frame["ideal_issues"] = 5.0 - frame["ideal_issues"]
    return frame.drop(columns=["remaining_issues", "remaining_points"])


def test_burndown_is_a_step_line_with_its_changes_and_the_ideal() -> None:
    ax = pictures.burndown(course())
    remaining, ideal = ax.lines[:2]
    assert remaining.get_drawstyle() == "steps-post"
    assert remaining.get_ydata().tolist() == [5, 4, 6, 5, 5]
    assert (ideal.get_drawstyle(), ideal.get_linestyle()) == ("default", "--")
    texts = said(ax)
    assert {"remaining 5", "ideal 0", "added: 1", "removed: 1", "instant not known exactly: 1", "issues"} <= set(texts)
    assert "Burndown of Blue 7 $x$ in issues" in texts
    assert "2026-01-05 to 2026-01-09 (UTC), 5 issues at the start" in texts


def test_burnup_has_scope_and_completed_work() -> None:
    assert {"scope 6", "completed 1", "ideal 5"} <= set(said(pictures.burnup(rising())))
    with pytest.raises(DataError, match="burndown"):
        pictures.burnup(course())


def test_what_is_no_forecast_and_what_is_no_frame_is_refused() -> None:
    with pytest.raises(ParameterError, match="no forecast"):
        pictures.forecast(course())  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="no frame"):
        pictures.links([course()])  # type: ignore[arg-type]


def test_points_are_drawn_where_there_are_any() -> None:
    points = course(remaining_points=[8.0, 5.0, 5.0, 5.0, 2.5], ideal_points=[8.0, 6.0, 4.0, 2.0, 0.0])
    assert "remaining 2.5" in said(pictures.burndown(points))
    assert "remaining 5" in said(pictures.burndown(points, unit="issues"))
    with pytest.raises(DataError, match="has points"):
        pictures.burndown(course(), unit="points")
    with pytest.raises(ParameterError, match="hours"):
        pictures.burndown(course(), unit="hours")  # type: ignore[arg-type]


def test_an_active_sprint_ends_where_its_numbers_end() -> None:
    frame = course(remaining_issues=[5.0, 4.0, 3.0, np.nan, np.nan])
    ax = pictures.burndown(frame)
    assert ax.lines[0].get_ydata().tolist() == [5, 4, 3]
    assert "remaining 3" in said(ax)


def sprints(count: int) -> pd.DataFrame:
    ends = pd.date_range("2025-01-10", periods=count, freq="14D", tz="UTC").as_unit("us")
    numbers = np.arange(count)
    return pd.DataFrame(
        {"sprint": [f"Sprint of the whole department {n}" for n in numbers], "completed": ends, "board_id": 7,
         "committed_points": 10.0 + numbers, "completed_points": 8.0 + numbers, "mean_points": 9.0, "mean_issues": 3.0,
         "committed_issues": 4, "completed_issues": 3, "uncertain_issues": [0] * (count - 1) + [2]}
    )  # fmt: skip


def test_velocity_shows_the_last_sprints_and_says_how_many_there_are() -> None:
    ax = pictures.velocity(sprints(40))
    assert [bar.get_height() for bar in ax.patches] == [*np.arange(34.0, 50.0), *np.arange(32.0, 48.0)]
    texts = said(ax)
    assert {"committed at the start", "completed", "mean so far", "points", "47"} <= set(texts)
    assert any(text.startswith("the last 16 of 40 sprints of board 7, completed 2025-12-12 to") for text in texts)
    assert sum(text.endswith("? 2") for text in texts) == 1
    assert any("39 ? 2" in text for text in texts)  # the end of a long name tells it from the others
    hatches = {bar.get_hatch() for bar in ax.patches}
    assert len(hatches) == 2


def test_velocity_of_one_sprint_in_issues() -> None:
    ax = pictures.velocity(sprints(1), unit="issues")
    assert [bar.get_height() for bar in ax.patches] == [4, 3]
    assert any(text.startswith("1 sprint of board 7") for text in said(ax))


# ---------------------------------------------------------------- forecast


def past() -> pd.DataFrame:
    weeks = pd.date_range("2026-01-05", periods=13, freq="W-MON", tz="UTC").as_unit("us")
    return pd.DataFrame({"period_start": weeks[:-1], "period_end": weeks[1:], "finished": [3, 5, 0, 4] * 3,
                         "complete": True, "freq": "W", "zone": "UTC"})  # fmt: skip


def test_forecast_of_when_names_a_date_for_each_percentile() -> None:
    found = forecast(past(), items=20, trials=500)
    ax = pictures.forecast(found, scope="team Blue")
    assert sum(bar.get_height() for bar in ax.patches) == 500
    texts = said(ax)
    for row in found.table.itertuples():
        assert any(f"{row.percentile:g} %" in text and f"by {row.date:%Y-%m-%d}" in text for text in texts)
    assert "When are 20 items done? (team Blue)" in texts
    assert "500 trials from 2026-03-30 on, over 12 weeks 2026-01-05 to 2026-03-30 (UTC), seed 0" in " ".join(texts)


def test_forecast_of_how_many_names_a_number_for_each_percentile() -> None:
    found = forecast(past(), until="2026-05-04", trials=500)
    texts = said(pictures.forecast(found))
    for row in found.table.itertuples():
        assert any(f"{row.percentile:g} %" in text and f"at least {row.items}" in text for text in texts)
    assert any(text.startswith("How many items are done by 2026-05-04?") for text in texts)


# ---------------------------------------------------------------- links


def test_links_have_arrows_with_words_and_dashed_frames_for_what_is_not_loaded() -> None:
    edges = pd.DataFrame({"from_key": ["A-1", "A-1", "B-9"], "to_key": ["A-2", "A-2", "B-9"], "from_here": True,
                          "to_here": [False, False, True], "words": ["blocks", "$x$", None]})  # fmt: skip
    ax = pictures.links(edges)
    frames = {
        text.get_text(): text.get_bbox_patch().get_linestyle() for text in ax.texts if text.get_text()[1:2] == "-"
    }
    assert {name for name, line in frames.items() if line in ("--", "dashed")} == {"A-2"}
    assert set(frames) == {"A-1", "A-2", "B-9"}
    texts = said(ax)
    assert {"blocks", "$x$", "linked"} <= set(texts)
    assert "3 linked issues of A, B, 3 links; dashed: 1 not among the issues loaded" in " ".join(texts)
    assert sum(bool(getattr(text, "arrow_patch", None)) for text in ax.texts) == 3


def test_large_graphs_are_limited_and_say_so() -> None:
    numbers = np.random.default_rng(3).integers(0, 300, (2, 800))
    edges = pd.DataFrame({"from_key": [f"A-{n}" for n in numbers[0]], "to_key": [f"B-{n}" for n in numbers[1]],
                          "words": "blocks"})  # fmt: skip
    ax = pictures.links(edges, most=30)
    texts = said(ax)
    assert sum(text[:2] in ("A-", "B-") for text in texts) == 30
    assert any(text.startswith("30 of ") and " of 800 links" in text for text in texts)
    near = said(pictures.links(edges, around="A-7", most=10))
    assert "A-7" in near
    assert "Links around A-7" in near


@pytest.mark.parametrize("count", [1, 2, 3, 12, 40])
def test_names_in_a_graph_do_not_cover_each_other_and_stand_the_same_each_time(count: int) -> None:
    random = np.random.default_rng(count)
    ends = np.column_stack([np.zeros(count, int), np.arange(count)])
    ends = np.vstack([ends, random.integers(0, count, (count // 2, 2))])
    places = layout.place(count, ends)
    apart = np.abs(places[:, None] - places[None])
    covered = (apart[..., 0] < 1.3) & (apart[..., 1] < 0.5) & ~np.eye(count, dtype=bool)
    assert not covered.any()
    assert np.array_equal(places, layout.place(count, ends))


# ---------------------------------------------------------------- bad input

EMPTY = {
    "cumulative_flow": flow(["Done"]), "aging": work(1, 1), "cycle_time_scatter": cycles([1.0]),
    "cycle_time_histogram": cycles([1.0]), "burndown": course(), "burnup": rising(), "velocity": sprints(1),
    "links": pd.DataFrame({"from_key": ["A-1"], "to_key": ["A-2"], "words": ["blocks"]}),
}  # fmt: skip


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_to_draw_is_said_and_a_missing_column_is_named(name: str) -> None:
    draw, frame = getattr(pictures, name), EMPTY[name]
    with pytest.raises(DataError, match=r"narrow|finished"):
        draw(frame.head(0))
    needed = "at" if name in ("cumulative_flow", "burndown", "burnup", "aging") else str(frame.columns[0])
    needed = {"cycle_time_scatter": "days", "cycle_time_histogram": "days"}.get(name, needed)
    with pytest.raises(ColumnNotFoundError, match=needed):
        draw(frame.drop(columns=needed))


@pytest.mark.parametrize("name", EMPTY)
def test_each_draws_where_it_is_told_and_changes_nothing_else(name: str) -> None:
    _, (ax, _) = plt.subplots(1, 2)
    before, settings = EMPTY[name].copy(), dict(plt.rcParams)
    assert getattr(pictures, name)(EMPTY[name], ax=ax) is ax
    assert len(plt.get_fignums()) == 1
    pd.testing.assert_frame_equal(EMPTY[name], before)
    assert dict(plt.rcParams) == settings


def test_an_issue_without_links_is_refused_with_near_names() -> None:
    with pytest.raises(DataError, match=r"A-11.*A-1"):
        pictures.links(EMPTY["links"], around="A-11")
