"""Filled gaps: against what was measured there, and against a plain loop over the rules."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit.errors import ColumnNotFoundError, DataError
from datalake_kit.irradiance.judging.gaps import fill_gaps
from datalake_kit.irradiance.judging.solar import clear_sky
from tests.irradiance_frames import bell, measured_day, series_frame, together


@pytest.fixture(scope="module")
def measured() -> pd.DataFrame:
    return measured_day()


def _errors(measured: pd.DataFrame, minutes: int, column: str = "ghi") -> pd.DataFrame:
    """Mean errors of gaps all over the day: filled, by a straight line, and by an index that time alone weighs."""
    clear, true = clear_sky(measured), measured[column].to_numpy()
    sky = clear[f"{column}_clear"]
    light = np.flatnonzero(sky >= 20)
    found = []
    for first in range(light[0] + 1, light[-1] - minutes, 10):
        gap = slice(first, first + minutes)
        frame = measured.copy()
        frame.iloc[gap, frame.columns.get_loc(column)] = np.nan
        filled = fill_gaps(frame, column, limit=f"{minutes}min", clear=clear)
        line = frame[column].interpolate()
        by_time = (frame[column] / sky).interpolate() * sky
        found.append([sky.iloc[gap].mean(), *(abs(v[gap] - true[gap]).mean() for v in (filled[column], line, by_time))])
    return pd.DataFrame(found, columns=["sky", "filled", "line", "by_time"])


@pytest.mark.parametrize(("minutes", "most", "share"), [(30, 1.5, 0.8), (60, 2.0, 0.45), (120, 3.0, 0.2)])
def test_what_is_filled_is_nearer_to_what_was_measured(
    measured: pd.DataFrame, minutes: int, most: float, share: float
) -> None:
    errors = _errors(measured, minutes)
    mean = errors.mean()
    assert mean["filled"] < most
    assert mean["filled"] < share * mean["line"]
    assert mean["filled"] < 0.65 * mean["by_time"]


def test_with_a_low_sun_it_is_no_worse_than_a_line_and_far_better_than_an_index_by_time(measured: pd.DataFrame) -> None:
    errors = _errors(measured, 60)
    low = errors[errors["sky"] < 200].mean()
    assert low["filled"] < 1.1 * low["line"]
    assert low["filled"] < 0.35 * low["by_time"]


def test_a_gap_at_low_sun_of_a_day_that_the_clear_sky_describes_is_met_exactly() -> None:
    frame = series_frame(np.zeros(96))
    clear = clear_sky(frame)
    frame["ghi"] = true = clear["ghi_clear"] * 0.7
    morning = true.index[(clear["ghi_clear"] >= 20)][1:5]
    frame.loc[morning, "ghi"] = np.nan
    filled = fill_gaps(frame)
    assert filled["filled"].sum() == 4
    np.testing.assert_allclose(filled["ghi"], true, atol=1e-9)
    assert abs(frame["ghi"].interpolate() - true).max() > 1


def test_the_clear_sky_is_the_one_at_the_instant_that_counts() -> None:
    late = series_frame(np.full(96, 300.0), offset=840.0)
    late.iloc[20:22, 0] = np.nan
    early = late.copy()
    early.attrs["point"] = late.attrs["point"] | {"scan_offset_seconds": 0.0}
    assert abs(fill_gaps(late)["ghi"] - fill_gaps(early)["ghi"]).max() > 0.5
    pd.testing.assert_frame_equal(fill_gaps(late), fill_gaps(late, clear=clear_sky(late)))


def test_the_diffuse_part_is_filled_by_its_own_clear_sky(measured: pd.DataFrame) -> None:
    frame = measured.copy()
    frame.iloc[1100:1130, 1] = np.nan
    filled = fill_gaps(frame, "dhi", limit="30min")
    assert filled["filled"].sum() == 30
    sky = clear_sky(measured)["dhi_clear"].iloc[1099:1131].to_numpy()
    line = np.interp(np.arange(32), [0, 31], measured["dhi"].iloc[[1099, 1130]])
    shape = sky / np.interp(np.arange(32), [0, 31], sky[[0, -1]])
    np.testing.assert_allclose(filled["dhi"].iloc[1099:1131], line * shape)
    pd.testing.assert_series_equal(filled["ghi"], measured["ghi"])


def _plain(ghi: list[float], sky: list[float], count: int) -> tuple[list[float], list[bool]]:
    """The rules, gap by gap."""
    new, filled = list(ghi), [False] * len(ghi)
    for i in range(len(ghi)):
        for j in range(i + 2, min(i + count + 2, len(ghi))):
            inside = range(i + 1, j)
            if np.isnan(ghi[i]) or np.isnan(ghi[j]) or not all(np.isnan(ghi[r]) for r in inside):
                continue
            if not all(sky[r] >= 20 for r in range(i, j + 1)):
                continue
            for r in inside:
                near = (r - i) / (j - i)
                before, after = (1 - near) * sky[i], near * sky[j]
                index = (before * ghi[i] / sky[i] + after * ghi[j] / sky[j]) / (before + after)
                new[r], filled[r] = index * sky[r], True
    return new, filled


value = st.one_of(st.just(np.nan), st.floats(0, 1200))


@settings(max_examples=80)
@given(
    st.lists(
        st.tuples(value, st.sampled_from([np.nan, 0.0, 19.9, 20.0, 300.0, 900.0, 905.0])), min_size=1, max_size=40
    ),
    st.integers(1, 6),
)
def test_any_series_is_filled_as_the_rules_say(rows: list[tuple[float, float]], count: int) -> None:
    ghi, sky = [r[0] for r in rows], [r[1] for r in rows]
    frame = series_frame(ghi)
    before = frame.copy()
    result = fill_gaps(
        frame, limit=pd.Timedelta(minutes=15 * count), clear=pd.DataFrame({"ghi_clear": sky}, frame.index)
    )
    expected, filled = _plain(ghi, sky, count)
    pd.testing.assert_frame_equal(frame, before)
    assert result["filled"].tolist() == filled
    np.testing.assert_allclose(result["ghi"], expected, rtol=1e-9)
    seen = frame["ghi"].notna()
    assert (result["ghi"][seen] == frame["ghi"][seen]).all()
    assert (result["ghi"].notna() & ~seen).equals(result["filled"])


def test_nothing_is_filled_across_a_night_even_when_its_rows_are_absent() -> None:
    frame = series_frame(bell(2, 15))
    day = frame[clear_sky(frame)["ghi_clear"] >= 20].copy()
    day.attrs = frame.attrs
    evening = int(np.flatnonzero(day.index.to_series().diff() > pd.Timedelta("1h"))[0])
    day.iloc[evening - 1, 0] = day.iloc[evening, 0] = np.nan
    for one in (day, frame.assign(ghi=day["ghi"])):
        one.attrs = frame.attrs
        assert not fill_gaps(one, limit="24h")["filled"].any()


@pytest.mark.parametrize(("limit", "count"), [("45min", 0), ("59min", 0), ("60min", 4), ("61min", 4)])
def test_a_gap_as_long_as_the_limit_is_filled_and_a_longer_one_stays_whole(limit: str, count: int) -> None:
    frame = series_frame([500.0, *[np.nan] * 4, 520.0], "2025-06-18 10:00")
    assert fill_gaps(frame, limit=limit)["filled"].sum() == count


def test_nothing_is_filled_at_the_ends() -> None:
    frame = series_frame([np.nan, 500.0, np.nan, 520.0, np.nan], "2025-06-18 10:00")
    assert fill_gaps(frame)["filled"].tolist() == [False, False, True, False, False]


def test_other_columns_attrs_and_the_type_stay() -> None:
    frame = series_frame([500.0, np.nan, 520.0], "2025-06-18 10:00").astype("float32")
    frame["fraction_diffuse"] = [0.2, np.nan, 0.2]
    frame["quality_flag"] = pd.array([0, None, 1], "Int32")
    attrs = frame.copy().attrs
    filled = fill_gaps(frame)
    assert filled["filled"].tolist() == [False, True, False]
    assert filled["filled"].dtype == bool
    assert filled["ghi"].dtype == "float32"
    pd.testing.assert_frame_equal(filled[["fraction_diffuse", "quality_flag"]], frame[frame.columns[1:]])
    assert filled.attrs == attrs
    assert list(frame) == ["ghi", "fraction_diffuse", "quality_flag"]


def test_nullable_numbers_are_filled_too() -> None:
    frame = series_frame([500.0, np.nan, 520.0], "2025-06-18 10:00").astype("Float64")
    filled = fill_gaps(frame)
    assert filled["ghi"].dtype == "Float64"
    assert filled["ghi"].between(500, 520).all()


@pytest.mark.parametrize("given_sky", [True, False])
def test_several_points_are_filled_each_by_itself(given_sky: bool) -> None:
    one = series_frame([np.nan, 500.0, np.nan, 520.0], "2025-06-18 10:00")
    two = series_frame([400.0, np.nan, 410.0, np.nan], "2025-06-18 10:00", point_id="there", latitude=60.0)
    frame = together(one, two)
    filled = fill_gaps(frame, clear=clear_sky(frame) if given_sky else None)
    for point, alone in (("here", one), ("there", two)):
        pd.testing.assert_frame_equal(filled.loc[point], fill_gaps(alone), check_freq=False)
    assert filled["filled"].tolist() == [False, False, True, False, False, True, False, False]
    assert filled.index.equals(frame.index)
    assert filled.attrs == frame.attrs


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_series_too_short_for_a_gap_comes_back_as_it_is(rows: int) -> None:
    frame = series_frame(np.full(rows, np.nan))
    assert fill_gaps(frame)["filled"].tolist() == [False] * rows
    assert len(fill_gaps(together(frame, series_frame([], point_id="none"))) if rows else []) == rows


def test_what_cannot_be_filled_is_refused_in_words() -> None:
    frame = series_frame([500.0, np.nan, 520.0], "2025-06-18 10:00")
    clear = clear_sky(frame)
    with pytest.raises(DataError, match="No clear sky is known of 'bhi'"):
        fill_gaps(frame.assign(bhi=1.0), "bhi")
    with pytest.raises(ColumnNotFoundError, match="no dhi; it has ghi"):
        fill_gaps(frame, "dhi")
    with pytest.raises(ColumnNotFoundError, match="no ghi_clear"):
        fill_gaps(frame, clear=clear[["dni_clear"]])
    with pytest.raises(DataError, match="`filled` already"):
        fill_gaps(fill_gaps(frame))
    with pytest.raises(DataError, match="another index"):
        fill_gaps(frame, clear=clear.iloc[1:])
    for limit in ("soon", None, "0min", "-1h"):
        with pytest.raises(DataError, match="The limit"):
            fill_gaps(frame, limit=limit)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="shorter than the step"):
        fill_gaps(frame, limit="10min")
    frame.attrs = {}
    with pytest.raises(DataError, match="place is not known"):
        fill_gaps(frame)
