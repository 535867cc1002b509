"""The picture of counts: what it says, readable without colour."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import datalake_kit as dk
from datalake_kit.plots import style
from tests.replication import lake_of, odp_table


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> dk.cdc.Validation:
    tables = {
        "good": "tables/v6_table_1",
        "lost": "damaged/v6_table_1_withheld",
        "subtle": "damaged/v6_table_10_withheld",
    }
    numbers = {"good": "table_1", "lost": "table_1", "subtle": "table_10", "broken": "table_1"}
    paths = {name: odp_table(zip_name) for name, zip_name in tables.items()} | {
        "broken": odp_table("tables/v6_table_1")
    }
    folder: Path = lake_of(tmp_path_factory.mktemp("plots") / "lake", paths, staged=numbers)
    sorted((folder / "taxi/broken/.hoodie").glob("*.commit"))[-1].write_bytes(b"")
    with dk.connect(folder) as lake:
        return dk.cdc.validate(lake)


def test_each_table_has_two_bars_and_its_verdict_in_words(check: dk.cdc.Validation) -> None:
    ax = dk.plots.cdc.counts(check)
    said = {t.get_text() for t in ax.texts}
    assert said == {
        "\N{CHECK MARK} equal",
        "\N{BALLOT X} different: \N{MINUS SIGN}70 rows, 70 missing",
        "\N{BALLOT X} different: the count is right, 3 changed",
        "\N{WARNING SIGN} not compared: could not be read",
    }
    assert [t.get_text() for t in ax.get_yticklabels()] == ["taxi.broken", "taxi.good", "taxi.lost", "taxi.subtle"]
    assert ax.get_title(loc="left") == "1 of 4 tables hold what their DMS files say"
    assert ax.get_xlabel() == "rows"
    widths = [round(p.get_width()) for p in ax.patches]
    assert widths[:4] == [0, 2200, 2200, 2003]
    assert widths[4:8] == [0, 2200, 2130, 2003]
    plt.close(ax.figure)


def test_text_is_inside_the_figure_and_large_enough(check: dk.cdc.Validation) -> None:
    ax = dk.plots.cdc.counts(check)
    ax.figure.canvas.draw()
    box = ax.figure.bbox
    for text in [*ax.texts, *ax.get_yticklabels()]:
        assert text.get_fontsize() >= style.SMALLEST_TEXT
        extent = text.get_window_extent()
        assert box.x0 <= extent.x0 <= extent.x1 <= box.x1, text.get_text()
    plt.close(ax.figure)


def test_it_draws_where_it_is_told_and_leaves_the_users_settings(check: dk.cdc.Validation) -> None:
    before = dict(plt.rcParams)
    figure, ax = plt.subplots()
    assert dk.plots.cdc.counts(check, ax) is ax
    assert dict(plt.rcParams) == before
    plt.close(figure)
