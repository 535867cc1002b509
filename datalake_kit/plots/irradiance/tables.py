"""What the page of a point says in words: its header, what the flags found, the energy of each year."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from datalake_kit.irradiance.deriving.energy import energy
from datalake_kit.irradiance.judging.places import place_of
from datalake_kit.irradiance.judging.quality import flags
from datalake_kit.plots import style
from datalake_kit.plots.irradiance import labels
from datalake_kit.plots.irradiance.point import PointSeries
from datalake_kit.plots.lettering import drawable, families, text_width, wrap_text

__all__ = ["draw_flags", "draw_header", "draw_years"]

_LINE = 0.16  # inches from line to line
_NAME = 15.0  # points
_LONG_NAME = 11.0
_EDGE = 0.3  # inches, right of the header
_MOST = 8  # lines of a header
_ROWS = 4


def draw_header(figure: Figure, point: PointSeries, *, left: float, top: float) -> float:
    """Write who and where, which data, from where, and how much is missing; return where it ends, in inches."""
    width, height = figure.get_size_inches()
    room, place = width - left - _EDGE, point.place
    name = drawable(" ".join(str(place.get("name") or place.get("point_id") or "A point").split()))
    size = _NAME if text_width(name, _NAME, bold=True) <= room else _LONG_NAME
    at = top
    named = _cut(wrap_text(name, room, size, bold=True), 2)
    for line in named:
        _write(figure, left / width, 1 - at / height, line, size=size, weight="bold")
        at += size / 72 * 1.25
    at += 0.03
    lines = [line for parts in _header_lines(point) for line in labels.join_lines(list(map(drawable, parts)), room)]
    for line in _cut(lines, _MOST - len(named)):
        weight = "bold" if line.startswith("synthetic") else "normal"
        _write(figure, left / width, 1 - at / height, line, size=style.SMALLEST_TEXT, weight=weight)
        at += _LINE
    return at


def _cut(lines: list[str], most: int) -> list[str]:
    """Return at most so many lines, and say that there are more."""
    return lines if len(lines) <= most else [*lines[: most - 1], f"{lines[most - 1][:-2]} …"]


def _header_lines(point: PointSeries) -> list[list[str]]:
    attrs = point.frame.attrs
    variable = labels.component(point.column).name
    what = [variable, labels.period_of(point), labels.step_text(point.step), labels.kind_of(point)]
    missing = f"{labels.missing_text(point)} of {len(point.values):,} steps"
    source = [f"{k} {attrs[k]}" for k in ("product", "table", "origin") if attrs.get(k)]
    made = [["synthetic: made by formula, nothing was measured"]] if attrs.get("synthetic") else []
    return [*made, _where(point), [*what, missing], source or ["source not said"]]


def _where(point: PointSeries) -> list[str]:
    place = point.place
    if not point.located:
        return ["place not known: no sun, no clear sky"]
    parts = [f"{labels.degrees(place['latitude'], 'NS')} {labels.degrees(place['longitude'], 'EW')}"]
    found = place_of(point.frame)
    parts.append(f"altitude {found.altitude:g} m" + ("" if found.altitude_known else ": not known, taken as this"))
    if place.get("cell_latitude") is not None:
        cell = f"{labels.degrees(place['cell_latitude'], 'NS')} {labels.degrees(place['cell_longitude'], 'EW')}"
        away = f", {place['distance_km']:.1f} km away" if place.get("distance_km") is not None else ""
        parts.append(f"grid cell {cell}{away}")
    if point.instantaneous and place.get("scan_offset_seconds"):
        parts.append(f"seen {place['scan_offset_seconds'] / 60:.1f} min after the label")
    return parts


def draw_flags(ax: Axes, point: PointSeries) -> None:
    """Write how many steps each flag marks, most first, and which flags found nothing."""
    found = flags(point.frame, point.position, clear=point.clear).fillna(False).sum().sort_values(ascending=False)
    of_files = found.index.str.startswith("flag_")  # what the files say of a step is no verdict of ours
    stated, found = found[of_files], found[~of_files]
    rows = []
    for name, count in found[found > 0].head(_ROWS).items():
        sign, colour = style.mark("fail" if str(name).endswith(("possible", "nonzero")) else "warn")
        rows.append((f"{sign}: {str(name).replace('_', ' ')}", _share(int(count), len(point.values)), colour))
    for name, count in stated[stated > 0].head(_ROWS - len(rows)).items():
        text = str(name).removeprefix("flag_").replace("_", " ")
        rows.append((f"the files say: {text}", _share(int(count), len(point.values)), style.TEXT))
    more = int((found > 0).sum() + (stated > 0).sum()) - len(rows)
    below = [f"and {more} more flags"] if more > 0 else []
    clean = int((found == 0).sum())
    if clean:
        below.append(f"{style.mark('pass')[0]}: {clean} {'other ' if rows else ''}flags found nothing")
    _write_rows(ax, rows, below)


def _share(count: int, of: int) -> str:
    return f"{count:,} steps, {labels.share_text(count / of)}"


def draw_years(ax: Axes, point: PointSeries) -> None:
    """Write the energy of each year, a lower bound where it is not complete, and the share of daylight seen."""
    years = energy(point.frame, "year", point.column)
    rows = []
    for year, (_, row) in zip(pd.DatetimeIndex(years.index).year[-_ROWS:], years.tail(_ROWS).iterrows(), strict=True):
        seen = "no daylight" if pd.isna(row["coverage"]) else f"{labels.share_text(float(row['coverage']))} seen"
        bound = "" if row["complete"] else "≥ "
        rows.append((str(year), f"{bound}{row['energy']:,.0f} kWh/m² per year, {seen}", style.TEXT))
    more = len(years) - len(rows)
    _write_rows(ax, rows, [f"and {more} earlier years"] if more else [])


def _write_rows(ax: Axes, rows: list[tuple[str, str, str]], below: list[str]) -> None:
    """Write names and values in two columns."""
    ax.set_axis_off()
    across = max([text_width(name, style.SMALLEST_TEXT) for name, _, _ in rows], default=0) + 0.15
    inches = ax.get_window_extent().width / ax.figure.dpi
    for number, (name, value, colour) in enumerate(rows):
        _write_line(ax, 0, number, name, colour)
        _write_line(ax, across / inches, number, value, style.TEXT)
    for number, text in enumerate(below, len(rows)):
        _write_line(ax, 0, number, text, style.TEXT)


def _write_line(ax: Axes, left: float, number: int, text: str, colour: str) -> None:
    height = ax.get_window_extent().height / ax.figure.dpi
    ax.text(
        left, 1 - number * _LINE / height, drawable(text), va="top", transform=ax.transAxes, color=colour,
        fontsize=style.SMALLEST_TEXT, parse_math=False, family=list(families()),
    )  # fmt: skip


def _write(figure: Figure, left: float, top: float, text: str, **options: Any) -> None:
    figure.text(left, top, text, va="top", parse_math=False, family=list(families()), **options)
