"""Pictures of a point and a year of 15-minute values: seconds of each, and of the page that holds twelve of them.

    python benchmarks/irradiance_pictures.py
    python benchmarks/irradiance_pictures.py --repeat 5

`page` is what `overview` takes with its PNG at 200 dots an inch, `page, PDF` with the PDF instead. `alone` adds up what
the pictures take one by one, each with a figure of its own and written as PNG at 100 dots an inch. The peer draws the
same twelve on one page with matplotlib as a notebook would: pcolormesh, a bar for each day, a position of the sun for
each picture that needs one, constrained layout. Best of several; the first run, which loads libraries, does not count.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd

from datalake_kit.demo.sky_model import EPOCH, Sky
from datalake_kit.irradiance.judging.solar import clear_sky, solar_position
from datalake_kit.plots import irradiance as pictures

mpl.use("Agg")
PLACE = {"point_id": "turin", "name": "Turin", "latitude": 45.07, "longitude": 7.69, "altitude": 240.0,
         "scan_offset_seconds": 620.0}  # fmt: skip
KINDS = ("series", "heatmap", "daily_energy", "monthly", "clear_sky_index", "duration", "daily_profile", "limits",
         "components", "availability")  # fmt: skip


def point_year() -> pd.DataFrame:
    """Return a year of the demo's sky with gaps, as `read` gives it."""
    times = pd.date_range("2025-01-01", "2026-01-01", freq="15min", tz="UTC", inclusive="left", name="time")
    seconds = (times.tz_localize(None).to_numpy() - EPOCH) / np.timedelta64(1, "s")
    seen = Sky().patch(np.array([PLACE["latitude"]]), np.array([PLACE["longitude"]])).see(seconds, np.array([620.0]))
    frame = pd.DataFrame({"ghi": seen.ghi, "dhi": seen.ghi * seen.fraction_diffuse}, index=times, dtype=float)
    frame.iloc[np.random.default_rng(1).integers(0, len(frame), 400)] = np.nan
    frame.iloc[20_000:20_500] = np.nan
    frame.attrs = {"point": PLACE, "instantaneous": True, "synthetic": True, "step_seconds": 900.0}
    return frame


def plain_page(frame: pd.DataFrame, path: Path) -> None:
    """Draw the same with plain matplotlib and pandas."""
    import matplotlib.pyplot as plt

    ghi = frame["ghi"]
    figure, axes = plt.subplots(6, 2, figsize=(8.27, 11.69), layout="constrained")
    ax = axes.ravel()
    ax[0].plot(ghi.index, ghi)
    ax[0].plot(ghi.index, clear_sky(frame)["ghi_clear"], "--")
    table = ghi.to_frame().assign(day=ghi.index.date, hour=ghi.index.hour + ghi.index.minute / 60)
    ax[1].pcolormesh(table.pivot_table(index="hour", columns="day", values="ghi", dropna=False))
    daylight = solar_position(frame)["zenith"] < 90
    seen = (daylight & ghi.notna()).groupby(ghi.index.date).sum() / daylight.groupby(ghi.index.date).sum()
    ax[2].pcolormesh(seen.to_numpy()[None, :])
    days = ghi.resample("D").sum() / 4000
    ax[3].bar(days.index, days)
    parts = frame.resample("D").sum() / 4000
    ax[4].bar(parts.index, parts["dhi"])
    ax[4].bar(parts.index, parts["ghi"] - parts["dhi"], bottom=parts["dhi"])
    ax[5].plot(ghi.loc["2025-06-15":"2025-06-21"])
    ax[6].boxplot([d.to_numpy() for _, d in days.groupby(days.index.month)])
    ax[7].plot(np.sort(ghi.dropna())[::-1])
    index = (ghi / clear_sky(frame)["ghi_clear"])[solar_position(frame)["zenith"] < 85]
    ax[8].hist(index.clip(upper=2).dropna(), bins=40)
    profile = ghi.groupby([ghi.index.month, table["hour"]])
    for month, day in profile.mean().groupby(level=0):
        ax[9].plot(day.to_numpy(), label=month)
    position = solar_position(frame)
    ax[10].plot(position["zenith"], ghi, ".", markersize=1)
    ax[11].axis("off")
    figure.savefig(path, dpi=200)
    plt.close(figure)


def alone(frame: pd.DataFrame, folder: Path) -> dict[str, float]:
    """Return the seconds of each picture with a figure of its own."""
    import matplotlib.pyplot as plt

    took = {}
    for kind in KINDS:
        begin = time.perf_counter()
        getattr(pictures, kind)(frame).figure.savefig(folder / "one.png")
        plt.close("all")
        took[kind] = time.perf_counter() - begin
    return took


def best(job: Callable[[], object], repeat: int) -> float:
    """Return the seconds of the quickest run, after one that does not count."""
    took = []
    for _ in range(repeat + 1):
        begin = time.perf_counter()
        job()
        took.append(time.perf_counter() - begin)
    return min(took[1:])


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    frame = point_year()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        page = best(lambda: pictures.overview(frame, path=folder / "page.png"), repeat)
        document = best(lambda: pictures.overview(frame, path=folder / "page.pdf"), repeat)
        plain = best(lambda: plain_page(frame, folder / "plain.png"), repeat)
        single = [alone(frame, folder) for _ in range(repeat + 1)][1:]
    print(f"page            {page:6.2f} s   wanted: 3 s")
    print(f"page, PDF       {document:6.2f} s")
    print(f"plain page      {plain:6.2f} s   {plain / page:.1f} times the page")
    quickest = {kind: min(run[kind] for run in single) for kind in KINDS}
    print(f"alone, {len(KINDS)} kinds {sum(quickest.values()):6.2f} s")
    for kind, seconds in sorted(quickest.items(), key=lambda item: -item[1]):
        print(f"  {kind:16} {seconds:6.2f} s")


if __name__ == "__main__":
    main()
