"""As of a moment: how it may be given, in which zone the instants count, and which pasts are refused."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import datalake_kit as dk
from datalake_kit.errors import HudiError, ParameterError
from datalake_kit.hudi.instants import to_datetime, to_instant, writer_zone
from tests.hudi_tables import CowTable
from tests.replication import PUBLIC_ROWS, TRUTH, lake_of, odp_table, public_table

COMMITS = ("20260601080000000", "20260601090000000", "20260601100000000")
ATHENS = ZoneInfo("Europe/Athens")  # UTC+3 in June


def lake_with(folder: Path, zone: str | None) -> dk.Lake:
    """A lake whose table has one row more with each commit, and whose properties name a zone."""
    table = CowTable(folder / "db" / "t", properties={"hoodie.table.timeline.timezone": zone or ""})
    for number, instant in enumerate(COMMITS, start=1):
        table.commit(instant, {("", "a"): pa.table({"id": pa.array(range(number), pa.int64())})})
    return dk.connect(folder)


@pytest.mark.parametrize(
    "moment",
    [
        "2026-06-01T09:30:00",
        "2026-06-01 09:30",
        "2026-06-01T09:30:00Z",
        "2026-06-01T12:30:00+03:00",
        dt.datetime(2026, 6, 1, 9, 30),
        dt.datetime(2026, 6, 1, 12, 30, tzinfo=ATHENS),
        pd.Timestamp("2026-06-01 09:30"),
        pd.Timestamp("2026-06-01 12:30", tz="Europe/Athens"),
        "20260601090000",
        "20260601090000000",
        "20260601093000",
    ],
    ids=str,
)
def test_every_way_to_say_a_moment(tmp_path: Path, moment: Any) -> None:
    lake = lake_with(tmp_path, "UTC")
    frame = dk.hudi.read(lake, "db.t", as_of=moment)
    assert len(frame) == 2 == dk.hudi.count(lake, "db.t", as_of=moment)
    assert frame.attrs["hudi"]["instant"] == COMMITS[1]
    assert frame.attrs["hudi"]["timezone"] == "UTC"


def test_a_date_is_its_first_millisecond(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, "UTC")
    assert len(dk.hudi.read(lake, "db.t", as_of=dt.date(2026, 6, 2))) == 3
    with pytest.raises(HudiError, match=r"as of 20260601000000000: the first commit known is 20260601080000000"):
        dk.hudi.read(lake, "db.t", as_of=dt.date(2026, 6, 1))


@pytest.mark.parametrize("given", ["20261024103000", "00000000000001", "00000000000000000", "20280229235959999"])
def test_digits_that_timelines_hold_are_taken_as_written(given: str) -> None:
    assert to_instant(given).startswith(given)


@pytest.mark.parametrize("declared", ["UTC", "LOCAL", None])
@pytest.mark.parametrize("zone", ["Europe/Athens", "+03:00"])
def test_a_zone_given_shifts_moments_and_no_digits(tmp_path: Path, declared: str | None, zone: str) -> None:
    lake = lake_with(tmp_path, declared)
    shifted = dk.hudi.read(lake, "db.t", as_of="2026-06-01T06:30:00", timezone=zone)
    assert len(shifted) == 2
    told = {"instant": COMMITS[1], "as_of": "20260601093000000", "timezone": zone, "view": "snapshot"}
    assert shifted.attrs["hudi"] == told
    assert len(dk.hudi.read(lake, "db.t", as_of="20260601093000", timezone=zone)) == 2
    assert len(dk.hudi.changes(lake, "db.t", since="2026-06-01T06:30:00", timezone=zone)) == 1


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ("UTC", "UTC"),
        ("LOCAL", "UTC (assumed: the table says LOCAL)"),
        (None, "UTC (assumed: the table does not say)"),
    ],
)
def test_without_a_zone_the_property_counts_and_the_result_says_so(
    tmp_path: Path, declared: str | None, told: str
) -> None:
    frame = dk.hudi.read(lake_with(tmp_path, declared), "db.t", as_of="2026-06-01T09:30:00")
    assert len(frame) == 2
    assert frame.attrs["hudi"]["timezone"] == told


def test_the_hour_that_a_zone_has_twice_is_told_by_the_digits() -> None:
    first, second = dt.datetime(2026, 10, 25, 0, 30), dt.datetime(2026, 10, 25, 1, 30)  # both 03:30 in Athens
    assert to_instant(first, ATHENS) == to_instant(second, ATHENS) == "20261025033000000"
    assert to_instant(first - dt.timedelta(hours=1), ATHENS) == "20261025023000000"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "/etc/localtime", "+25:00", "2", "UTC\0"])
def test_no_zone(zone: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="is no time zone"):
        dk.hudi.read(lake_with(tmp_path, "UTC"), "db.t", timezone=zone)


@pytest.mark.parametrize(
    "text", ["20260307", "2026", "", "now", "2026-13-01", "202603011000001", "２０２６０３０１１０００００"]
)
def test_text_that_is_no_moment(text: str, tmp_path: Path) -> None:
    with pytest.raises(HudiError, match="is no moment"):
        dk.hudi.read(lake_with(tmp_path, "UTC"), "db.t", as_of=text)


@given(
    st.datetimes(dt.datetime(1, 1, 3), dt.datetime(9999, 12, 29)),
    st.sampled_from(["UTC", "Europe/Athens", "America/Chicago", "+05:45", "-1200"]),
)
def test_instants_keep_the_order_of_moments(moment: dt.datetime, name: str) -> None:
    zone = writer_zone(name).zone
    instant = to_instant(moment, zone)
    assert len(instant) == 17
    assert instant.isdigit()
    assert to_instant(instant, zone) == instant
    back = to_datetime(instant, zone)
    assert back is not None
    gap = abs(back.replace(tzinfo=None) - moment)
    assert gap < dt.timedelta(milliseconds=1) or dt.timedelta(minutes=59) < gap <= dt.timedelta(hours=1, milliseconds=1)


# --- pasts that are refused


@pytest.mark.parametrize("name", [z for z, t in sorted(TRUTH.items()) if t["commits"]])
def test_every_past_that_hudis_own_reader_refuses_is_refused(name: str, tmp_path: Path) -> None:
    lake = dk.connect(lake_of(tmp_path / "lake", {"t": odp_table(name)}))
    for commit in TRUTH[name]["commits"]:
        if commit["rows_as_of"] is None:
            for job in (dk.hudi.read, dk.hudi.count, dk.hudi.batches):
                with pytest.raises(HudiError, match=r"the cleaner kept files only from \d{17} on"):
                    job(lake, "taxi.t", as_of=commit["instant"])
            with pytest.raises(HudiError, match="the cleaner kept"):
                dk.hudi.changes(lake, "taxi.t", since=commit["instant"])
        else:
            assert len(dk.hudi.read(lake, "taxi.t", as_of=commit["instant"])) == commit["rows_as_of"]
    with pytest.raises(HudiError, match="Give a later moment"):
        dk.hudi.read(lake, "taxi.t", as_of="2000-01-01")


@pytest.mark.parametrize("name", PUBLIC_ROWS)
def test_before_the_first_commit_there_is_nothing_to_read(name: str, tmp_path: Path) -> None:
    lake = dk.connect(lake_of(tmp_path / "lake", {"t": public_table(name)}))
    with pytest.raises(HudiError, match=r"Give a later moment|has no commit yet"):
        dk.hudi.read(lake, "taxi.t", as_of="2000-01-01")
    assert dk.hudi.count(lake, "taxi.t") == PUBLIC_ROWS[name]
