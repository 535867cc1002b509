"""All of a point on one page of A4."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from datalake_kit.errors import DataError, ParameterError
from datalake_kit.irradiance.stored.series import select_point
from datalake_kit.plots import style
from datalake_kit.plots.irradiance.panels import draw_page
from datalake_kit.plots.irradiance.point import PointSeries, prepare, require_frame

__all__ = ["overview"]

A4 = (8.27, 11.69)  # inches, upright
_DOTS = 200  # an inch, of the PNG


def overview(
    frame: pd.DataFrame,
    point: str | None = None,
    path: str | Path | None = None,
    *,
    column: str = "ghi",
    tz: str = "UTC",
) -> Figure:
    """Draw all of a point on one page of A4: what it is, twelve pictures and tables, and write it as PDF and PNG.

    From above: who and where it is, which data and from where; the series against the clear sky; days by hour; which
    steps were seen, and the energy of each day; the week of most energy against the clear sky; days of each month,
    duration curve, clear-sky index; mean day of each month, limits of BSRN; what the flags found, energy of each year.

    Parameters
    ----------
    frame : DataFrame
        One point or several, as `dk.irradiance.read` gives them.
    point : str, optional
        The id of the one to draw, of several.
    path : str or Path, optional
        Where to write: `turin.pdf`, `turin.png`, or `turin` for both. Of several points a PDF with a page for each, in
        the order of the frame. What is there is replaced once the new file is whole.
    column : str
        In W/m2; limits and flags are those of the column, where there are some.
    tz : str
        The zone of the hours; days and months are those of UTC.

    Returns
    -------
    Figure
        Of several points that of the first.

    Raises
    ------
    PointNotFoundError
        No such point in the frame.
    DataError
        A point without any value; several points without a path; a path that cannot hold several pages.

    Notes
    -----
    A picture that cannot be drawn (no place, no daylight) says so in its place.

    Examples
    --------
    >>> overview(dk.irradiance.read(lake, "irradiance.points_year"), "turin", "turin.pdf")     # doctest: +SKIP
    """
    require_frame(frame, (column,))
    several = isinstance(frame.index, pd.MultiIndex) and point is None
    targets = _targets(path, several=several)
    if several and not targets:
        raise DataError("The frame holds several points: name one with point=, or give a path for a page of each.")
    pages = (_draw(prepare(one, column, tz)) for one in _points(frame, point))
    if not several:
        figure = next(pages)
        for target in targets:
            _write(figure, target)
        return figure
    return _write_pages(pages, targets[0])


def _targets(path: str | Path | None, *, several: bool) -> list[Path]:
    if path is None:
        return []
    target = Path(path)
    if target.suffix.lower() not in ("", ".pdf", ".png"):
        raise ParameterError(f"A page is written as .pdf or .png, not as {target.suffix!r}: {target}.")
    if several and target.suffix.lower() == ".png":
        raise DataError(f"A PNG holds one page, and the frame several points: name one, or write a PDF: {target}.")
    if target.suffix:
        return [target]
    return [target.with_suffix(".pdf")] if several else [target.with_suffix(".pdf"), target.with_suffix(".png")]


def _points(frame: pd.DataFrame, point: str | None) -> Iterator[pd.DataFrame]:
    if not isinstance(frame.index, pd.MultiIndex):
        own = frame.attrs.get("point", {}).get("point_id")
        if point is not None and own not in (None, point):
            raise DataError(f"The frame holds the point {own!r}, not {point!r}.")
        yield frame
        return
    for name in [point] if point is not None else frame.index.get_level_values("point_id").unique():
        yield select_point(frame, name)


def _draw(point: PointSeries) -> Figure:
    figure = Figure(figsize=A4)  # not of pyplot: nothing stays open, and a notebook shows it once
    FigureCanvasAgg(figure)
    with style.style():
        figure.set(dpi=100, facecolor="white")
        draw_page(figure, point)
    return figure


def _write(figure: Figure, target: Path) -> None:
    kind = target.suffix.lower().lstrip(".")
    part = target.with_name(f".{target.name}.part")
    try:
        quick: dict[str, Any] = {"pil_kwargs": {"compress_level": 3}} if kind == "png" else {}
        figure.savefig(part, format=kind, dpi=_DOTS, metadata=_metadata(kind), **quick)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _write_pages(pages: Iterator[Figure], target: Path) -> Figure:
    first: Figure | None = None
    part = target.with_name(f".{target.name}.part")
    try:
        with PdfPages(part, metadata=_metadata("pdf")) as document:
            for figure in pages:
                first = first or figure
                document.savefig(figure, dpi=_DOTS)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    if first is None:
        raise DataError("The frame has no rows: there is nothing to draw.")
    return first


def _metadata(kind: str) -> dict[str, Any]:
    from datalake_kit import __version__

    said = f"datalake_kit {__version__}"
    return {"Creator": said} if kind == "pdf" else {"Software": said}
