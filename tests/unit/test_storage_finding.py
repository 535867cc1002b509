"""Files are found the same way in a folder and on S3, with what tells a change, and with few requests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from datalake_kit.errors import DataError, UnreadableFileError
from datalake_kit.storage import S3Path, find_files
from datalake_kit.storage.s3 import ReplacedError
from tests.s3 import BUCKET, client, upload
from tests.s3_counting import CountingS3

pytestmark = [
    pytest.mark.usefixtures("forgotten"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
NAMES = (
    "z.nc",
    "a1.nc",
    "a/1.nc",
    "a/b/2.nc",
    "a/b/_SUCCESS",
    "a/.hidden/3.nc",
    "a/c/4.nc",
    "a/c/x[1].nc",
    "2025/06/18/x.nc",
    "2025/06/19/x.nc",
    "2025/07/01/x.nc",
)
PATTERNS = (
    "/ a a/b/ * *.nc ?1.nc [az]*.nc [!a]* ** **/*.nc a/** a/*/?.nc */b 2025/06 2025/06/* 2025/0[67]/*/x.nc"
    " 2025/**/18/* **/18 a/c/x[[]1].nc none* a/.hidden/*"
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("found")
    for number, name in enumerate(NAMES):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * number)
    return folder


@pytest.fixture(scope="module")
def there(root: Path, server: CountingS3) -> str:
    return upload(root, server.endpoint, "found")


@pytest.mark.parametrize(
    "pattern",
    ["", *PATTERNS.split()],
)
def test_a_name_finds_the_same_files_in_a_folder_and_on_s3(
    root: Path, there: str, server: CountingS3, pattern: str
) -> None:
    server.forget()
    remote = find_files(f"{there}/{pattern}")
    assert (server.count("GET", data=False), len(server.asked)) == (1, 1)  # one listing, nothing else
    here = find_files(f"{root}/{pattern}")
    assert sorted(f.place.relative_to(root).as_posix() for f in here) == sorted(  # type: ignore[arg-type]
        f.place.relative_to(S3Path.parse(there)).as_posix()  # type: ignore[arg-type]
        for f in remote
    )
    assert sorted(f.size for f in here) == sorted(f.size for f in remote)
    assert all(isinstance(f.version, int) for f in here)
    assert all(str(f.version).startswith('"') for f in remote)
    assert (not here) == (pattern == "none*")


def test_what_lies_in_a_folder_comes_in_the_order_of_its_names(root: Path) -> None:
    found = [f.place.relative_to(root).as_posix() for f in find_files(root)]  # type: ignore[arg-type]
    assert found[:4] == ["a1.nc", "z.nc", "2025/06/18/x.nc", "2025/06/19/x.nc"]


def test_a_sequence_may_mix_files_folders_and_addresses(root: Path, there: str, server: CountingS3) -> None:
    given = [f"{there}/2025/06/", root / "z.nc", f"{there}/a/1.nc", f"{there}/a1.nc", f"{there}/z.nc", root / "a/b"]
    server.forget()
    found = find_files([*given, root / "z.nc", f"{root}/a/b/*"])
    assert [f.place.name for f in found] == ["x.nc", "x.nc", "z.nc", "1.nc", "a1.nc", "z.nc", "2.nc", "_SUCCESS"]
    assert (server.count("GET", data=False), len(server.asked)) == (3, 3)  # one a folder; a1.nc and z.nc lie in one


def test_addresses_that_a_listing_gave_are_not_asked_for_again(there: str, server: CountingS3) -> None:
    found = find_files(there)
    server.forget()
    assert find_files([f.place for f in found]) == found
    assert not server.asked


def test_a_file_alone_and_one_that_is_not_there(root: Path, there: str) -> None:
    assert [f.place for f in find_files(f"{there}/z.nc")] == [S3Path.parse(f"{there}/z.nc")]
    assert [f.size for f in find_files(root / "a1.nc")] == [1]
    assert find_files(f"{there}/none") == []
    with pytest.raises(DataError, match="No such folder or file"):
        find_files(root / "none")
    with pytest.raises(DataError, match=r"2 of the files are not there, the first: .*/none\.nc"):
        find_files([f"{there}/none.nc", root / "none", root / "z.nc"])
    with pytest.raises(UnreadableFileError, match="no such bucket"):
        find_files("s3://nothere/x")


def test_a_key_between_two_that_are_asked_for_is_no_file_of_the_list(there: str) -> None:
    assert [f.place.name for f in find_files([f"{there}/2025/06/18/x.nc", f"{there}/2025/06/19/x.nc"])] == ["x.nc"] * 2
    found = find_files([f"{there}/a/c/4.nc", f"{there}/a/c/x[1].nc".replace("[", "[[]", 1)])
    assert [f.place.name for f in found] == ["4.nc", "x[1].nc"]


def test_a_folder_with_a_bracket_in_its_name_is_found_where_no_pattern_matches(server: CountingS3) -> None:
    client(server.endpoint).put_object(Bucket=BUCKET, Key="odd [1]/a.nc", Body=b"1")
    assert [f.place for f in find_files(f"s3://{BUCKET}/odd [1]")] == [S3Path(BUCKET, "odd [1]/a.nc")]


def test_links_are_followed_but_in_no_circle(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "old.nc").write_bytes(b"1")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "more").symlink_to(tmp_path / "archive")
    (tmp_path / "archive" / "back").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "gone.nc").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "data" / "pipe.nc")
    found = {f.place.relative_to(tmp_path).as_posix(): f.version for f in find_files(tmp_path / "data")}  # type: ignore[arg-type]
    assert list(found) == ["data/gone.nc", "data/pipe.nc", "data/more/old.nc"]
    assert (found["data/gone.nc"], found["data/pipe.nc"]) == (None, None)


def test_a_folder_that_may_not_be_listed_is_an_error(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def refuse(folder: str) -> object:
        if folder.endswith("a/b"):
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UnreadableFileError, match=r"a/b cannot be listed: Permission denied"):
        find_files(root)


# --- ranges of an object


def test_a_range_is_of_the_content_that_was_listed(server: CountingS3) -> None:
    there = client(server.endpoint)
    there.put_object(Bucket=BUCKET, Key="ranges/a", Body=bytes(range(200)))
    (file,) = find_files(f"s3://{BUCKET}/ranges/")
    path, etag = file.place, str(file.version)
    assert isinstance(path, S3Path)
    assert path.read_range(10, 5, etag=etag) == bytes(range(10, 15))
    assert path.read_range(190, 50, etag=etag) == bytes(range(190, 200))
    assert path.read_range(200, 1) == b""
    there.put_object(Bucket=BUCKET, Key="ranges/a", Body=bytes(200))
    for read in (lambda: path.read_range(10, 5, etag=etag), lambda: path.read_bytes(etag=etag)):
        with pytest.raises(ReplacedError, match=r"ranges/a was replaced since it was listed"):
            read()
    assert path.read_bytes() == bytes(200)


def test_a_connection_that_breaks_off_is_tried_again(server: CountingS3) -> None:
    client(server.endpoint).put_object(Bucket=BUCKET, Key="broken/a", Body=b"x" * 50_000)
    path = S3Path(BUCKET, "broken/a")
    server.forget()
    server.cut = lambda *_: 1000 if len(server.asked) < 3 else None
    assert path.read_range(0, 40_000) == b"x" * 40_000
    assert server.count() == 3
    server.forget()
    server.cut = lambda *_: 1000
    with pytest.raises(UnreadableFileError, match="cannot be reached"):
        path.read_range(0, 40_000)
    assert server.count() == 3
