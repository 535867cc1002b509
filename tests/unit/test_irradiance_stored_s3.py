"""Tables of points on S3 are those of a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from datalake_kit.errors import ConfigError, DatabaseNotFoundError, DataError, UnreadableFileError
from datalake_kit.irradiance.describing.product import MSG_MDSSFTD
from datalake_kit.irradiance.stored import daily
from datalake_kit.irradiance.stored.catalog import register_table
from datalake_kit.irradiance.stored.folder import find_folder
from datalake_kit.irradiance.stored.months import compact
from datalake_kit.irradiance.stored.per_point import repartition
from datalake_kit.irradiance.stored.writing import Rewrite
from datalake_kit.storage import Place, place
from tests.points_tables import IDS, content, truth, write_days
from tests.s3 import BUCKET, client, s3_server, upload, use_s3

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
DAY = date(2025, 6, 18)
POINTS = pd.DataFrame({"point_id": ["alba", "turin"], "latitude": [44.7, 45.07], "longitude": [8.04, 7.69]})


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture(autouse=True)
def _environment(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_s3(monkeypatch, endpoint)


def _rows() -> pa.Table:
    times = pd.date_range("2025-06-18", periods=4, freq="6h", unit="us")
    return pa.table({"time": [*times, *times], "point_id": ["alba"] * 4 + ["turin"] * 4, "ghi": [1.5] * 8})


@pytest.mark.parametrize("where", ["folder", "s3"])
def test_a_day_written_is_a_finished_day(where: str, tmp_path: Path, endpoint: str) -> None:
    table: Place = place(f"s3://{BUCKET}/irradiance/plants" if where == "s3" else tmp_path / "plants")
    manifest = daily.DayManifest(
        "MSG_MDSSFTD", DAY.isoformat(), ("DSSF_TOT",), daily.points_digest(POINTS), (("a.nc", 5, 7),), rows=8
    )
    assert daily.finished_manifest(table, DAY) is None
    assert daily.write_day(table, DAY, _rows(), manifest) > 500
    assert daily.finished_manifest(table, DAY) == manifest
    assert daily.point_ids(table, DAY) == {"alba", "turin"}
    assert daily.read_table_info(table) == {}
    daily.write_table_info(table, MSG_MDSSFTD, POINTS, step_seconds=21600)
    assert list(daily.read_table_info(table)["points"]) == ["alba", "turin"]
    daily.write_table_info(table, MSG_MDSSFTD, POINTS.assign(point_id=["asti", "turin"]), step_seconds=21600)
    assert list(daily.read_table_info(table)["points"]) == ["alba", "asti", "turin"]
    with pytest.raises(DataError, match="turin"):
        daily.check_same_places(table, POINTS.assign(latitude=45.9))


def test_a_day_cut_short_or_without_its_file_is_not_finished(endpoint: str) -> None:
    table = place(f"s3://{BUCKET}/irradiance/damaged")
    manifest = daily.DayManifest("MSG_MDSSFTD", DAY.isoformat(), ("DSSF_TOT",), "", (), rows=8)
    daily.write_day(table, DAY, _rows(), manifest)
    key = f"irradiance/damaged/date={DAY}/points.parquet"
    whole = client(endpoint).get_object(Bucket=BUCKET, Key=key)["Body"].read()
    client(endpoint).put_object(Bucket=BUCKET, Key=key, Body=whole[:-9])
    assert daily.finished_manifest(table, DAY) is None
    client(endpoint).delete_object(Bucket=BUCKET, Key=key)
    assert daily.finished_manifest(table, DAY) is None


def test_what_s3_refuses_is_no_unfinished_day(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnreadableFileError, match="no such bucket"):
        daily.finished_manifest(place("s3://no-such-bucket-here/plants"), DAY)
    with pytest.raises(UnreadableFileError, match="no such bucket"):
        daily.read_table_info("s3://no-such-bucket-here/plants")


@pytest.fixture
def written(endpoint: str, tmp_path: Path) -> tuple[Path, str]:
    """The same days in a folder and on S3."""
    write_days(tmp_path / "plants", "2025-01-28", 6, [*IDS, "roof 3/south"])
    return tmp_path / "plants", upload(tmp_path / "plants", endpoint, f"irradiance/{tmp_path.name}")


@pytest.mark.parametrize("act", [compact, repartition])
def test_months_and_points_on_s3_are_those_of_a_folder(
    act: Callable[..., Rewrite], written: tuple[Path, str], endpoint: str, tmp_path: Path
) -> None:
    days, there = written
    mixed = {
        "s3 to s3": (there, f"{there}_out"),
        "s3 to folder": (there, tmp_path / "a"),
        "folder to s3": (days, f"{there}_up"),
    }
    act(days, tmp_path / "out")
    for name, (source, out) in mixed.items():
        done = act(source, out)
        assert str(done.table) == str(out)
        assert content(_local(out, endpoint, tmp_path / name)) == content(tmp_path / "out")
        assert act(source, out).written == ()
    write_days(days, "2025-02-02", 1, [*IDS, "new"], version=2)
    for number in (1, 2):  # one day corrected, then a point gone and a point new
        write_days(days, "2025-02-01", 1, IDS, version=number)
        upload(days, endpoint, there.removeprefix(f"s3://{BUCKET}/"))
        act(days, tmp_path / "out")
        act(there, f"{there}_out")
        assert content(_local(f"{there}_out", endpoint, tmp_path / f"again{number}")) == content(tmp_path / "out")


def _local(out: str | Path, endpoint: str, folder: Path) -> Path:
    """Copy what lies below a key into a folder."""
    if isinstance(out, Path):
        return out
    root = place(out)
    for file in root.walk():
        target = folder / file.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.download(target)
    return folder


def test_a_file_that_need_not_be_there_goes_from_s3(written: tuple[Path, str], endpoint: str) -> None:
    days, there = written
    repartition(there, f"{there}_out")
    write_days(days, "2025-01-28", 6, IDS)
    upload(days, endpoint, there.removeprefix(f"s3://{BUCKET}/"))
    done = repartition(there, f"{there}_out")
    assert done.removed == ("point_id=roof 3%2Fsouth/2025.parquet",)
    assert {f.parent.name for f in place(f"{there}_out").walk()} == {f"point_id={i}" for i in IDS}


# --- the catalog


@pytest.fixture
def _glue(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)


def _glue_table(name: str) -> dict[str, Any]:
    import boto3

    return boto3.client("glue").get_table(DatabaseName="irradiance", Name=name)["Table"]


@pytest.mark.usefixtures("_glue")
@pytest.mark.parametrize("layout", ["days", "months", "points"])
def test_a_table_is_registered_once_and_brought_up_to_date(
    layout: str, written: tuple[Path, str], endpoint: str, tmp_path: Path
) -> None:
    import awswrangler as wr

    days, there = written
    name = f"irradiance.{layout}_{tmp_path.name}".lower().translate({ord(c): "_" for c in "[]-"})
    location = _laid(there, layout)
    first = register_table(location, name, create_database=True)
    assert first.is_new
    key = {"days": "date", "months": "month", "points": "point_id"}[layout]
    stored = {"time": "timestamp", "ghi": "double", "fraction_diffuse": "double", "quality_flag": "int"}
    assert {c: t for c, t in first.columns.items() if c not in ("date", "month", "point_id")} == stored
    assert {c: t for c, t in first.columns.items() if c not in stored} == {"point_id": "string"} | (
        {} if layout == "points" else {key: "date" if layout == "days" else "string"}
    )
    assert len(first.added) == {"days": 6, "months": 2, "points": 4}[layout]
    table = _glue_table(name.split(".")[1])
    assert table["StorageDescriptor"]["Location"] == f"{location}/"
    assert [p["Name"] for p in table["PartitionKeys"]] == [key]
    assert {c["Name"]: c["Comment"] for c in table["StorageDescriptor"]["Columns"]}["ghi"] == "W/m2"
    assert (table["Parameters"]["product"], table["Parameters"]["step_seconds"]) == ("MSG_MDSSFTD", "10800")
    assert table["Description"].startswith("LSA SAF")
    again = register_table(location, name)
    assert (again.is_new, again.added, again.removed) == (False, (), ())
    write_days(days, "2025-02-03", 1, [*IDS, "new"])
    upload(days, endpoint, there.removeprefix(f"s3://{BUCKET}/"))
    _laid(there, layout)
    more = register_table(location, name)
    assert more.added == {"days": ("2025-02-03",), "months": (), "points": ("new",)}[layout]
    frame = wr.s3.read_parquet_table(name.split(".")[1], "irradiance", filename_suffix=".parquet")
    assert len(frame) == len(truth(days))
    assert set(frame["point_id"]) >= {"alba", "new"}


def _laid(days: str, layout: str) -> str:
    if layout == "days":
        return days
    out = f"{days}_{layout}"
    if layout == "months":
        compact(days, out, closed=False)
    else:
        repartition(days, out)
    return out


def test_per_point_files_and_months_are_read_by_awswrangler_as_they_lie(written: tuple[Path, str]) -> None:
    import awswrangler as wr

    days, there = written
    expected = truth(days)
    for layout in ("months", "points"):
        found = wr.s3.read_parquet(f"{_laid(there, layout)}/", dataset=True)
        found["point_id"] = found["point_id"].astype(str).str.replace("%2F", "/")
        found = found.sort_values(["point_id", "time"], ignore_index=True)[list(expected.columns)]
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    one = wr.s3.read_parquet(f"{there}_points/", dataset=True, partition_filter=lambda p: p["point_id"] == "alba")
    assert one["time"].is_monotonic_increasing
    assert len(one) == 48


@pytest.mark.usefixtures("_glue")
def test_what_the_catalog_cannot_take(written: tuple[Path, str], tmp_path: Path) -> None:
    days, there = written
    register_table(there, "irradiance.taken", create_database=True)
    cases: list[tuple[Any, str, type[Exception], str]] = [
        (days, "irradiance.plants", ConfigError, "tables on S3 alone"),
        (f"{there}_nothing", "irradiance.plants", DataError, "No table of points lies at"),
        (there, "plants", ConfigError, "database.table"),
        (there, "irradiance.Plants-1", ConfigError, "plants_1"),
        (there, "irradianse.plants", DatabaseNotFoundError, "Did you mean irradiance"),
        (_laid(there, "points"), "irradiance.taken", DataError, "another table in the Glue catalog"),
    ]
    for location, name, error, message in cases:
        with pytest.raises(error, match=message):
            register_table(location, name)


@pytest.mark.usefixtures("_glue")
def test_partitions_where_nothing_lies_any_more_are_removed(written: tuple[Path, str], endpoint: str) -> None:
    _, there = written
    register_table(there, "irradiance.shrinks", create_database=True)
    for file in place(f"{there}/date=2025-01-29").walk():
        client(endpoint).delete_object(Bucket=BUCKET, Key=file.key)
    assert register_table(there, "irradiance.shrinks").removed == ("2025-01-29",)


def test_what_is_known_of_a_table_on_s3_is_that_of_a_folder(written: tuple[Path, str], tmp_path: Path) -> None:
    days, there = written
    for layout in ("days", "months", "points"):
        here, far = find_folder(_laid(str(days), layout)), find_folder(_laid(there, layout))
        assert here is not None
        assert far is not None
        assert far.info(["alba"])["points"]["alba"] == here.info(["alba"])["points"]["alba"]
        assert far.points(far.info()) == here.points(here.info()) == sorted([*IDS, "roof 3/south"])
        ours, theirs = (f.read(["alba", "roof 3/south"], ["ghi"], (None, None)) for f in (here, far))
        assert (ours.time == theirs.time).all()
        assert ours.columns.equals(theirs.columns)
    assert find_folder(f"{there}_nothing") is None
    assert find_folder(tmp_path / "nothing") is None
