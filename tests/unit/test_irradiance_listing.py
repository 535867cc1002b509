"""The plan of an extraction: days, files, missing slots and bytes, of a folder, S3 or a list; nothing is read."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import netCDF4
import pytest

from datalake_kit.errors import ConfigError, DataError, UnreadableFileError
from datalake_kit.irradiance import extract, plan
from datalake_kit.irradiance.describing.product import MSG_MDSSFTD
from datalake_kit.irradiance.extracting.listing import DAYS_SHOWN
from datalake_kit.storage import S3Path, open_parquet
from tests import satellite
from tests.s3 import BUCKET, upload
from tests.s3_counting import CountingS3
from tests.satellite import DAY, name_of

pytestmark = [
    pytest.mark.usefixtures("forgotten"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
NEXT = DAY + timedelta(days=1)


def touch(folder: Path, *, days: int, step: int = 60, size: int = 1000) -> Path:
    """Write files that have names and sizes, and nothing that can be read."""
    for minutes in range(0, days * 1440, step):
        slot = DAY + timedelta(minutes=minutes)
        path = folder / f"{slot:%Y/%m/%d}" / name_of(slot)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days, with a slot that is missing, a file on the wrong day, one twice, and one of another kind."""
    root = touch(tmp_path_factory.mktemp("files"), days=2)
    (root / "2025/06/18" / name_of(DAY + timedelta(hours=3))).unlink()
    (root / "more").mkdir()
    (root / "more" / name_of(DAY)).write_bytes(b"x")
    (root / "2025/06/18" / name_of(NEXT)).write_bytes(b"x")
    (root / "2025/06/19" / "readme.txt").write_bytes(b"x")
    return root


@pytest.fixture(scope="module")
def there(folder: Path, server: CountingS3) -> str:
    return upload(folder, server.endpoint, "plan")


def seen(given: object) -> tuple[object, ...]:
    """Give all of a plan but where its files lie."""
    planned = plan(given)  # type: ignore[arg-type]
    rejects = sorted((r.path.name, r.day, r.reason) for r in planned.rejects)
    files = [(f.path.name, f.slot, f.size) for files in planned.files.values() for f in files]
    return planned.step, planned.days, planned.frame().values.tolist(), rejects, files, str(planned), planned.files_seen


def test_the_plan_of_a_prefix_is_that_of_the_folder_and_one_listing(
    folder: Path, there: str, server: CountingS3
) -> None:
    here = seen(folder)
    assert seen(there) == here
    assert (server.count("GET", data=False), len(server.asked)) == (1, 1)
    assert seen(f"{there}/**/*.*") == here == seen(f"{folder}/**/*.*")
    assert [r[2] for r in here[3]] == ["duplicate", "misplaced", "alien"]  # type: ignore[index, attr-defined]
    assert here[2] == [[DAY.date(), 23, 1, 0.023, 1], [NEXT.date(), 24, 0, 0.024, 1]]
    assert here[6] == 50
    assert "23" in str(here[5])
    assert "3 by their names (1 alien, 1 duplicate, 1 misplaced)" in str(here[5])


def test_objects_are_told_apart_by_their_etag_and_files_by_their_time(folder: Path, there: str) -> None:
    (local, *_), (remote, *_) = plan(folder).files[DAY.date()], plan(there).files[DAY.date()]
    assert local.version == local.path.stat().st_mtime_ns
    assert isinstance(remote.path, S3Path)
    assert remote.version == remote.path.stat().etag
    assert remote.path.parent == S3Path(BUCKET, "plan/2025/06/18")


def test_a_list_may_hold_files_addresses_and_folders(folder: Path, there: str, server: CountingS3) -> None:
    day = [f"{there}/2025/06/18/{name_of(DAY + timedelta(hours=h))}" for h in (1, 2, 23)]
    planned = plan([*day, folder / "2025/06/19"])
    assert planned.frame()["files"].tolist() == [3, 24]
    assert (server.count("GET", data=False), len(server.asked)) == (1, 1)
    assert [r.reason for r in planned.rejects] == ["alien"]
    with pytest.raises(DataError, match="1 of the files are not there"):
        plan([*day, f"{there}/2025/06/18/{name_of(DAY + timedelta(hours=3))}"])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("s3://lake/nothing", DataError, r"There are no files in s3://lake/nothing"),
        ("s3://nothere/plan", UnreadableFileError, "no such bucket"),
        ("s3://", UnreadableFileError, "names no bucket"),
        ("gs://lake/plan", UnreadableFileError, "gs:// is not taken"),
        ([], DataError, "There are no files in the list"),
        ("s3://lake/plan/2025/06/19/readme.txt", DataError, "None of the 1 files has a name of a known product"),
    ],
)
def test_nothing_to_list_is_an_error(there: str, given: object, error: type[Exception], message: str) -> None:
    assert there
    with pytest.raises(error, match=message):
        plan(given)  # type: ignore[arg-type]


def test_missing_permissions_and_credentials_are_said(
    there: str, server: CountingS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.before = lambda *_: (403, "AccessDenied")
    with pytest.raises(UnreadableFileError, match="s3:ListBucket"):
        plan(there)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(UnreadableFileError, match="no AWS credentials"):
        plan(there)


def test_files_of_two_products_are_not_mixed(tmp_path: Path) -> None:
    touch(tmp_path, days=1)
    (tmp_path / name_of(DAY).replace("MSG_MDSSFTD_MSG-Disk", "MSG-IODC_MDSSFTD_IODC-Disk")).write_bytes(b"x")
    with pytest.raises(ConfigError, match="several products"):
        plan(tmp_path)


def test_a_link_that_leads_nowhere_is_rejected(tmp_path: Path) -> None:
    touch(tmp_path, days=1)
    link = tmp_path / "2025/06/18" / name_of(DAY + timedelta(minutes=15))
    link.symlink_to(tmp_path / "nowhere")
    planned = plan(tmp_path)
    assert [(r.path, r.day, r.reason) for r in planned.rejects] == [(link, DAY.date(), "unreadable")]
    assert planned.files_seen == 25


def test_of_many_days_the_first_are_shown_and_the_rest_is_said(tmp_path: Path) -> None:
    planned = plan(touch(tmp_path, days=DAYS_SHOWN + 2, step=720))
    assert "and 2 more days" in str(planned)
    assert str(DAY.date() + timedelta(days=DAYS_SHOWN - 1)) in str(planned)
    assert "and 2 more days" in planned._repr_html_()
    assert planned._repr_html_().count("<tr") == 5 + 1 + DAYS_SHOWN
    assert "2 more days" not in str(plan(tmp_path / "2025/06/18"))


# --- slots that stand in the files


def unnamed(folder: Path) -> Path:
    """Move the files of half a day to names without a time, and state seconds inside, as such files do."""
    folder.mkdir()
    for number in range(0, 12, 3):
        path = satellite.write_file(folder, DAY + timedelta(hours=number))
        with netCDF4.Dataset(path, "a") as file:
            file.time_coverage_start = f"2025-06-18T{number:02}:00:09Z"
        path.rename(folder / f"field_{number}.nc")
    shutil.rmtree(folder / "2025")
    shutil.copy(folder / "field_3.nc", folder / "field_copy.nc")
    (folder / "field_empty.nc").write_bytes(b"")
    (folder / "field_html.nc").write_text("<html>")
    (folder / "field_none.nc").symlink_to(folder / "nowhere")
    with netCDF4.Dataset(folder / "field_silent.nc", "w") as file:
        file.title = "no time"
    shutil.copy(folder / "field_silent.nc", folder / "field_vague.nc")
    with netCDF4.Dataset(folder / "field_vague.nc", "a") as file:
        file.time_coverage_start = "noon"
    (folder / "notes.txt").write_text("x")
    return folder


INSIDE = replace(MSG_MDSSFTD, name="FIELDS", pattern=r"field_\w+\.nc", slot_in="attribute")
REASONS = ["alien", "duplicate", "empty", "missing time", "missing time", "unreadable"]


def test_slots_inside_the_files_are_read_once(tmp_path: Path, server: CountingS3) -> None:
    folder = unnamed(tmp_path / "files")
    here = plan(folder, product=INSIDE)
    assert [f.path.name for f in here.files[DAY.date()]] == [f"field_{n}.nc" for n in (0, 3, 6, 9)]
    assert [f.slot.hour for f in here.files[DAY.date()]] == [0, 3, 6, 9]
    assert sorted(r.reason for r in here.rejects) == sorted([*REASONS, "unreadable"])
    assert here.files_seen == 11
    (folder / "field_none.nc").unlink()
    address = upload(folder, server.endpoint, "inside")
    server.forget()
    there = plan(address, product=INSIDE)
    assert [(f.path.name, f.slot) for f in there.files[DAY.date()]] == [
        (f.path.name, f.slot) for f in here.files[DAY.date()]
    ]
    assert sorted(r.reason for r in there.rejects) == REASONS
    assert (server.count("GET"), server.count("HEAD")) == (8, 0)  # each header once, of the empty object nothing


def test_files_without_a_time_in_their_names_are_extracted(tmp_path: Path, server: CountingS3) -> None:
    folder = unnamed(tmp_path / "files")
    here = extract(folder, satellite.POINTS, tmp_path / "here", product=INSIDE)
    (folder / "field_none.nc").unlink()
    there = extract(upload(folder, server.endpoint, "in"), satellite.POINTS, tmp_path / "there", product=INSIDE)
    assert (here.files_used, there.files_used, here.rows) == (4, 4, 12)
    assert here.adds_up
    tables = [open_parquet(t.table / "date=2025-06-18/points.parquet").read() for t in (here, there)]
    assert tables[0].replace_schema_metadata().equals(tables[1].replace_schema_metadata())


def test_what_s3_refuses_is_no_reject(tmp_path: Path, server: CountingS3) -> None:
    address = upload(unnamed(tmp_path / "files"), server.endpoint, "no")
    server.before = lambda _, key: (403, "AccessDenied") if key else None
    with pytest.raises(UnreadableFileError, match="AWS refused access"):
        plan(address, product=INSIDE)


@pytest.mark.slow
def test_a_year_is_listed_in_seconds(tmp_path: Path) -> None:
    touch(tmp_path, days=365, step=15, size=0)
    started = time.perf_counter()
    planned = plan(tmp_path)
    assert time.perf_counter() - started < 20  # about one second on a quiet machine
    assert planned.files_seen == 35_040
