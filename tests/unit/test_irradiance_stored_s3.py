"""Tables of points on S3 are those of a folder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from datalake_kit.errors import DataError, UnreadableFileError
from datalake_kit.irradiance.describing.product import MSG_MDSSFTD
from datalake_kit.irradiance.stored import daily
from datalake_kit.storage import Place, place
from tests.s3 import BUCKET, client, s3_server, use_s3

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
