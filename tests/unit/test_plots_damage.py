"""Pictures of damage, of validations over time and of lag, and the records behind them."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import datalake_kit as dk
from datalake_kit.cdc.records import append_record
from datalake_kit.errors import DataError, ParameterError, UnreadableFileError
from datalake_kit.plots import style
from tests.replication import lake_of, odp_table


@pytest.fixture(scope="module")
def lake_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tables = {"good": odp_table("tables/v6_table_1"), "lost": odp_table("damaged/v6_table_1_withheld")}
    return lake_of(tmp_path_factory.mktemp("damage") / "lake", tables, staged=dict.fromkeys(tables, "table_1"))


@pytest.fixture(scope="module")
def check(lake_folder: Path) -> dk.cdc.Validation:
    with dk.connect(lake_folder) as lake:
        return dk.cdc.validate(lake)


def test_damage_names_the_file_its_keys_and_why(check: dk.cdc.Validation) -> None:
    ax = dk.plots.cdc.damage(check)
    said = [t.get_text() for t in ax.texts]
    assert said == ["taxi.lost   20260301-101207737.parquet", "the file was never processed", "70 missing"]
    assert ax.get_title(loc="left") == "70 findings, by the file at fault"
    assert [round(p.get_width()) for p in ax.patches] == [70]
    plt.close(ax.figure)


def test_many_files_at_fault_are_summed_in_the_last_bar(check: dk.cdc.Validation) -> None:
    one = check.findings.iloc[:1]
    many = pd.concat([one.assign(file=f"f{i}.parquet") for i in range(30)], ignore_index=True)
    ax = dk.plots.cdc.damage(dataclasses.replace(check, findings=many), most=5)
    assert len(ax.patches) == 5
    assert "others   26 more files" in [t.get_text() for t in ax.texts]
    plt.close(ax.figure)


def test_a_group_without_a_file_may_name_one_in_its_reason(check: dk.cdc.Validation) -> None:
    one = check.findings.iloc[:3].assign(file=None, explanation="overwritten by x.parquet")
    ax = dk.plots.cdc.damage(dataclasses.replace(check, findings=one))
    said = [t.get_text() for t in ax.texts]
    assert said[:2] == ["taxi.lost   no file at fault", "overwritten by x.parquet"]
    plt.close(ax.figure)


def test_no_damage_is_said(check: dk.cdc.Validation) -> None:
    sound = dataclasses.replace(check, findings=check.findings.iloc[:0], summary=check.summary.iloc[:1])
    ax = dk.plots.cdc.damage(sound)
    assert [t.get_text() for t in ax.texts] == ["No damage was found"]
    plt.close(ax.figure)


def test_records_are_read_back_as_they_were_and_are_a_table_of_the_lake(
    check: dk.cdc.Validation, lake_folder: Path
) -> None:
    written = [append_record(check, lake_folder / "operations") for _ in range(3)]
    assert len(set(written)) == 3
    found = dk.cdc.history(lake_folder / "operations")
    assert len(found) == 6
    assert found["validation"].nunique() == 3
    lost = found[found["table"] == "taxi.lost"].iloc[0]
    assert (lost["expected"], lost["lake"], lost["missing"], lost["verdict"]) == (2200, 2130, 70, "different")
    assert lost["checked_at"] == pd.Timestamp(check.provenance["checked at"])
    with dk.connect(lake_folder) as lake:
        counted = lake.sql(
            "SELECT verdict, count(*) AS n FROM operations.validations GROUP BY verdict ORDER BY verdict"
        )
    assert counted.values.tolist() == [["different", 3], ["equal", 3]]


def test_a_validation_in_the_notebook_records_itself(lake_folder: Path, tmp_path: Path) -> None:
    with dk.connect(lake_folder) as lake:
        dk.cdc.validate(lake, history=tmp_path)
    assert len(dk.cdc.history(tmp_path)) == 2


def test_nothing_recorded_and_a_strange_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"validate\(\.\.\., history="):
        dk.cdc.history(tmp_path)
    (tmp_path / "validations").mkdir()
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "validations" / "x.parquet")
    with pytest.raises(DataError, match=r"x\.parquet is no record"):
        dk.cdc.history(tmp_path)
    (tmp_path / "validations" / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(UnreadableFileError, match=r"x\.parquet"):
        dk.cdc.history(tmp_path)


def test_history_draws_each_kind_and_each_verdict(check: dk.cdc.Validation) -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    days = []
    for day in range(4):
        rows = check.summary.assign(validation=str(day), checked_at=pd.Timestamp(start + timedelta(days=day)))
        days.append(rows.assign(missing=0, verdict="equal") if day < 2 else rows)
    ax = dk.plots.cdc.history(pd.concat(days, ignore_index=True))
    assert ax.get_title(loc="left") == "All tables: 4 validations, 2 not equal"
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert labels == ["missing", "\N{CHECK MARK} equal", "\N{BALLOT X} different"]
    assert list(ax.lines[0].get_ydata()) == [0, 0, 70, 70]
    plt.close(ax.figure)
    with pytest.raises(ParameterError, match=r"taxi\.none"):
        dk.plots.cdc.history(pd.concat(days), table="taxi.none")
    with pytest.raises(ParameterError, match="checked_at"):
        dk.plots.cdc.history(check.summary)


def test_a_table_that_a_validation_left_out_is_not_drawn_as_healed(check: dk.cdc.Validation) -> None:
    runs = [check.summary.assign(validation=str(day), checked_at=pd.Timestamp(2026, 11, day, tz=UTC)) for day in (1, 2)]
    runs[1] = runs[1].assign(table="taxi.another", missing=0, verdict="equal")
    ax = dk.plots.cdc.history(pd.concat(runs))  # the same index twice
    assert list(ax.lines[0].get_ydata()) == [70, 70]
    plt.close(ax.figure)


@pytest.mark.parametrize("plot", ["counts", "damage", "lag", "history", "activity"])
def test_what_is_not_drawn_is_refused(check: dk.cdc.Validation, plot: str) -> None:
    for other in (None, "taxi.table_1", 5):
        with pytest.raises(ParameterError, match=r"what dk\.|that dk\."):
            getattr(dk.plots.cdc, plot)(other)
    with pytest.raises(ParameterError, match="nothing is recorded"):
        dk.plots.cdc.history(check.summary.assign(validation="1", checked_at=pd.Timestamp(0, tz=UTC)).head(0))


def test_lag_is_drawn_by_table_with_its_age(check: dk.cdc.Validation) -> None:
    waiting = pd.DataFrame(
        {
            "table": ["taxi.a", "taxi.a", "taxi.b"],
            "file": ["x", "y", "z"],
            "rows": pd.array([10, 30, 12000], dtype="Int64"),
            "landed": pd.Timestamp("2026-11-01", tz="UTC"),
            "age": pd.to_timedelta([100, 3000, 200000], unit="s"),
        }
    )
    ax = dk.plots.cdc.lag(dataclasses.replace(check, lag=waiting))
    assert [t.get_text() for t in ax.texts] == ["50 min: 40 changes in 2 files", "2 days: 12,000 changes in 1 file"]
    assert all(t.get_fontsize() >= style.SMALLEST_TEXT for t in ax.texts)
    plt.close(ax.figure)
    ax = dk.plots.cdc.lag(check)
    assert ax.texts[0].get_text().startswith("Nothing waits")
    plt.close(ax.figure)
