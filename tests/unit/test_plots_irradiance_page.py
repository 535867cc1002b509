"""The page of a point: what stands on it, that nothing stands on something else, and the files."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pvlib
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.text import Text

from datalake_kit.errors import DataError, ParameterError, PointNotFoundError
from datalake_kit.plots import irradiance as pictures
from tests.pictures import make, several


def texts(figure: Figure) -> list[str]:
    return [t.get_text() for t in figure.findobj(Text) if t.get_text().strip()]


def test_a_page_is_upright_a4_with_twelve_parts() -> None:
    frame = make(40, step="1h")
    frame.attrs |= {"table": "irradiance.points", "origin": "a test", "product": "MDSSFTD", "synthetic": True}
    figure = pictures.overview(frame)
    assert figure.get_size_inches().round(2).tolist() == [8.27, 11.69]
    assert len(figure.axes) == 12
    said = " ".join(texts(figure))
    missing = f"{100 * frame['ghi'].isna().mean():.1f} % missing of {len(frame):,} steps"
    for part in (
        "Alba", "45.00° N 8.00° E", "altitude 0 m: not known", "every 1 h", "instantaneous", missing,
        "table irradiance.points", "origin a test", "product MDSSFTD", "synthetic", "kWh/m² per year",
    ):  # fmt: skip
        assert part in said
    assert not plt.get_fignums()  # nothing is left open


@pytest.mark.parametrize("days", [1, 40, 800])
def test_no_text_of_a_page_is_small_cut_off_or_on_another(days: int) -> None:
    frame = make(days, step="1h")
    frame.attrs["point"] |= {
        "name": "Solar park of Sankt Georgen am Langsee, northern field, third row " * 2, "altitude": 550.0,
        "cell_latitude": 45.0, "cell_longitude": 8.0, "distance_km": 2.1,
    }  # fmt: skip
    frame.attrs |= {"table": "irradiance.points_of_a_long_name_year", "origin": "made " * 12, "synthetic": True}
    frame.iloc[2, 0] = 3000.0
    figure = pictures.overview(frame)
    figure.canvas.draw()
    shown = [t for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible()]
    assert min(t.get_fontsize() for t in shown) >= 9
    titles = [ax._left_title for ax in figure.axes]
    placed = [*figure.texts, *titles, *(t for ax in figure.axes for t in (*ax.texts, ax.xaxis.label))]
    boxes = [t.get_window_extent() for t in placed if t.get_text().strip()]
    for box in boxes:
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y0 >= 0
        assert box.y1 <= figure.bbox.y1
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other.shrunk(0.98, 0.85)) for other in boxes[number + 1 :])


def test_the_sun_is_computed_once_for_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = make(10)
    compute, lengths = pvlib.solarposition.get_solarposition, []

    def counted(times: pd.DatetimeIndex, *args: object, **options: object) -> pd.DataFrame:
        lengths.append(len(times))
        return compute(times, *args, **options)

    monkeypatch.setattr(pvlib.solarposition, "get_solarposition", counted)
    pictures.overview(frame)
    assert lengths == [len(frame)]


def test_a_part_that_cannot_be_drawn_says_why() -> None:
    frame = make(3)
    frame.attrs = {"instantaneous": True}
    said = " ".join(" ".join(texts(pictures.overview(frame))).split())
    assert "place not known" in said
    assert said.count("The place is not known") >= 2
    assert "instantaneous" in said


def test_another_column_has_a_page_too() -> None:
    frame = make(3)
    frame["bhi"] = frame["ghi"] - frame["dhi"]
    said = texts(pictures.overview(frame, column="bhi"))
    assert "There are no limits for 'bhi'." in said


def test_a_page_is_written_as_asked(tmp_path: Path) -> None:
    frame = make(2)
    pictures.overview(frame, path=tmp_path / "both")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["both.pdf", "both.png"]
    assert (tmp_path / "both.pdf").read_bytes()[:5] == b"%PDF-"
    assert plt.imread(tmp_path / "both.png").shape[:2] == (2338, 1654)
    pictures.overview(frame, path=str(tmp_path / "one.png"))
    assert not (tmp_path / "one.pdf").exists()
    with pytest.raises(ParameterError, match=r"\.svg"):
        pictures.overview(frame, path=tmp_path / "one.svg")
    with pytest.raises(FileNotFoundError):
        pictures.overview(frame, path=tmp_path / "nowhere" / "one.png")
    assert not [f for f in tmp_path.iterdir() if f.suffix == ".part"]


def test_several_points_are_pages_of_one_pdf(tmp_path: Path) -> None:
    frame = several(make(2), make(2))
    figure = pictures.overview(frame, path=tmp_path / "all.pdf")
    assert (tmp_path / "all.pdf").read_bytes().count(b"/Type /Page /") == 2
    assert "Alba" in texts(figure)
    assert "Alba" in texts(pictures.overview(frame, "b"))
    with pytest.raises(DataError, match="several points"):
        pictures.overview(frame)
    with pytest.raises(DataError, match="one page"):
        pictures.overview(frame, path=tmp_path / "all.png")
    with pytest.raises(PointNotFoundError):
        pictures.overview(frame, "z")
    with pytest.raises(DataError, match="holds the point 'p'"):
        pictures.overview(make(2), "z")


def test_a_page_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "all.pdf"
    target.write_text("old")
    empty = make(2)
    empty["ghi"] = np.nan
    with pytest.raises(DataError, match="nothing to draw"):
        pictures.overview(several(make(2), empty), path=target)
    assert target.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_settings_of_the_user_stay_as_they_are() -> None:
    with mpl.rc_context({"font.size": 7.0, "axes.grid": False}):
        before = dict(mpl.rcParams)
        pictures.overview(make(2))
        assert dict(mpl.rcParams) == before
