"""What a comparison of two series found."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

__all__ = ["Comparison"]

_MONTHS_SHOWN = 24


@dataclass(frozen=True, eq=False)
class Comparison:
    """A series against a reference, in pairs of the same time; errors are series less reference.

    Attributes
    ----------
    pairs : DataFrame
        `value` and `reference` in W/m2, indexed by the begin of the common step, UTC: what was compared, as a scatter
        plot takes it.
    step : Timedelta
        The common step.
    n : int
        Pairs.
    left_out : mapping
        Steps of the time that both cover and that were not compared, by reason: night, missing_in_series,
        missing_in_reference, missing_in_both, flagged.
    mean_value, mean_reference, mbe, rmse, mae : float
        W/m2: means, mean bias error, root mean square error, mean absolute error.
    mbe_percent, rmse_percent, mae_percent : float
        Of the reference's mean.
    correlation : float
        Pearson's; NaN where one of the two does not vary.
    ksi, over : float
        W/m2; `ksi_percent` and `over_percent` of the critical area. See `distribution_distance`.
    by_month, by_hour : DataFrame
        n, reference (mean), mbe, rmse, mae in W/m2, by calendar month and by hour of the day, UTC.
    distance_km : float
        Between the two places; NaN where one is not known.
    rule : str
        How the two were brought to common steps.
    names : tuple of str
        Of series and reference.
    """

    pairs: pd.DataFrame
    step: pd.Timedelta
    left_out: Mapping[str, int]
    mean_value: float
    mean_reference: float
    mbe: float
    rmse: float
    mae: float
    correlation: float
    ksi: float
    ksi_percent: float
    over: float
    over_percent: float
    by_month: pd.DataFrame
    by_hour: pd.DataFrame
    distance_km: float
    rule: str
    names: tuple[str, str]
    column: str

    @property
    def n(self) -> int:
        """How many pairs there are."""
        return len(self.pairs)

    @property
    def mbe_percent(self) -> float:
        """Mean bias error in per cent of the reference's mean."""
        return self._percent(self.mbe)

    @property
    def rmse_percent(self) -> float:
        """Root mean square error in per cent of the reference's mean."""
        return self._percent(self.rmse)

    @property
    def mae_percent(self) -> float:
        """Mean absolute error in per cent of the reference's mean."""
        return self._percent(self.mae)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain values, without pairs and tables."""
        names = (
            "column", "n", "mean_value", "mean_reference", "mbe", "mbe_percent", "rmse", "rmse_percent", "mae",
            "mae_percent", "correlation", "ksi", "ksi_percent", "over", "over_percent", "distance_km", "rule",
        )  # fmt: skip
        head = {"series": self.names[0], "reference": self.names[1], "step_seconds": self.step.total_seconds()}
        return head | {n: getattr(self, n) for n in names} | {"left_out": dict(self.left_out)}

    def to_html(self) -> str:
        """Return the comparison as a part of a page; every value is escaped."""
        cell = 'style="text-align:left"'
        rows = "".join(
            f"<tr><th {cell}>{html.escape(name)}</th><td {cell}>{html.escape(text)}</td></tr>"
            for name, text in self._facts()
        )
        title = html.escape(f"{self.column}: {self.names[0]} against {self.names[1]}")
        tables = "".join(
            f"<h4>{name}</h4>{table.round(1).to_html(border=0)}"
            for name, table in (("By month", self.by_month.head(_MONTHS_SHOWN)), ("By hour, UTC", self.by_hour))
        )
        more = len(self.by_month) - _MONTHS_SHOWN
        note = f"<p>{more} more months are not shown.</p>" if more > 0 else ""
        return f"<div><h3>{title}</h3><table>{rows}</table>{tables}{note}</div>"

    def _percent(self, error: float) -> float:
        return 100 * error / self.mean_reference if self.mean_reference > 0 else float("nan")

    def _facts(self) -> list[tuple[str, str]]:
        def error(value: float, percent: float) -> str:
            return f"{value:.1f} W/m2 ({percent:.1f} % of the reference's mean)"

        def area(value: float, percent: float) -> str:
            few = "" if percent == percent else "; too few pairs to judge it"
            return f"{value:.1f} W/m2" + (few or f" ({percent:.0f} % of the critical area)")

        begin, end = self.pairs.index[0], self.pairs.index[-1] + self.step
        out = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in self.left_out.items() if count)
        return [
            ("compared", f"{self.column} of {self.names[0]} against {self.names[1]}"),
            (
                "places",
                "one is not known" if self.distance_km != self.distance_km else f"{self.distance_km:.1f} km apart",
            ),
            ("period", f"{begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"),
            ("step", f"{self.step / pd.Timedelta(minutes=1):g} min; {self.rule}"),
            ("pairs", f"{self.n:,}; left out: {out or 'none'}"),
            ("means", f"{self.mean_value:.1f} W/m2, reference {self.mean_reference:.1f} W/m2"),
            ("bias (MBE)", error(self.mbe, self.mbe_percent)),
            ("RMSE", error(self.rmse, self.rmse_percent)),
            ("MAE", error(self.mae, self.mae_percent)),
            ("correlation", f"{self.correlation:.4f}"),
            ("KSI", area(self.ksi, self.ksi_percent)),
            ("OVER", area(self.over, self.over_percent)),
        ]

    def __str__(self) -> str:
        return "\n".join(f"{name:12} {text}" for name, text in self._facts())

    def __repr__(self) -> str:
        return (
            f"<Comparison {self.column}: {self.n:,} pairs, MBE {self.mbe:.1f}, RMSE {self.rmse:.1f}, "
            f"MAE {self.mae:.1f} W/m2, correlation {self.correlation:.3f}>"
        )

    def _repr_html_(self) -> str:
        return self.to_html()
