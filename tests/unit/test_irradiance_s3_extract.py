"""Extraction from S3 and to S3: the table of the folder, bit for bit; what is done stays done; what fails is said."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import netCDF4
import pyarrow as pa
import pytest

from datalake_kit.errors import DataError, UnreadableFileError
from datalake_kit.irradiance import Extraction, extract
from datalake_kit.storage import S3Path, list_files, open_parquet
from tests import satellite
from tests.s3 import BUCKET, client, upload, use_s3
from tests.s3_counting import CountingS3
from tests.satellite import DAY, POINTS, name_of

pytestmark = [
    pytest.mark.usefixtures("forgotten"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
NEXT = DAY + timedelta(days=1)
THIRD = DAY + timedelta(hours=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days, a file every three hours; of the second one is cut short, one empty, one HTML, one of another kind."""
    root = tmp_path_factory.mktemp("files")
    for day in (DAY, NEXT):
        satellite.write_day(root, day, step=180)
    bad = root / "2025/06/19"
    cut = bad / name_of(NEXT + timedelta(hours=6))
    cut.write_bytes(cut.read_bytes()[:-100])
    (bad / name_of(NEXT + timedelta(hours=9))).write_bytes(b"")
    (bad / name_of(NEXT + timedelta(hours=12))).write_text("<html>404</html>")
    (bad / "readme.txt").write_text("no file of the product")
    return root


@pytest.fixture(scope="module")
def there(folder: Path, server: CountingS3) -> str:
    return upload(folder, server.endpoint, "extract")


@pytest.fixture
def good(folder: Path, server: CountingS3, request: pytest.FixtureRequest) -> str:
    """The first day alone, below a key that the test may change."""
    return upload(folder / "2025/06/18", server.endpoint, f"{request.node.name}/2025/06/18")


def rows(table: Any) -> pa.Table:
    """Read all days of a table, with their schemas."""
    files = [f for f in list_files(table) if f.name == "points.parquet"]
    return pa.concat_tables([open_parquet(f).read().replace_schema_metadata() for f in sorted(files, key=str)])


def said(result: Extraction) -> list[tuple[str, str, str]]:
    return [(r.file.rpartition("/")[2], str(r.day), r.reason) for r in result.rejects.itertuples()]


def data_requests(server: CountingS3) -> list[str]:
    return [a.key for a in server.asked if a.method == "GET" and a.key.endswith(".nc")]


def test_the_table_is_that_of_the_folder_bit_for_bit(
    folder: Path, there: str, tmp_path: Path, server: CountingS3
) -> None:
    here = extract(folder, POINTS, tmp_path / "here")
    server.forget()
    result = extract(there, POINTS, tmp_path / "there")
    assert rows(tmp_path / "there").equals(rows(tmp_path / "here"))
    assert said(result) == said(here)
    assert [r[2] for r in said(here)] == ["cut short", "empty", "unreadable", "alien"]
    assert (result.files_seen, result.files_used, result.readers) == (17, 13, {"chunks": 13})
    assert result.source_bytes == here.source_bytes
    assert result.adds_up
    assert {a.method for a in server.asked} == {"GET"}  # no HEAD
    assert server.count("GET", data=False) == 1  # one listing


def test_a_list_of_addresses_is_as_good_as_the_folder(there: str, folder: Path, tmp_path: Path) -> None:
    day = [f"{there}/2025/06/18/{name_of(DAY + timedelta(hours=h))}" for h in range(0, 24, 3)]
    mixed = [*day[:4], *(folder / "2025/06/18" / name_of(DAY + timedelta(hours=h)) for h in range(12, 24, 3))]
    extract(folder / "2025/06/18", POINTS, tmp_path / "here")
    for name, given in (("list", day), ("mixed", mixed), ("glob", f"{there}/2025/06/18/*.nc")):
        assert extract(given, POINTS, tmp_path / name).files_used == 8
        assert rows(tmp_path / name).equals(rows(tmp_path / "here"))


def test_a_finished_day_is_not_read_again_unless_an_object_changed(
    good: str, tmp_path: Path, server: CountingS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = extract(good, POINTS, tmp_path / "t")
    server.forget()
    monkeypatch.setattr(sys.modules[extract.__module__], "run_days", refuse)
    again = extract(good, POINTS, tmp_path / "t")
    assert (again.days_kept, again.rows) == (first.days, first.rows)
    assert len(data_requests(server)) <= 1  # of one file the header, for the grid
    monkeypatch.undo()
    use_s3(monkeypatch, server.endpoint)
    key = f"{S3Path.parse(good).key}/{name_of(THIRD)}"
    client(server.endpoint).put_object(Bucket=BUCKET, Key=key, Body=S3Path(BUCKET, key).read_bytes() + b" ")
    assert extract(good, POINTS, tmp_path / "t").days_kept == ()


def refuse(jobs: list[Any], *_: Any, **__: Any) -> Iterator[Any]:
    assert not jobs, "a day was read again"
    yield from jobs


@pytest.mark.parametrize("what", ["replaced", "gone"])
def test_an_object_that_changes_after_the_listing_is_rejected_and_the_next_run_takes_it(
    good: str, folder: Path, tmp_path: Path, server: CountingS3, what: str
) -> None:
    key = f"{S3Path.parse(good).key}/{name_of(THIRD)}"
    content = S3Path(BUCKET, key).read_bytes()

    def change(method: str, asked: str) -> None:
        if method == "GET" and asked == key:
            server.before = None
            there = client(server.endpoint)
            if what == "gone":
                there.delete_object(Bucket=BUCKET, Key=key)
            else:
                there.put_object(Bucket=BUCKET, Key=key, Body=content + b"0")

    server.before = change
    result = extract(good, POINTS, tmp_path / "t")
    assert [(r[0], r[2]) for r in said(result)] == [(name_of(THIRD), what)]
    assert THIRD.replace(tzinfo=None) not in set(rows(tmp_path / "t").column("time").to_pylist())
    client(server.endpoint).put_object(Bucket=BUCKET, Key=key, Body=content)
    assert extract(good, POINTS, tmp_path / "t").files_used == 8
    extract(folder / "2025/06/18", POINTS, tmp_path / "here")
    assert rows(tmp_path / "t").equals(rows(tmp_path / "here"))


def test_objects_that_may_not_be_read_stop_the_run_and_are_no_rejects(
    good: str, tmp_path: Path, server: CountingS3
) -> None:
    server.before = lambda _, key: (403, "AccessDenied") if key else None
    with pytest.raises(UnreadableFileError, match="AWS refused access"):
        extract(good, POINTS, tmp_path / "t")
    server.before = lambda _, key: (403, "AccessDenied") if key.endswith(name_of(THIRD)) else None
    with pytest.raises(UnreadableFileError, match=rf"{name_of(THIRD)}: AWS refused access"):
        extract(good, POINTS, tmp_path / "t")
    assert not list(tmp_path.rglob("points.parquet"))
    server.forget()
    assert extract(good, POINTS, tmp_path / "t").files_used == 8


def test_a_failure_that_passes_is_tried_again(
    good: str, tmp_path: Path, server: CountingS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    seen: set[str] = set()

    def first_fails(_: str, key: str) -> tuple[int, str] | None:
        new = key not in seen
        seen.add(key)
        return (503, "SlowDown") if new and key.endswith((name_of(THIRD), name_of(DAY))) else None

    server.before = first_fails
    server.cut = lambda _, key: 1000 if key.endswith(name_of(THIRD)) and len(data_requests(server)) < 8 else None
    assert extract(good, POINTS, tmp_path / "t").files_used == 8


def test_a_layout_that_is_left_to_netcdf4_is_read_whole(tmp_path: Path, server: CountingS3) -> None:
    path = satellite.write_file(tmp_path / "files", DAY)
    with netCDF4.Dataset(path, "a") as file:
        plane = file["DSSF_TOT"][0]
        file.renameVariable("DSSF_TOT", "old")
        shape = ("time", "lat", "lon")
        file.createVariable("DSSF_TOT", "i2", shape, compression="bzip2", fill_value=-1)[0] = plane
    here = extract(tmp_path / "files", POINTS, tmp_path / "here")
    assert here.readers == {"netCDF4": 1}
    there = extract(upload(tmp_path / "files", server.endpoint, "bzip2"), POINTS, tmp_path / "there")
    assert (there.readers, there.fallbacks) == (here.readers, here.fallbacks)
    assert rows(tmp_path / "there").equals(rows(tmp_path / "here"))


def test_from_s3_to_s3(there: str, folder: Path, tmp_path: Path, server: CountingS3) -> None:
    out = f"s3://{BUCKET}/tables/plants"
    result = extract(there, POINTS, out)
    here = extract(folder, POINTS, tmp_path / "here")
    assert rows(S3Path.parse(out)).equals(rows(tmp_path / "here"))
    assert str(result.table) == out
    assert out in str(result)
    names = sorted(p.relative_to(S3Path.parse(out)).as_posix() for p in S3Path.parse(out).walk())
    assert names == sorted(p.relative_to(here.table).as_posix() for p in here.table.rglob("*") if p.is_file())
    server.forget()
    again = extract(there, POINTS, out)
    assert (again.days_kept, again.rows) == (result.days, result.rows)
    assert len(data_requests(server)) <= 1
    assert not [a for a in server.asked if a.method in ("PUT", "POST", "DELETE")]
    with pytest.raises(DataError, match=r"another place: turin"):
        extract(there, [("turin", 45.0, 7.69)], out)


def test_an_upload_that_is_refused_leaves_the_days_before(there: str, server: CountingS3) -> None:
    out = f"s3://{BUCKET}/tables/refused"
    server.before = lambda method, key: (403, "AccessDenied") if method == "PUT" and "06-19/points" in key else None
    with pytest.raises(UnreadableFileError, match=r"06-19/points\.parquet: AWS refused access"):
        extract(there, POINTS, out)
    server.forget()
    assert [str(d) for d in extract(there, POINTS, out).days_kept] == ["2025-06-18"]


@pytest.mark.slow
def test_other_processes_read_and_write_s3(there: str, folder: Path, tmp_path: Path) -> None:
    extract(folder, POINTS, tmp_path / "here")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        extract(there, POINTS, f"s3://{BUCKET}/tables/pool", executor=pool, on_masked="keep")
    assert rows(S3Path(BUCKET, "tables/pool")).equals(rows(tmp_path / "here"))
    extract(there, POINTS, f"s3://{BUCKET}/tables/workers", workers=2, on_masked="keep")
    assert rows(S3Path(BUCKET, "tables/workers")).equals(rows(tmp_path / "here"))


def test_addresses_can_be_sent_to_other_processes(there: str) -> None:
    found = S3Path.parse(there).walk()
    sent = pickle.loads(pickle.dumps(found))
    assert [(p, p.known) for p in sent] == [(p, p.known) for p in found]
