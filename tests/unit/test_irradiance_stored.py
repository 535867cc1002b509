"""Months and per-point files hold the rows of the days, in order, whatever happened to the days before."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from datalake_kit.errors import ConfigError, DataError, UnreadableFileError
from datalake_kit.irradiance.describing.product import MSG_MDSSFTD
from datalake_kit.irradiance.stored import daily, rows, writing
from datalake_kit.irradiance.stored.months import compact
from datalake_kit.irradiance.stored.names import quote_value, unquote_value
from datalake_kit.irradiance.stored.per_point import repartition
from datalake_kit.storage import TEMPORARY_PREFIX
from tests.points_tables import IDS, content, points_of, rows_of, truth, write_days


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    table = tmp_path_factory.mktemp("days") / "plants"
    write_days(table, "2024-12-31", 70)
    return table


@pytest.fixture
def days(written: Path, tmp_path: Path) -> Path:
    """January, February and ten days of March 2025; the last day of the year before."""
    return shutil.copytree(written, tmp_path / "irradiance" / "plants")


def read_month(file: Path) -> pd.DataFrame:
    return pq.read_table(file, partitioning=None).to_pandas()


def read_points(table: Path) -> pd.DataFrame:
    frames = []
    for file in sorted(table.glob("point_id=*/*.parquet")):
        frame = pq.read_table(file, partitioning=None).to_pandas()
        assert frame["time"].is_monotonic_increasing
        assert set(frame["time"].dt.year) == {int(file.stem)}
        frame.insert(1, "point_id", unquote_value(file.parent.name.removeprefix("point_id=")))
        frames.append(frame)
    return pd.concat(frames).sort_values(["point_id", "time"], ignore_index=True)


def replace_day(table: Path, day: date, made: pa.Table, version: int = 9) -> None:
    """Write a finished day by hand, so that it may hold anything; it does not say which points it holds."""
    manifest = daily.DayManifest("MSG_MDSSFTD", str(day), ("DSSF_TOT",), "", ((f"{day}.nc", 1, version),))
    folder = daily.day_folder(table, day)
    metadata = {writing.FINGERPRINT: manifest.fingerprint.encode()}
    pq.write_table(made.replace_schema_metadata(metadata), folder / "points.parquet")
    text = json.dumps(manifest.stated() | {"fingerprint": manifest.fingerprint})
    (folder / "_manifest.json").write_text(text, encoding="utf-8")


# --- months


def test_months_hold_the_rows_of_their_days_sorted(days: Path) -> None:
    done = compact(days)
    out = days.with_name("plants_months")
    assert done.table == out
    assert done.written == tuple(f"month={m}/points.parquet" for m in ("2024-12", "2025-01", "2025-02"))
    assert done.waiting == ("2025-03",)
    assert done.rows == (1 + 31 + 28) * 24
    for month in ("2024-12", "2025-01", "2025-02"):
        expected = truth(days, part=month)
        pd.testing.assert_frame_equal(read_month(out / f"month={month}" / "points.parquet"), expected)
    assert sorted(p.name for p in out.rglob("*") if p.is_file()) == ["points.parquet"] * 3


def test_a_month_is_closed_by_its_last_day_or_a_later_one_or_taken_by_asking(tmp_path: Path) -> None:
    table = tmp_path / "plants"
    write_days(table, "2025-01-20", 11)
    assert compact(table).waiting == ("2025-01",)
    write_days(table, "2025-01-31", 1)
    assert compact(table).written == ("month=2025-01/points.parquet",)
    write_days(table, "2025-02-03", 1)
    assert compact(table).waiting == ("2025-02",)
    assert compact(table, closed=False).written == ("month=2025-02/points.parquet",)
    write_days(table, "2025-02-04", 1)
    assert compact(table).written == ("month=2025-02/points.parquet",)  # what is there never goes stale
    assert len(read_month(tmp_path / "plants_months" / "month=2025-02" / "points.parquet")) == 48


def test_row_groups_hold_ten_points_and_say_which(tmp_path: Path) -> None:
    ids = [f"p{n:03d}" for n in range(25)]
    write_days(tmp_path / "plants", "2025-01-30", 2, ids)
    compact(tmp_path / "plants", tmp_path / "out")
    footer = pq.read_metadata(tmp_path / "out" / "month=2025-01" / "points.parquet")
    ranges = [footer.row_group(n).column(1).statistics for n in range(footer.num_row_groups)]
    assert [(r.min, r.max) for r in ranges] == [("p000", "p009"), ("p010", "p019"), ("p020", "p024")]
    assert footer.row_group(0).num_rows == 10 * 16
    assert "DELTA_BINARY_PACKED" in footer.row_group(0).column(0).encodings
    assert footer.row_group(0).column(2).compression == "ZSTD"


def test_only_months_of_changed_days_are_written_again(days: Path) -> None:
    compact(days)
    out = days.with_name("plants_months")
    before = {f: f.stat().st_ino for f in out.rglob("*.parquet")}
    again = compact(days)
    assert (again.written, len(again.kept)) == ((), 3)
    write_days(days, "2025-02-11", 1, version=1)
    corrected = compact(days)
    assert corrected.written == ("month=2025-02/points.parquet",)
    changed = {f.parent.name for f, inode in before.items() if f.stat().st_ino != inode}
    assert changed == {"month=2025-02"}
    pd.testing.assert_frame_equal(read_month(out / "month=2025-02" / "points.parquet"), truth(days, part="2025-02"))


def test_a_copied_table_is_not_compacted_again(days: Path, tmp_path: Path) -> None:
    compact(days)
    shutil.copytree(days, tmp_path / "copy")  # other times, same digests
    for file in (tmp_path / "copy").rglob("*"):
        file.touch()
    assert compact(tmp_path / "copy", days.with_name("plants_months")).written == ()


def test_a_month_file_that_is_damaged_is_made_again(days: Path) -> None:
    compact(days)
    file = days.with_name("plants_months") / "month=2025-01" / "points.parquet"
    whole = file.read_bytes()
    for damage in (b"", whole[:-7], b"<html>"):
        file.write_bytes(damage)
        assert compact(days).written == ("month=2025-01/points.parquet",)
        pd.testing.assert_frame_equal(read_month(file), truth(days, part="2025-01"))


def test_what_is_known_of_points_is_renewed(days: Path) -> None:
    compact(days)
    repartition(days, days.with_name("points"))
    moved = points_of(IDS).assign(altitude=[7.0, 8.0, 9.0])
    daily.write_table_info(days, MSG_MDSSFTD, moved, step_seconds=10800)
    assert len(compact(days).written) == 3
    assert len(repartition(days, days.with_name("points")).written) == 6
    assert compact(days).written == ()
    assert repartition(days, days.with_name("points")).written == ()


# --- files a point


def test_a_file_a_point_and_year_holds_its_rows_sorted(days: Path) -> None:
    out = days.with_name("points")
    done = repartition(days, out)
    assert done.written == tuple(f"point_id={i}/{y}.parquet" for i in IDS for y in (2024, 2025))
    assert done.rows == 70 * 24
    pd.testing.assert_frame_equal(read_points(out), truth(days))
    assert pq.read_schema(out / "point_id=alba" / "2025.parquet").names == [
        "time", "ghi", "fraction_diffuse", "quality_flag",
    ]  # fmt: skip
    assert [p.name for p in out.rglob("*") if p.is_file() and p.suffix != ".parquet"] == []
    again = repartition(days, out)
    assert (again.written, len(again.kept)) == ((), 6)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_days_that_come_change_and_are_late(days: Path, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether files are patched or made from all days, they are as if made anew."""
    monkeypatch.setattr("datalake_kit.irradiance.stored.per_point.PATCHED", share)
    out = days.with_name("points")
    repartition(days, out)
    write_days(days, "2025-03-11", 1)
    assert {n[-12:-8] for n in repartition(days, out).written} == {"2025"}
    write_days(days, "2025-01-05", 1, version=3)
    write_days(days, "2025-02-05", 1, slots=[1, 4], version=3)
    write_days(days, "2024-12-02", 1)
    assert len(repartition(days, out).written) == 6
    pd.testing.assert_frame_equal(read_points(out), truth(days))
    anew = days.with_name("anew")
    repartition(days, anew)
    assert content(out) == content(anew)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_points_that_come_later_and_vanish(days: Path, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datalake_kit.irradiance.stored.per_point.PATCHED", share)
    out = days.with_name("points")
    repartition(days, out)
    write_days(days, "2025-03-11", 2, [*IDS, "zara"])
    repartition(days, out)
    assert pq.read_metadata(out / "point_id=zara" / "2025.parquet").num_rows == 16
    write_days(days, "2025-03-01", 3, ["turin"])  # the others are gone for three days
    repartition(days, out)
    pd.testing.assert_frame_equal(read_points(out), truth(days))
    write_days(days, "2025-03-11", 2)
    done = repartition(days, out)
    assert done.removed == ("point_id=zara/2025.parquet",)
    assert not (out / "point_id=zara").exists()
    pd.testing.assert_frame_equal(read_points(out), truth(days))


def test_files_lost_or_damaged_or_of_other_make_are_made_again(days: Path) -> None:
    out = days.with_name("points")
    repartition(days, out)
    file = out / "point_id=milan" / "2025.parquet"
    table = pq.read_table(file, partitioning=None)
    for damage in ("lost", "cut", "other"):
        if damage == "lost":
            file.unlink()
        elif damage == "cut":
            file.write_bytes(file.read_bytes()[:-9])
        else:
            pq.write_table(table.replace_schema_metadata().slice(3), file)
        assert repartition(days, out).written == ("point_id=milan/2025.parquet",)
        pd.testing.assert_frame_equal(read_points(out), truth(days))


def test_blocks_of_points_give_the_same_files(days: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"p{n:03d}" for n in range(70)]
    write_days(days, "2025-02-01", 30, ids)
    write_days(days, "2025-02-13", 1, ids[5:33])
    repartition(days, days.with_name("whole"))
    monkeypatch.setattr(rows, "LEAST_ROWS", 700)
    monkeypatch.setattr(rows, "MOST_ROWS", 700)
    opened = rows.SortedRows(
        [rows.Part(f, date.fromisoformat(f.parent.name[5:])) for f in sorted(days.glob("date=2025*/points.parquet"))],
        date(2025, 1, 1),
        365,
    )
    assert len(list(opened.blocks())) > 3
    repartition(days, days.with_name("blocks"))
    assert content(days.with_name("blocks")) == content(days.with_name("whole"))
    compact(days, days.with_name("months"), closed=False)
    assert (
        pd.concat([read_month(f) for f in sorted(days.with_name("months").rglob("*.parquet"))]).shape
        == truth(days).shape
    )


def test_a_day_whose_points_lie_in_any_order_is_sorted(days: Path) -> None:
    file = next(iter(sorted(days.glob("date=2025*/points.parquet"))))
    table = pq.ParquetFile(file).read()
    mixed = table.take(np.random.default_rng(5).permutation(table.num_rows))
    day = date.fromisoformat(file.parent.name[5:])
    sorted_rows = rows.SortedRows([rows.Part(file, day)], date(2025, 1, 1), 365)
    pq.write_table(mixed, file.with_name("mixed.parquet"))
    mixed_rows = rows.SortedRows([rows.Part(file.with_name("mixed.parquet"), day)], date(2025, 1, 1), 365)
    (one,), (other,) = sorted_rows.blocks(), mixed_rows.blocks()
    assert one.ids == other.ids
    assert one.rows.equals(other.rows)
    assert (one.counts == other.counts).all()


def test_points_of_one_row_at_the_same_time_are_not_taken_for_one_twice(tmp_path: Path) -> None:
    write_days(tmp_path / "plants", "2025-01-31", 1, slots=[4])
    repartition(tmp_path / "plants", tmp_path / "points")
    compact(tmp_path / "plants")
    assert len(read_points(tmp_path / "points")) == len(_read(tmp_path / "plants_months")) == len(IDS)


ODD = ["roof 3/south", "50%", "a=b", "c:d", "ä ü", "007", "x'y", "#1", "_u", ".v", "q?*[z]"]


def test_odd_ids_are_quoted_as_hive_does_and_read_by_others(tmp_path: Path) -> None:
    table, out = tmp_path / "plants", tmp_path / "points"
    write_days(table, "2025-01-30", 2, ODD)
    repartition(table, out)
    assert (out / "point_id=roof 3%2Fsouth").is_dir()
    assert [unquote_value(quote_value(i)) for i in ODD] == ODD
    pd.testing.assert_frame_equal(read_points(out), truth(table))
    theirs = ds.dataset(out, partitioning=ds.partitioning(pa.schema([("point_id", pa.string())]), flavor="hive"))
    assert sorted(set(theirs.to_table()["point_id"].to_pylist())) == sorted(ODD)
    found = duckdb.sql(f"SELECT DISTINCT point_id FROM read_parquet('{out}/*/*.parquet', hive_partitioning = true)")
    assert sorted(row[0] for row in found.fetchall()) == sorted(ODD)
    with pytest.raises(DataError, match="give it an id"):
        quote_value("")


# --- days that are gone, that do not fit, that are wrong


@pytest.mark.parametrize("act", [compact, repartition])
def test_days_that_are_gone_are_asked_about(days: Path, act: object) -> None:
    run = act
    out = days.with_name("out")
    run(days, out)
    before = content(out)
    for day in ("2025-01-02", "2025-01-31"):
        shutil.rmtree(days / f"date={day}")
    with pytest.raises(DataError, match=r"2 days that are gone.*2025-01-02, 2025-01-31.*on_vanished"):
        run(days, out)
    assert content(out) == before
    run(days, out, on_vanished="keep")
    assert content(out) == before
    write_days(days, "2025-01-03", 1, version=5)
    run(days, out, on_vanished="keep")
    kept = _read(out)
    assert len(kept[kept["time"].dt.strftime("%m-%d") == "01-02"]) == 24
    assert (kept["time"].dt.strftime("%Y-%m-%d") == "2025-01-03").sum() == 24
    run(days, out, on_vanished="drop")
    expected = truth(days)
    if act is compact:
        expected = expected[expected["time"] < "2025-03-01"].reset_index(drop=True)
    pd.testing.assert_frame_equal(_read(out), expected)
    with pytest.raises(ConfigError, match="on_vanished is one of"):
        run(days, out, on_vanished="forget")


def _read(out: Path) -> pd.DataFrame:
    if list(out.glob("point_id=*")):
        return read_points(out)
    frames = pd.concat([read_month(f) for f in out.rglob("*.parquet")])
    return frames.sort_values(["point_id", "time"], ignore_index=True)


def test_a_month_and_a_year_without_days_are_removed_by_asking(days: Path) -> None:
    compact(days, days.with_name("months"))
    repartition(days, days.with_name("points"))
    shutil.rmtree(days / "date=2024-12-31")
    assert compact(days, days.with_name("months"), on_vanished="drop").removed == ("month=2024-12/points.parquet",)
    assert not (days.with_name("months") / "month=2024-12").exists()
    done = repartition(days, days.with_name("points"), on_vanished="drop")
    assert done.removed == tuple(f"point_id={i}/2024.parquet" for i in IDS)
    assert done.written == ()


def test_days_that_are_gone_and_a_damaged_file_that_held_them(days: Path) -> None:
    out = days.with_name("points")
    repartition(days, out)
    shutil.rmtree(days / "date=2025-01-02")
    (out / "point_id=milan" / "2025.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"cannot be read, and days it may hold are gone"):
        repartition(days, out, on_vanished="keep")


@pytest.mark.parametrize("act", [compact, repartition])
@pytest.mark.parametrize("damage", ["manifest of another file", "no manifest", "no file", "cut"])
def test_a_day_that_is_not_finished_is_refused(days: Path, act: object, damage: str) -> None:
    folder = days / "date=2025-01-02"
    if damage == "manifest of another file":
        shutil.copy(days / "date=2025-01-03" / "_manifest.json", folder)
    elif damage == "no manifest":
        (folder / "_manifest.json").unlink()
    elif damage == "no file":
        (folder / "points.parquet").unlink()
    else:
        (folder / "points.parquet").write_bytes((folder / "points.parquet").read_bytes()[:-8])
    with pytest.raises(DataError, match=r"1 days of .* are not finished.*2025-01-02"):
        act(days, days.with_name("out"))
    assert not list(days.with_name("out").rglob("*.parquet"))


@pytest.mark.parametrize("act", [compact, repartition])
def test_a_day_cut_inside_is_named(days: Path, act: object) -> None:
    file = days / "date=2025-01-02" / "points.parquet"
    data = bytearray(file.read_bytes())
    data[20:200] = b"\x99" * 180
    file.write_bytes(data)
    with pytest.raises(UnreadableFileError, match="date=2025-01-02"):
        act(days, days.with_name("out"))


@pytest.mark.parametrize("act", [compact, repartition])
def test_rows_that_are_no_rows_of_the_day_are_refused(days: Path, act: object) -> None:
    day, out = date(2025, 1, 2), days.with_name("out")
    good = rows_of(day, IDS)
    twice = pa.concat_tables([good, good.slice(0, 1)]).sort_by([("point_id", "ascending"), ("time", "ascending")])
    cases = {
        "another day than 2025-01-02": rows_of(date(2025, 1, 3), IDS),
        "alba is held twice at 2025-01-02T00": twice,
        "without a point": good.set_column(1, "point_id", pa.array([None] * 24, pa.string())),
        "without a time": good.set_column(0, "time", pa.array([None] * 24, pa.timestamp("us"))),
        "no file of points": good.rename_columns(["time", "where", *good.column_names[2:]]),
    }
    for message, wrong in cases.items():
        replace_day(days, day, wrong)
        with pytest.raises(DataError, match=message):
            act(days, out)
    assert not [f for f in out.rglob("*") if "2025" in str(f.relative_to(out)) and f.is_file()]
    replace_day(days, day, good.take(np.random.default_rng(1).permutation(24)).sort_by("point_id"))  # times in disorder
    act(days, out)
    assert len(_read(out).query("time >= '2025-01-02' and time < '2025-01-03'")) == 24


def test_days_without_rows_and_days_of_other_columns_go_together(days: Path) -> None:
    empty = pa.table(
        {
            n: pa.array([], pa.float64() if n != "point_id" else pa.string())
            for n in rows_of(date(2025, 1, 1), IDS).column_names
        }
    )
    replace_day(days, date(2025, 1, 2), empty.set_column(0, "time", pa.array([], pa.timestamp("us"))))
    less = rows_of(date(2025, 1, 3), IDS).drop_columns(["quality_flag"])
    replace_day(days, date(2025, 1, 3), less)
    compact(days, days.with_name("months"))
    repartition(days, days.with_name("points"))
    month = pq.read_table(days.with_name("months") / "month=2025-01" / "points.parquet", partitioning=None)
    assert month.schema.field("quality_flag").type == pa.int32()
    assert month["quality_flag"].null_count == 24
    assert month.num_rows == 30 * 24
    alba = pq.read_table(days.with_name("points") / "point_id=alba" / "2025.parquet", partitioning=None)
    assert (alba.num_rows, alba["quality_flag"].null_count) == (68 * 8, 8)
    text = rows_of(date(2025, 1, 4), IDS)
    text = text.set_column(2, "ghi", pa.array(["much"] * 24))
    replace_day(days, date(2025, 1, 4), text)
    with pytest.raises(DataError, match="do not go together"):
        compact(days, days.with_name("months"))


@pytest.mark.parametrize("act", [compact, repartition])
def test_what_was_written_wrong_is_noticed_and_not_put_in_place(
    days: Path, act: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = days.with_name("out")
    act(days, out)
    before = content(out)
    write_days(days, "2025-01-05", 1, version=1)
    right = writing.write_rows

    def drop_one(path: Path, groups: object, schema: pa.Schema, metadata: object) -> int:
        return right(path, (g.slice(1) for g in groups), schema, metadata)

    def swap_two(path: Path, groups: object, schema: pa.Schema, metadata: object) -> int:
        return right(path, (g.take([1, 0, *range(2, len(g))]) for g in groups), schema, metadata)

    module = act.__module__
    for wrong in (drop_one, swap_two):
        monkeypatch.setattr(f"{module}.write_rows", wrong)
        with pytest.raises(DataError, match="not written"):
            act(days, out)
        assert content(out) == before
    assert not list(out.rglob(f"{TEMPORARY_PREFIX}*"))


def test_places_that_cannot_be_meant(days: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no days of points"):
        compact(tmp_path / "nothing")
    assert not (tmp_path / "nothing_months").exists()
    compact(days)
    with pytest.raises(DataError, match="holds no days of points"):
        repartition(days.with_name("plants_months"), tmp_path / "out")
    with pytest.raises(ConfigError, match="another layout"):
        repartition(days, days)
    with pytest.raises(ConfigError, match="another layout"):
        repartition(days, days.with_name("plants_months"))


@pytest.mark.parametrize("act", [compact, repartition])
def test_two_runs_at_once_and_what_a_dead_run_left(days: Path, act: object) -> None:
    out = days.with_name("out")
    act(days, out)
    left = next(out.rglob("*.parquet")).parent / f"{TEMPORARY_PREFIX}abc.parquet"
    left.write_bytes(b"PAR1 half")
    write_days(days, "2025-01-05", 2, version=1)
    problems: list[Exception] = []

    def run() -> None:
        try:
            act(days, out)
        except Exception as problem:  # noqa: BLE001 - shown by the assertion below
            problems.append(problem)

    runs = [threading.Thread(target=run) for _ in range(3)]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join()
    assert problems == []
    assert not left.exists()
    anew = days.with_name("anew")
    act(days, anew)
    assert content(out) == content(anew)


@pytest.mark.slow
def test_runs_killed_at_random_moments_are_made_good_by_the_next(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.points_kills", str(tmp_path), "20", "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stdout + done.stderr
    stopped = json.loads(done.stdout)
    assert min(stopped.values()) > 5
