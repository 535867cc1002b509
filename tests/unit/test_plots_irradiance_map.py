"""The map of points: names that can be read, and a count of those that found no room."""

from __future__ import annotations

import itertools

import pandas as pd
from matplotlib import pyplot as plt

from datalake_kit.plots import irradiance as pictures
from tests.pictures import subtitle


def test_names_do_not_lie_on_one_another_and_those_left_out_are_counted() -> None:
    close = [(f"point number {n}", 45 + n / 50, 8 + n / 50) for n in range(8)]
    points = pd.DataFrame([*close, ("far", -28.0, 21.0)], columns=["point_id", "latitude", "longitude"])
    ax = pictures.points_map(points)
    ax.figure.canvas.draw()
    names = [t for t in ax.texts if t.get_text().startswith(("point number", "far"))]
    boxes = [t.get_window_extent() for t in names]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    assert "far" in [t.get_text() for t in names]
    assert f"{9 - len(names)} names left out" in subtitle(ax)
    plt.close(ax.figure)
