"""Availability: which share of the daylight steps has a value."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from datalake_kit.errors import ColumnNotFoundError, DataError
from datalake_kit.irradiance.deriving.availability import availability
from datalake_kit.irradiance.deriving.energy import energy
from datalake_kit.irradiance.judging.solar import solar_position
from tests.irradiance_frames import bell, series_frame, together, with_gaps


@pytest.mark.parametrize("minutes", [10, 15, 60])
@pytest.mark.parametrize("offset", [620.0, None])
def test_steps_are_counted_one_by_one(minutes: int, offset: float | None) -> None:
    frame = series_frame(with_gaps(bell(40, minutes), seed=3), "2025-02-20", minutes=minutes, offset=offset)
    light = solar_position(frame, offset_seconds=minutes * 30 if offset is None else offset)["zenith"] < 90
    found = availability(frame)
    expected = light.groupby(light.index.floor("D")).sum()
    seen = (light & frame["ghi"].notna()).groupby(light.index.floor("D")).sum()
    # a step right at sunrise or sunset may fall on either side: the sun is known to a hundredth of a degree
    assert (found["expected"] - expected).abs().max() <= 1
    assert (found["seen"] - seen).abs().max() <= 1
    assert (found["expected"] - expected).abs().sum() <= 2
    assert found["availability"].tolist() == pytest.approx((found["seen"] / found["expected"]).tolist())


def test_months_are_the_sums_of_days_and_agree_with_the_coverage_of_energy() -> None:
    frame = series_frame(with_gaps(bell(59, 30), seed=1), "2025-01-01", minutes=30)
    by_day, by_month = availability(frame), availability(frame, "month")
    assert by_day["seen"].sum() == by_month["seen"].sum()
    assert by_month["expected"].tolist() == by_day["expected"].groupby(by_day.index.month).sum().tolist()
    np.testing.assert_array_equal(by_day["availability"], energy(frame)["coverage"])


def test_polar_night_has_nothing_to_see() -> None:
    frame = series_frame(np.zeros(96 * 3), "2025-12-20", latitude=78.2, longitude=15.6)
    found = availability(frame)
    assert found["expected"].tolist() == [0, 0, 0]
    assert found["availability"].isna().all()
    day = availability(series_frame(np.zeros(96 * 3), "2025-06-20", latitude=78.2, longitude=15.6))
    assert day["expected"].tolist() == [96, 96, 96]


def test_several_points_each_by_their_own_sun() -> None:
    north = series_frame(bell(2, 15), point_id="north", latitude=65.0)
    south = series_frame(with_gaps(bell(2, 15), seed=2), point_id="south", latitude=-35.0)
    found = availability(together(north, south))
    assert found.index.names == ["point_id", "day"]
    for frame in (north, south):
        name = frame.attrs["point"]["point_id"]
        pd.testing.assert_frame_equal(found.loc[name], availability(frame))


def test_a_first_day_that_begins_at_noon_is_judged_by_the_whole() -> None:
    whole = series_frame(bell(1, 15))
    half = whole.iloc[48:]
    half.attrs = whole.attrs
    assert availability(half)["expected"].tolist() == availability(whole)["expected"].tolist()
    assert 0.4 < availability(half)["availability"].iloc[0] < 0.6


def test_what_cannot_be_counted_is_refused() -> None:
    frame = series_frame(bell(1, 15))
    with pytest.raises(ColumnNotFoundError, match="dhi"):
        availability(frame, column="dhi")
    with pytest.raises(DataError, match="period"):
        availability(frame, "week")
    with pytest.raises(DataError, match="place is not known"):
        availability(pd.DataFrame({"ghi": [1.0, 2.0]}, index=frame.index[:2]))
