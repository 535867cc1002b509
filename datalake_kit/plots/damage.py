"""Pictures of what replication lost: by the file at fault, over time, and what is merely late."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from datalake_kit.errors import ParameterError
from datalake_kit.plots import style

if TYPE_CHECKING:
    from datalake_kit.cdc import Validation

__all__ = ["damage", "history", "lag"]

_KINDS = ("missing", "extra", "changed", "duplicate", "unverified")
_COLOURS = {  # dark to light, so that the parts of a bar are told apart in grey too
    "missing": "#7F1D1D",
    "extra": "#0072B2",
    "changed": "#C77700",
    "duplicate": "#8A94A0",
    "unverified": "#C9D6E2",
}
_MOST = 12
_NO_FILE = "no file at fault"


def checked(validation: Any) -> Validation:
    """Refuse what is no result of `dk.cdc.validate`."""
    from datalake_kit.cdc import Validation as Made

    if not isinstance(validation, Made):
        raise ParameterError(f"validation is what dk.cdc.validate gives, not {type(validation).__name__}.")
    return validation


def damage(validation: Validation, ax: Axes | None = None, *, most: int = _MOST) -> Axes:
    """Draw how many keys each file is at fault for, by kind, worst first, and why.

    A file is named where putting it right would put exactly these keys right; the rest stands under "no file at fault".

    Parameters
    ----------
    validation : Validation
        The result of `dk.cdc.validate`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure without it.
    most : int
        How many bars; the others are summed in a last one.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> dk.plots.cdc.damage(dk.cdc.validate(lake, level="values"))                           # doctest: +SKIP
    """
    groups = _groups(checked(validation), most)
    with style.style():
        ax = style.axes(ax, height=1.3 + 0.78 * max(len(groups), 1))
        if groups.empty:
            _say_nothing(ax, "No damage was found" if validation.ok else validation.headline)
            return ax
        places = np.arange(len(groups))[::-1]
        start = np.zeros(len(groups))
        for kind in (k for k in _KINDS if groups[k].any()):
            ax.barh(places, groups[kind], 0.26, left=start, color=_COLOURS[kind], label=kind)
            start += groups[kind].to_numpy(dtype="float64")
        longest = float(start.max())
        for place, size, row in zip(places, start, groups.to_dict(orient="records"), strict=True):
            ax.text(0, place + 0.18, f"{row['table']}   {_short(row['file'])}", va="bottom", fontweight="bold")
            ax.text(0, place - 0.18, _short(row["why"], 120), va="top", fontsize=style.SMALLEST_TEXT)
            counts = ", ".join(f"{int(row[k]):,} {k}" for k in _KINDS if row[k])
            ax.text(size + longest * 0.01, place, counts, va="center", fontsize=style.SMALLEST_TEXT)
        ax.set_xlim(0, longest * 1.45)
        ax.set_ylim(-0.6, len(groups) - 0.4)
        ax.set_yticks([])
        ax.set_xticks([t for t in ax.get_xticks() if 0 <= t <= longest * 1.02 and float(t).is_integer()])
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        ax.set_xlabel("keys that are wrong, files at fault", loc="left")
        total = int(sum(groups[list(_KINDS)].sum()))
        ax.set_title(f"{total:,} {'finding' if total == 1 else 'findings'}, by the file at fault")
        ax.grid(visible=False)
        ax.spines["left"].set_visible(False)
        ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=5, columnspacing=1.0)
    return ax


def history(records: pd.DataFrame, ax: Axes | None = None, *, table: str | None = None) -> Axes:
    """Draw the damage that validations found over time: keys that were wrong, and a mark a validation for its verdict.

    Parameters
    ----------
    records : DataFrame
        What `dk.cdc.history` gives.
    ax : matplotlib Axes, optional
        Where to draw; a new figure without it.
    table : str, optional
        One table; without it the sum over all, where a table that a validation left out is as it was last seen.

    Returns
    -------
    matplotlib Axes
        Time in UTC to the right, keys upwards.

    Raises
    ------
    ParameterError
        `records` is not what `dk.cdc.history` gives, or has no such table.

    Examples
    --------
    >>> dk.plots.cdc.history(dk.cdc.history("operations"), table="taxi.table_3")             # doctest: +SKIP
    """
    kinds = ["missing", "extra", "changed", "duplicates"]
    columns = getattr(records, "columns", None)
    if columns is None:
        raise ParameterError(f"records is the frame that dk.cdc.history gives, not {records!r}.")
    absent = [c for c in ("checked_at", "validation", "table", "verdict", *kinds) if c not in columns]
    if absent:
        raise ParameterError(f"records is what dk.cdc.history gives; the column {absent[0]} is not there.")
    if table is not None:
        if table not in set(records["table"]):
            raise ParameterError(f"No validation of {table!r} is recorded.")
        records = records[records["table"] == table]
    if records.empty:
        raise ParameterError("records has no row: nothing is recorded. Run dk.cdc.validate(..., history=folder) first.")
    run = ["checked_at", "validation"]
    numbers = records[[*run, "table"]].assign(**{kind: records[kind].astype("float64") for kind in kinds})
    seen = numbers.groupby([*run, "table"], sort=True).sum(min_count=1).unstack("table").ffill()
    wrong = pd.DataFrame({kind: pd.DataFrame(seen[kind]).sum(axis=1) for kind in kinds})
    verdicts = records.groupby(run, sort=True)["verdict"].agg(_worst)
    with style.style():
        ax = style.axes(ax)
        moments = pd.DatetimeIndex(wrong.index.get_level_values("checked_at")).tz_convert(None).to_numpy()
        for kind in kinds:
            colour = _COLOURS[kind.rstrip("s") if kind == "duplicates" else kind]
            if wrong[kind].any():
                ax.plot(moments, wrong[kind].astype("float64"), color=colour, drawstyle="steps-post", label=kind)
        for verdict, status in (("equal", "pass"), ("different", "fail"), ("not compared", "warn")):
            at = (verdicts == verdict).to_numpy()
            if at.any():
                sign, colour = style.mark(status)  # type: ignore[arg-type]  # one of the three it takes
                label = f"{sign.split(' ')[0]} {verdict}"
                marker = {"pass": "o", "fail": "X", "warn": "^"}[status]
                ax.scatter(moments[at], np.zeros(at.sum()), color=colour, marker=marker, label=label, zorder=3, s=36)
        ax.set_ylim(bottom=-0.03 * max(1.0, float(wrong.to_numpy(dtype="float64").max())))
        ax.set_ylabel("keys that are wrong")
        ax.set_xlabel("time of the validation (UTC)")
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        ax.set_title(
            f"{table or 'All tables'}: {len(verdicts)} validations, {int((verdicts != 'equal').sum())} not equal"
        )
        ax.legend(loc="upper left", ncols=3, bbox_to_anchor=(0, -0.18))
    return ax


def lag(validation: Validation, ax: Axes | None = None) -> Axes:
    """Draw the changes that have landed and are not yet processed: how many, and for how long they wait.

    Parameters
    ----------
    validation : Validation
        The result of `dk.cdc.validate`; `validation.lag` has the files.
    ax : matplotlib Axes, optional
        Where to draw; a new figure without it.

    Returns
    -------
    matplotlib Axes
        One bar a table: the age in minutes of the oldest change that waits.

    Examples
    --------
    >>> dk.plots.cdc.lag(dk.cdc.validate(lake, trackers="odpf_file_tracker.json"))           # doctest: +SKIP
    """
    waiting = checked(validation).lag
    with style.style():
        tables = waiting.groupby("table", sort=True).agg(
            files=("file", "size"), rows=("rows", "sum"), age=("age", "max")
        )
        ax = style.axes(ax, height=1.6 + 0.5 * max(len(tables), 2))
        if tables.empty:
            _say_nothing(ax, "Nothing waits: every change that landed was due and looked for")
            return ax
        places = np.arange(len(tables))[::-1]
        minutes = tables["age"].dt.total_seconds().fillna(0).to_numpy() / 60
        longest = max(float(minutes.max()), 1.0)
        ax.barh(places, minutes, 0.5, color=style.WARN)
        told = zip(tables["files"].tolist(), tables["rows"].astype("Int64").fillna(0).tolist(), strict=True)
        for place, minute, (files, rows) in zip(places, minutes, told, strict=True):
            text = f"{_age(minute)}: {rows:,} changes in {files} {'file' if files == 1 else 'files'}"
            ax.text(minute + longest * 0.015, place, text, va="center", ha="left", fontsize=style.SMALLEST_TEXT)
        ax.set_yticks(places, [str(t) for t in tables.index])
        ax.set_xlim(0, longest * 1.7)
        ax.set_xlabel("minutes since the oldest change that waits landed", loc="left")
        ax.set_title(f"{int(tables['rows'].sum()):,} changes have landed and are not yet processed")
        ax.grid(visible=True, axis="x")
        ax.grid(visible=False, axis="y")
        ax.tick_params(axis="y", length=0)
    return ax


def _groups(validation: Validation, most: int) -> pd.DataFrame:
    """One row a table and file at fault: how many findings of each kind, and the commonest explanation."""
    findings = validation.findings
    rows = []
    for (table, file), part in findings.assign(file=findings["file"].fillna(_NO_FILE)).groupby(["table", "file"]):
        counted = part["kind"].value_counts()
        why = str(part["explanation"].value_counts().idxmax()).replace(str(file), "the file")
        why = re.sub(r":? \S*/the file", "", why)
        name = str(file).rsplit("/", 1)[-1]
        rows.append({"table": table, "file": name, **{k: int(counted.get(k, 0)) for k in _KINDS}, "why": why})
    groups = pd.DataFrame(rows, columns=["table", "file", *_KINDS, "why"])
    groups["size"] = groups[list(_KINDS)].sum(axis=1)
    groups = groups.sort_values("size", ascending=False, kind="stable", ignore_index=True)
    if len(groups) <= most:
        return groups
    rest = groups.iloc[most - 1 :]
    last = {"table": "others", "file": f"{len(rest)} more files", **rest[list(_KINDS)].sum().to_dict(), "why": ""}
    return pd.concat([groups.iloc[: most - 1], pd.DataFrame([last])], ignore_index=True)


def _short(text: str, most: int = 60) -> str:
    """Text of at most so many letters, its middle left out."""
    if len(text) <= most:
        return text
    return f"{text[: most - most // 3 - 1]}\N{HORIZONTAL ELLIPSIS}{text[-(most // 3) :]}"


def _worst(verdicts: pd.Series[Any]) -> str:
    found = set(verdicts)
    return next((v for v in ("different", "not compared") if v in found), "equal")


def _age(minutes: float) -> str:
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 48 * 60 else f"{minutes / 1440:.0f} days"


def _say_nothing(ax: Axes, text: str) -> None:
    ax.set_axis_off()
    ax.text(0.0, 0.5, text, transform=ax.transAxes, ha="left", va="center", fontsize=11)
