"""Listing, reading and writing on S3 as in a folder, and what is said when S3 refuses."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalake_kit import storage
from datalake_kit.errors import UnreadableFileError
from datalake_kit.storage import S3Path, place, s3_client
from datalake_kit.storage import parquet as parquet_module
from tests.s3 import BUCKET, client, s3_server, use_s3

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
NAMES = (
    "a.parquet",
    "b/c.parquet",
    "b/.hidden",
    "b/_SUCCESS",
    "b/d=1/e.csv",
    ".hoodie/x",
    ".hoodie/y/z",
    "b/.hoodie/q",
    "é b/x+y=%20.txt",
)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture(autouse=True)
def _environment(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_s3(monkeypatch, endpoint)


@pytest.fixture(scope="module")
def s3(endpoint: str) -> Any:
    return client(endpoint)


@pytest.fixture
def twins(s3: Any, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, S3Path]:
    """The same files in a folder and on S3."""
    key = f"twins/{request.node.name}"
    for number, name in enumerate(NAMES):
        file = tmp_path / "root" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * number)
        s3.put_object(Bucket=BUCKET, Key=f"{key}/{name}", Body=b"x" * number)
    s3.put_object(Bucket=BUCKET, Key=f"{key}/b/", Body=b"")
    s3.put_object(Bucket=BUCKET, Key=f"{key}/b_$folder$", Body=b"")
    return tmp_path / "root", S3Path(BUCKET, key)


def test_a_listing_is_that_of_the_same_folder(twins: tuple[Path, S3Path]) -> None:
    here, there = twins
    assert storage.listing(there) == storage.listing(here)
    assert set(storage.listing(here)) == {n for n in NAMES if ".hoodie" not in n}
    shown = [p.relative_to(here).as_posix() for p in storage.list_files(here)]
    assert sorted(shown) == [p.relative_to(there).as_posix() for p in storage.list_files(there)]
    assert [p.name for p in storage.list_files(there, suffixes=(".parquet",))] == ["a.parquet", "c.parquet"]


def test_a_folder_is_looked_into_as_the_same_folder(twins: tuple[Path, S3Path]) -> None:
    here, there = twins
    for name in ("", "b", ".hoodie", "b/d=1"):
        local, remote = here / name, there / name
        assert [p.name for p in remote.iterdir()] == sorted(p.name for p in local.iterdir())
        assert [p.name for p in remote.iterdir() if p.is_dir()] == sorted(p.name for p in local.iterdir() if p.is_dir())
        for pattern in ("*", "*.parquet", "[ab]*", "?.*", "nothing*"):
            assert [p.name for p in remote.glob(pattern)] == sorted(p.name for p in local.glob(pattern))
            assert [p.name for p in storage.files_in(remote, pattern)] == [
                p.name for p in storage.files_in(local, pattern)
            ]
    for name in (*NAMES, "b", "nothing", "b/d"):
        local, remote = here / name, there / name
        assert (remote.is_file(), remote.is_dir(), remote.exists()) == (
            local.is_file(),
            local.is_dir(),
            local.exists(),
        )


def test_what_a_listing_told_is_not_asked_again(twins: tuple[Path, S3Path], monkeypatch: pytest.MonkeyPatch) -> None:
    found = list(twins[1].iterdir())
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    assert [(p.name, p.is_dir(), p.is_file()) for p in found][:2] == [
        (".hoodie", True, False),
        ("a.parquet", False, True),
    ]
    assert found[1].stat().st_size == 0
    assert hash(storage.fingerprint(found[1])) is not None


def test_a_long_hoodie_folder_is_passed_over(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f".hoodie/metadata/{n:04d}" for n in range(25)] + ["a", "p=1/.hoodie/b", "p=1/c", ".d", "z"]
    for key in keys:
        s3.put_object(Bucket=BUCKET, Key=f"long/{key}", Body=b"1")
    asked: list[str] = []
    pages = S3Path._pages

    def small_pages(self: S3Path, prefix: str, **options: Any) -> Iterator[Any]:
        for page in pages(self, prefix, PaginationConfig={"PageSize": 4}, **options):
            asked.append(prefix)
            yield page

    monkeypatch.setattr(S3Path, "_pages", small_pages)
    assert storage.listing(f"s3://{BUCKET}/long") == {"a": 1, "p=1/c": 1, ".d": 1, "z": 1}
    assert len(asked) <= 4  # all keys would be eight pages


def test_content(twins: tuple[Path, S3Path], s3: Any, tmp_path: Path) -> None:
    file = twins[1] / "b" / "d=1" / "e.csv"
    assert file.read_bytes() == b"xxxx"
    assert file.read_text() == "xxxx"
    assert (twins[1] / NAMES[-1]).read_bytes() == b"x" * (len(NAMES) - 1)
    assert storage.copy_to(file, tmp_path / "copies").read_bytes() == b"xxxx"
    assert storage.local_copy(tmp_path / "copies" / "e.csv", tmp_path / "other") == tmp_path / "copies" / "e.csv"
    assert storage.read_many([twins[1] / n for n in NAMES]) == [b"x" * n for n in range(len(NAMES))]
    before = storage.fingerprint(file)
    s3.put_object(Bucket=BUCKET, Key=file.key, Body=b"yyyy")
    assert storage.fingerprint(file) != before


def test_writing_is_one_put_at_the_end() -> None:
    target = S3Path(BUCKET, "out/new.txt")
    with pytest.raises(RuntimeError), storage.write_atomically(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert not target.exists()
    with storage.write_atomically(str(target)) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert [p.name for p in target.parent.iterdir()] == ["new.txt"]
    with pytest.raises(UnreadableFileError, match="s3://"), storage.write_folder_atomically(str(target.parent)):
        pass


# --- Parquet


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    return pa.table({"n": range(50_000), "t": [f"text {n % 97}" for n in range(50_000)]})


@pytest.mark.parametrize("whole", [100, 10_000_000])
def test_parquet_is_read_in_ranges(rows: pa.Table, whole: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_module, "_WHOLE", whole)
    monkeypatch.setattr(parquet_module, "_TAIL", 100)
    target = S3Path(BUCKET, "files/n=1/rows.parquet")
    with storage.write_atomically(target) as temporary:
        pq.write_table(rows, temporary, row_group_size=10_000)
    with storage.open_parquet(target) as opened:
        assert opened.read().equals(rows)
        assert opened.read(columns=["t"]).equals(rows.select(["t"]))
    assert storage.read_footer(target).num_rows == 50_000
    assert storage.read_schema(str(target)).equals(rows.schema)
    storage.check_parquet(target)


def test_parquet_that_is_not_whole(rows: pa.Table, s3: Any, tmp_path: Path) -> None:
    pq.write_table(rows.slice(0, 10), tmp_path / "f.parquet")
    whole = (tmp_path / "f.parquet").read_bytes()
    bad = {
        "cut": whole[:-20],
        "empty": b"",
        "tiny": b"PAR1",
        "text": b"a,b,c\n1,2,3\n",
        "footer": whole[:-8] + b"\xff\xff\xff\x00PAR1",
        "noise": os.urandom(len(whole) - 4) + b"PAR1",
    }
    for name, content in bad.items():
        file = S3Path(BUCKET, f"bad/{name}.parquet")
        s3.put_object(Bucket=BUCKET, Key=file.key, Body=content)
        (tmp_path / f"{name}.parquet").write_bytes(content)
        for opened in (file, tmp_path / f"{name}.parquet"):
            for read in (storage.open_parquet, storage.read_footer, storage.read_schema):
                with pytest.raises(
                    UnreadableFileError, match=r"cut short|no Parquet|Not a Parquet|cannot be read"
                ) as caught:
                    read(opened)
                assert str(opened) in str(caught.value)
    for gone in (S3Path(BUCKET, "bad/gone.parquet"), tmp_path / "gone.parquet"):
        for read in (storage.open_parquet, storage.read_footer, storage.check_parquet):
            with pytest.raises(UnreadableFileError, match="is gone"):
                read(gone)


# --- addresses


def test_an_address_is_taken_apart() -> None:
    path = place("s3a://lake/taxi/table_1/part=x.y/")
    assert (str(path), repr(path)) == ("s3://lake/taxi/table_1/part=x.y", "S3Path('s3://lake/taxi/table_1/part=x.y')")
    assert (path.name, path.stem, path.suffix, path.parent.name) == ("part=x.y", "part=x", ".y", "table_1")
    assert path.parts == ("s3://lake/", "taxi", "table_1", "part=x.y")
    assert path.relative_to(place("s3://lake/taxi")) == PurePosixPath("table_1/part=x.y")
    assert (path.relative_to(path), path / "", path.with_name("z").name) == (PurePosixPath(), path, "z")
    assert place("s3://lake").parent == place("s3://lake/")
    assert path.is_relative_to(place("s3://lake"))
    assert not path.is_relative_to(place("s3://lake/tax"))
    with pytest.raises(ValueError, match="not below"):
        path.relative_to(place("s3://lake/tax"))
    with pytest.raises(TypeError):
        os.fspath(path)  # type: ignore[call-overload]
    for address in ("s3://", "s3:///key", "gs://bucket/key"):
        with pytest.raises(UnreadableFileError, match=r"bucket|gs://"):
            place(address)


@given(
    st.lists(
        st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1).filter(lambda s: s != "."),
        min_size=1,
    )
)
def test_names_put_together_come_apart_again(names: list[str]) -> None:
    path = S3Path("lake").joinpath(*names)
    assert path.name == names[-1]
    assert S3Path.parse(str(path)) == path
    assert path.relative_to(S3Path("lake")) == PurePosixPath("/".join(names))
    assert sorted([path, path.parent])[0] == path.parent


# --- refusals


def refused(action: Any) -> str:
    with pytest.raises(UnreadableFileError) as caught:
        action()
    assert "hush" not in str(caught.value)
    return str(caught.value)


def test_no_such_bucket_and_no_such_key() -> None:
    assert "s3://nothere/x: there is no such bucket" in refused(place("s3://nothere/x").read_bytes)
    assert "no such bucket" in refused(lambda: list(place("s3://nothere/x").iterdir()))
    assert "no such bucket" in refused(lambda: storage.listing("s3://nothere"))
    with pytest.raises(FileNotFoundError) as caught:
        place(f"s3://{BUCKET}/nothere").read_bytes()
    assert caught.value.filename == f"s3://{BUCKET}/nothere"
    with pytest.raises(FileNotFoundError):
        place(f"s3://{BUCKET}/nothere").stat()
    assert storage.listing(f"s3://{BUCKET}/nothere") == {}


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "no AWS credentials" in refused(lambda: storage.listing(f"s3://{BUCKET}/x"))
    assert "no AWS credentials" in refused(lambda: s3_client.credentials_of(BUCKET))
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "nobody" in refused(lambda: storage.listing(f"s3://{BUCKET}/x"))


def test_an_endpoint_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://user:hush@127.0.0.1:{free.getsockname()[1]}")
        told = refused(lambda: storage.listing(f"s3://{BUCKET}/x"))
    assert "cannot be reached" in told
    assert f"s3://{BUCKET}/x" in told


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("AccessDenied", "s3:ListBucket"),
        ("ExpiredToken", "expired"),
        ("PermanentRedirect", "another region"),
        ("InvalidAccessKeyId", "access key"),
        ("SlowDown", "too often"),
        ("Strange", "S3 answered Strange"),
    ],
)
def test_what_s3_answers_is_said_with_the_way_out(code: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import ClientError

    class Refusing:
        def get_object(self, **_: object) -> None:
            raise ClientError({"Error": {"Code": code, "Message": "hush"}}, "GetObject")

    monkeypatch.setattr("datalake_kit.storage.s3.client_of", lambda bucket: Refusing())
    assert message in refused(place("s3://lake/key").read_bytes)


def test_a_bucket_is_reached_with_the_profile_of_its_lake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[other]\naws_access_key_id = other\naws_secret_access_key = hush\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setattr(s3_client, "_profiles", {})
    assert s3_client.credentials_of(BUCKET).access_key == "test"
    storage.use_profile(BUCKET, profile="other", region="eu-west-1")
    assert s3_client.credentials_of(BUCKET).access_key == "other"
    assert (s3_client.endpoint_of(BUCKET) or "").startswith("http://127.0.0.1")
