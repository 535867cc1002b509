"""Input as it comes: grids that differ, files of every kind of damage, days without anything, targets in the way."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datalake_kit.errors import DataError, PointNotFoundError, UnreadableFileError
from datalake_kit.irradiance import Product, Variable
from datalake_kit.irradiance.extracting.accounts import missing_slots, rejects
from datalake_kit.irradiance.extracting.masks import has_no_sun
from datalake_kit.irradiance.extracting.run import extract
from tests import satellite
from tests.satellite import DAY, POINTS

NEXT = DAY + timedelta(days=1)
STEP = 240
OTHER = satellite.LATITUDE + np.float32(0.05)


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for day in (DAY, NEXT):
        satellite.write_day(folder, day, step=STEP)
    return folder


@pytest.fixture
def files(tmp_path: Path, two_days: Path) -> Path:
    return shutil.copytree(two_days, tmp_path / "files")


def rows(table: Path) -> pd.DataFrame:
    days = [pq.read_table(p, partitioning=None).to_pandas() for p in sorted(table.glob("date=*/points.parquet"))]
    return pd.concat(days, ignore_index=True)


# the grid


def test_a_first_file_on_another_grid_is_the_odd_one(files: Path, tmp_path: Path) -> None:
    satellite.write_file(files, DAY, latitude=OTHER)
    result = extract(files, POINTS, tmp_path / "t")
    assert [Path(f).name for f in result.rejects["file"]] == [satellite.name_of(DAY)]
    assert result.rejects["reason"].tolist() == ["other grid"]
    assert result.points["cell_latitude"].tolist() == [45.05, 44.7, 45.45]


def test_the_grid_of_most_files_counts_also_where_the_first_and_the_last_are_odd(files: Path, tmp_path: Path) -> None:
    odd = [DAY, NEXT + timedelta(minutes=1440 - STEP)]
    for slot in odd:
        satellite.write_file(files, slot, latitude=OTHER)
    result = extract(files, POINTS, tmp_path / "t")
    assert [Path(f).name for f in result.rejects["file"]] == [satellite.name_of(slot) for slot in odd]


def test_a_first_day_on_another_grid_is_rejected_when_the_others_agree(files: Path, tmp_path: Path) -> None:
    satellite.write_day(files, NEXT + timedelta(days=1), step=STEP)
    for minutes in range(0, 1440, STEP):
        satellite.write_file(files, DAY + timedelta(minutes=minutes), latitude=OTHER)
    result = extract(files, POINTS, tmp_path / "t")
    assert result.rejects["day"].tolist() == [DAY.date()] * 6
    assert rows(result.table)["time"].dt.date.unique().tolist() == [d.date() for d in (NEXT, NEXT + timedelta(days=1))]


def test_later_files_on_another_grid_are_no_files_of_the_table(files: Path, tmp_path: Path) -> None:
    table = extract(files / "2025/06/18", POINTS, tmp_path / "t").table
    for minutes in range(0, 1440, STEP):
        satellite.write_file(files, NEXT + timedelta(minutes=minutes), latitude=OTHER)
    with pytest.raises(
        DataError, match=r"another grid than the table: 40 x 50 cells from 46.05 to 44.1 N, 7 to 9.45 E, not "
    ):
        extract(files / "2025/06/19", POINTS, table)
    assert len(list(table.glob("date=*"))) == 1


def test_later_files_of_which_most_are_on_another_grid_are_rejected_one_by_one(files: Path, tmp_path: Path) -> None:
    table = extract(files / "2025/06/18", POINTS, tmp_path / "t").table
    for minutes in range(STEP, 1440, STEP):
        satellite.write_file(files, NEXT + timedelta(minutes=minutes), latitude=OTHER)
    result = extract(files / "2025/06/19", POINTS, table)
    assert result.rejects["reason"].tolist() == ["other grid"] * 5
    assert result.files_used == 1
    assert result.points["cell_latitude"].tolist() == [45.05, 44.7, 45.45]


def test_a_table_is_of_one_product(files: Path, tmp_path: Path) -> None:
    table = extract(files, POINTS, tmp_path / "t").table
    other = Product("mine", "", r".*_(?P<slot>\d{12})\.nc", (Variable("DSSF_TOT", "ghi", "W/m2"),), timedelta(hours=4))
    with pytest.raises(DataError, match="is of MSG_MDSSFTD, the files are of mine"):
        extract(files, POINTS, table, product=other)


# what the table knows of what it does not hold


def test_rejects_and_missing_slots_are_read_back_from_the_table(files: Path, tmp_path: Path) -> None:
    (files / "2025/06/18" / satellite.name_of(DAY)).write_bytes(b"")
    (files / "2025/06/19" / satellite.name_of(NEXT)).unlink()
    (files / "2025/06/readme.txt").write_text("not a file of the product")
    satellite.write_day(files, NEXT + timedelta(days=2), step=STEP)
    result = extract(files, POINTS, tmp_path / "t")
    found = rejects(result.table)
    assert found[["file", "reason", "detail"]].to_dict("records") == [
        {"file": Path(r["file"]).name, "reason": r["reason"], "detail": r["detail"]}
        for r in result.rejects.sort_values("reason", ascending=False).to_dict("records")
    ]
    assert found["day"].tolist() == [DAY.date(), None]
    absent = missing_slots(result.table)
    assert absent["time"].tolist() == result.missing["time"].tolist()
    assert absent["why"].tolist() == ["rejected", "no file", *["no day"] * 6]
    (files / "2025/06/readme.txt").unlink()
    extract(files, POINTS, result.table)
    assert rejects(result.table)["reason"].tolist() == ["empty"]


def test_a_table_without_gaps_has_no_rejects_and_no_missing_slots(files: Path, tmp_path: Path) -> None:
    table = extract(files, POINTS, tmp_path / "t").table
    assert rejects(table).empty
    assert missing_slots(table).dtypes.astype(str).tolist()[0].endswith("UTC]")
    assert missing_slots(table).empty


@pytest.mark.parametrize("ask", [rejects, missing_slots])
def test_where_no_table_is_there_is_an_error(tmp_path: Path, ask: object) -> None:
    with pytest.raises(DataError, match="no table of points"):
        ask(tmp_path / "t")  # type: ignore[operator]


# days and points without anything


def test_a_first_day_without_any_usable_file_is_finished_and_the_next_one_tells_of_masked_points(
    files: Path, tmp_path: Path
) -> None:
    for path in (files / "2025/06/18").iterdir():
        path.write_bytes(b"<html>")
    with pytest.raises(PointNotFoundError, match="masked in every file of 2025-06-19"):
        extract(files, [*POINTS, ("at_sea", 44.2, 9.2)], tmp_path / "sea")
    result = extract(files, POINTS, tmp_path / "t")
    assert (len(result.rejects), result.rows, result.adds_up) == (6, 18, True)
    assert extract(files, POINTS, tmp_path / "t").days_kept == result.days


def test_a_point_without_a_value_in_polar_night_is_not_at_sea(tmp_path: Path) -> None:
    north = (satellite.LATITUDE + 28).astype("f4")  # 74 N to 72.05 N; the masked part is at its southern end
    point = [("tromso_north", 72.2, 9.2)]
    winter, summer = datetime(2025, 12, 20, tzinfo=UTC), datetime(2025, 6, 18, tzinfo=UTC)
    for day in (winter, summer):
        for minutes in range(0, 1440, 480):
            satellite.write_file(tmp_path / f"{day:%m}", day + timedelta(minutes=minutes), latitude=north)
    assert extract(tmp_path / "12", point, tmp_path / "t").masked_point_days == 1
    with pytest.raises(PointNotFoundError, match="1 points are masked in every file of 2025-06-18"):
        extract(tmp_path / "06", point, tmp_path / "u")


def test_the_sun_stays_down_beyond_the_polar_circle_in_winter_only() -> None:
    latitude = np.array([-80.0, -60.0, 0.0, 60.0, 69.0, 80.0])
    assert has_no_sun(latitude, date(2025, 12, 21)).tolist() == [False, False, False, False, True, True]
    assert has_no_sun(latitude, date(2025, 6, 21)).tolist() == [True, False, False, False, False, False]
    assert not has_no_sun(latitude, date(2025, 3, 20)).any()


# where the table lies


def test_a_file_in_place_of_the_table_is_an_error(files: Path, tmp_path: Path) -> None:
    (tmp_path / "t").write_text("a file")
    with pytest.raises(DataError, match=r"cannot be written to .*/t: .*/t is a file"):
        extract(files, POINTS, tmp_path / "t")
    with pytest.raises(DataError, match=r"cannot be written to .*/t/u/v: .*(is a file|Not a directory)"):
        extract(files, POINTS, tmp_path / "t" / "u" / "v")


@pytest.mark.parametrize("inside", [".", "table", "2025/06"])
def test_a_table_among_the_files_is_not_read_as_files(files: Path, inside: str) -> None:
    first = extract(files, POINTS, files / inside)
    again = extract(files, POINTS, files / inside)
    assert (again.files_seen, len(again.rejects), again.days_kept) == (12, 0, first.days)


def test_files_of_another_kind_that_lie_in_the_folder_are_named(files: Path) -> None:
    (files / "date=notes").mkdir()
    (files / "date=notes" / "a.txt").write_text("mine")
    assert extract(files, POINTS, files / "table").rejects["reason"].tolist() == ["alien"]


# every mixture


def _content(slot: datetime, folder: Path) -> dict[str, bytes]:
    good = satellite.write_file(folder, slot).read_bytes()
    shutil.rmtree(folder)
    kinds = {"good": good, "empty": b"", "html": b"<!DOCTYPE html><h1>404</h1>", "cut": good[: len(good) // 2]}
    changes: dict[str, dict[str, object]] = {
        "other time": {"start": slot + timedelta(minutes=30)},
        "other grid": {"latitude": OTHER},
        "missing variable": {"without": "quality_flag"},
    }
    for kind, change in changes.items():
        kinds[kind] = satellite.write_file(folder, slot, **change).read_bytes()  # type: ignore[arg-type]
        shutil.rmtree(folder)
    return kinds


KINDS = ("good", "empty", "html", "cut", "other time", "other grid", "missing variable", "misplaced", "absent", "twice")


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[datetime, dict[str, bytes]]:
    folder = tmp_path_factory.mktemp("kinds") / "one"
    slots = [DAY + timedelta(minutes=m) for m in range(0, 2 * 1440, STEP)]
    return {slot: _content(slot, folder) for slot in slots}


def _lay_out(folder: Path, kinds: list[str], contents: dict[datetime, dict[str, bytes]]) -> int:
    seen = 0
    for kind, (slot, content) in zip(kinds, contents.items(), strict=True):
        days = {"misplaced": [slot + timedelta(days=5)], "absent": [], "twice": [slot, None]}.get(kind, [slot])
        for day in days:
            path = folder / (f"{day:%Y/%m/%d}" if day else "copies") / satellite.name_of(slot)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.get(kind, content["good"]))
            seen += 1
    return seen


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")  # of long bytes in what it reports
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=st.lists(st.sampled_from(KINDS), min_size=12, max_size=12), on_bad=st.sampled_from(["reject", "raise"]))
def test_files_seen_are_files_used_and_rejected_whatever_there_is(
    tmp_path_factory: pytest.TempPathFactory,
    contents: dict[datetime, dict[str, bytes]],
    kinds: list[str],
    on_bad: str,
) -> None:
    folder = tmp_path_factory.mktemp("mixture")
    seen = _lay_out(folder / "files", kinds, contents)
    good = [slot for kind, slot in zip(kinds, contents, strict=True) if kind in ("good", "twice")]
    bad = [kind for kind in kinds if kind not in ("good", "absent")]
    openable = [k for k in kinds if k in ("good", "twice", "other time", "missing variable", "other grid")]
    if openable.count("other grid") * 2 >= len(openable):
        return  # then the other grid is the one of most files, or none is
    if on_bad == "raise" and bad:
        with pytest.raises(UnreadableFileError):
            extract(folder / "files", POINTS, folder / "t", on_bad="raise")
        return
    result = extract(folder / "files", POINTS, folder / "t")
    assert (result.files_seen, result.files_used) == (seen, len(good))
    assert result.files_seen == result.files_used + len(result.rejects)
    assert len(result.rejects) == len(bad)
    table = rows(result.table)
    for slot in good:
        here = table[table["time"] == slot.replace(tzinfo=None)].set_index("point_id")
        plane = satellite.planes(slot)["DSSF_TOT"]
        expected = [plane[p.row, p.column] for p in result.points.itertuples()]
        assert (here["ghi"][result.points["point_id"]] * 10).round().tolist() == expected
    assert len(table) == len(good) * 3
    again = extract(folder / "files", POINTS, folder / "t")
    assert again.days_kept == again.days
    pd.testing.assert_frame_equal(again.rejects, result.rejects)


# points


@pytest.mark.parametrize(
    ("points", "error", "message"),
    [
        ([], DataError, "There are no points"),
        ([("a", 45.0, 8.0), ("a", 45.1, 8.1)], DataError, "more than once.*: a"),
        ([("a", float("nan"), 8.0)], DataError, "no place on Earth: a"),
        ([("a", 8.0, 45.0)], PointNotFoundError, "With latitude and longitude exchanged, a would be on the grid"),
        ([("a", 120.0, 45.0)], DataError, "Latitude and longitude look exchanged for a"),
    ],
)
def test_points_that_are_none_are_an_error_and_nothing_is_written(
    files: Path, tmp_path: Path, points: list[tuple[str, float, float]], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        extract(files, points, tmp_path / "t")
    assert not os.path.lexists(tmp_path / "t")
