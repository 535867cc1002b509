"""Forecasts: when so many items are done, or how many by a date."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from datalake_kit.errors import ParameterError
from datalake_kit.jira.flow.forecast import Forecast
from datalake_kit.plots import style
from datalake_kit.plots.jira.canvas import (
    join_percentiles,
    mdates,
    name_line,
    new_axes,
    require_rows,
    set_title,
    spread,
    use_counts,
    use_dates,
)

_PERIODS = {"D": "days", "W": "weeks", "M": "months"}
_STYLES = ("--", "-.", ":", (0, (1, 1)), (0, (5, 1)))


def forecast(found: Forecast, ax: Axes | None = None, *, scope: str | None = None) -> Axes:
    """Draw how the trials of a forecast came out, with a line at each percentile.

    Parameters
    ----------
    found
        What `dk.jira.forecast` gives.
    ax
        Where to draw; None: a new figure.
    scope
        Whose work it is, for the title.

    Returns
    -------
    matplotlib.axes.Axes
        When: trials by the date on which the last item was done. How many: trials by the number of items.

    Raises
    ------
    DataError
        The forecast has no trial.
    ParameterError
        It is no forecast.

    Examples
    --------
    >>> weeks = pd.date_range("2026-01-05", periods=9, freq="W-MON", tz="UTC").as_unit("us")
    >>> past = pd.DataFrame({"period_start": weeks[:-1], "period_end": weeks[1:], "finished": [3, 4] * 4,
    ...                      "complete": True, "freq": "W", "zone": "UTC"})
    >>> from datalake_kit.jira.flow.forecast import forecast as measure
    >>> forecast(measure(past, items=7, trials=100)).get_ylabel()
    'trials'
    """
    if not isinstance(found, Forecast):
        raise ParameterError(f"A {type(found).__name__} is no forecast. Give what dk.jira.forecast gives.")
    rows = found.distribution
    require_rows(rows, "no trial")
    ax = new_axes(ax, 4.2)
    with style.style():
        when = found.question == "when"
        places = _numbers(rows["date"]) if when else rows["items"].to_numpy(np.float64)
        steps = np.diff(np.sort(places))
        width = 0.9 * (float(steps.min()) if len(steps) else 1.0)
        ax.bar(places, rows["trials"], width, color=style.MISSING, edgecolor=style.TEXT, linewidth=0.5)
        use_counts(ax, "trials", float(rows["trials"].max()) * 1.25)
        if when:
            use_dates(ax, rows["date"])
            ax.set_xlabel(f"last item done by (ends of {_PERIODS.get(found.freq, 'periods')}, UTC)")
        else:
            ax.set_xlabel("items done")
        _percentile_lines(ax, found, when)
        set_title(ax, *_titles(found, scope, when))
    return ax


def _numbers(dates: pd.Series[pd.Timestamp]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(mdates.date2num(dates.to_numpy()), np.float64)


def _percentile_lines(ax: Axes, found: Forecast, when: bool) -> None:
    values = _numbers(found.table["date"]) if when else found.table["items"].to_numpy(np.float64)
    lines = join_percentiles(found.table["percentile"].tolist(), values.tolist())
    low, high = ax.get_xlim()
    heights = spread(np.linspace(0.99, 0.78, len(lines))[::-1], 0.075, 0.1, 0.99)[::-1]
    for n, (names, value) in enumerate(lines):
        said = f"by {mdates.num2date(value):%Y-%m-%d}" if when else f"at least {value:g}"
        ax.axvline(value, color=style.DNI, linestyle=_STYLES[n % len(_STYLES)])
        name_line(ax, f"{names}: {said}", value, heights[n], right=value > low + 0.7 * (high - low))


def _titles(found: Forecast, scope: str | None, when: bool) -> tuple[str, str]:
    words = _PERIODS.get(found.freq, "periods")
    asked = f"When are {found.items:,} items done?" if when else f"How many items are done by {found.until:%Y-%m-%d}?"
    past = f"{found.periods_used} {words} {found.used_from:%Y-%m-%d} to {found.used_to:%Y-%m-%d}"
    told = f"{found.trials:,} trials from {found.start:%Y-%m-%d} on, over {past} (UTC), seed {found.seed}"
    return f"{asked}{f' ({scope})' if scope else ''}", told
