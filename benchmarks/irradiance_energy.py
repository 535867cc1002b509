"""From power to energy, and the figures of a site: seconds, with pandas and DuckDB beside them in the same run.

    python benchmarks/irradiance_energy.py                    # 100 points, a year at steps of 15 minutes
    python benchmarks/irradiance_energy.py --points 10

The frame is made, as `dk.irradiance.read` gives it: indexed by point and time, 1 % of the values missing. Compared,
best of several, one thread of ours:
- daily energy: `energy`, with the coverage of the daylight of each day, against sums alone, without coverage, by pandas
  (resample of each point; a Grouper of days; the time floored to days) and by DuckDB (a whole number for the day);
- the other figures: seconds for one point and for all, nothing beside them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from datalake_kit.irradiance.deriving.comparing import compare
from datalake_kit.irradiance.deriving.energy import energy
from datalake_kit.irradiance.deriving.plane import plane_of_array
from datalake_kit.irradiance.deriving.profiles import duration, monthly, typical_day
from datalake_kit.irradiance.deriving.variability import ramps, variability

STEPS = 365 * 96


def make(points: int) -> pd.DataFrame:
    """A frame of points over Europe and Africa: a bright day with noise, gaps, and a clear sky beside it."""
    rng = np.random.default_rng(11)
    times = pd.date_range("2025-01-01", periods=STEPS, freq="15min", tz="UTC", name="time").as_unit("us")
    ids = [f"p{n:03d}" for n in range(points)]
    hours = (np.arange(STEPS) % 96) / 4
    clear = np.tile(900 * np.clip(np.cos((hours - 12) / 24 * 2 * np.pi), 0, None), points)
    ghi = clear * rng.uniform(0.2, 1, STEPS * points)
    ghi[rng.random(len(ghi)) < 0.01] = np.nan
    index = pd.MultiIndex.from_product([ids, times], names=["point_id", "time"])
    frame = pd.DataFrame({"ghi": ghi, "dhi": ghi * 0.4, "ghi_clear": clear}, index=index)
    places = zip(ids, rng.uniform(-35, 60, points), rng.uniform(-10, 30, points), strict=True)
    known = {
        i: {"point_id": i, "latitude": float(a), "longitude": float(b), "scan_offset_seconds": 440 + 4 * float(a)}
        for i, a, b in places
    }
    frame.attrs = {"step_seconds": 900, "instantaneous": True, "points": known}
    return frame


def one_of(frame: pd.DataFrame) -> pd.DataFrame:
    """The first point alone."""
    point = str(frame.index.levels[0][0])  # type: ignore[attr-defined] # a MultiIndex
    one = frame.iloc[:STEPS].droplevel("point_id")
    one.attrs = frame.attrs | {"point": frame.attrs["points"][point]}
    return one


def best(job: Callable[[], Any], *, most: int = 5, longest: float = 6.0) -> float:
    """The best of several runs; fewer of those that take long."""
    seconds: list[float] = []
    while len(seconds) < most and (not seconds or sum(seconds) < longest):
        begun = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def by_resample(frame: pd.DataFrame) -> pd.Series:
    return frame["ghi"].groupby(level="point_id").resample("D", level="time").sum() * 0.25 / 1000


def by_grouper(frame: pd.DataFrame) -> pd.Series:
    keys = [pd.Grouper(level="point_id"), pd.Grouper(level="time", freq="D")]
    return frame["ghi"].groupby(keys).sum() * 0.25 / 1000


def by_floor(frame: pd.DataFrame) -> pd.Series:
    keys = [frame.index.get_level_values(0), frame.index.get_level_values(1).floor("D")]
    return frame["ghi"].groupby(keys).sum() * 0.25 / 1000


def by_duckdb(rows: pd.DataFrame) -> pd.DataFrame:
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        return connection.sql(
            "SELECT point_id, epoch_us(time) // 86400000000 AS day, sum(ghi) * 0.25 / 1000 AS energy "
            "FROM rows GROUP BY ALL ORDER BY ALL"
        ).df()


def compare_daily(frame: pd.DataFrame) -> None:
    rows = frame[["ghi"]].reset_index()
    rows["time"] = rows["time"].dt.tz_localize(None)
    ours = energy(frame)
    inner = ours["energy"].groupby(level=0).sum()
    assert np.allclose(inner, by_floor(frame).groupby(level=0).sum(), rtol=1e-6)
    seconds = {
        "pandas resample": best(partial(by_resample, frame)),
        "pandas Grouper": best(partial(by_grouper, frame)),
        "pandas floor": best(partial(by_floor, frame)),
        "DuckDB, integer day, 1 thread": best(partial(by_duckdb, rows)),
    }
    own = best(partial(energy, frame), most=9)
    print(f"daily energy of {ours.index.levels[0].size} points x a year, {len(frame):,} values")
    print(f"  {'energy, with coverage':32} {own:8.3f} s")
    for name, value in seconds.items():
        print(f"  {name:32} {value:8.3f} s   {value / own:5.1f} times as long")


def time_figures(frame: pd.DataFrame) -> None:
    one = one_of(frame)
    plain = one[["ghi"]]
    plain.attrs = one.attrs
    jobs: dict[str, Callable[[pd.DataFrame], Any]] = {
        "energy by hour": partial(energy, period="hour"),
        "energy by day, solar days": partial(energy, days="solar"),
        "energy by day, gaps scaled": partial(energy, gaps="scale"),
        "energy by year": partial(energy, period="year"),
        "monthly": monthly,
        "typical_day": typical_day,
        "duration": duration,
        "variability, clear sky at hand": variability,
        "ramps, clear sky at hand": ramps,
    }
    print(f"{'figures':34} {'1 point':>10} {'all points':>12}")
    for name, job in jobs.items():
        print(f"  {name:32} {best(partial(job, one), most=3):8.3f} s {best(partial(job, frame), most=2):10.3f} s")
    print(f"  {'variability, by pvlib':32} {best(partial(variability, plain), most=3):8.3f} s")
    print(f"  {'plane_of_array, by pvlib':32} {best(partial(plane_of_array, one, 30, 180), most=3):8.3f} s")
    print(f"  {'compare':32} {best(partial(compare, one, one), most=3):8.3f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=100)
    frame = make(parser.parse_args().points)
    energy(frame)  # loads what is loaded once
    compare_daily(frame)
    time_figures(frame)


if __name__ == "__main__":
    main()
