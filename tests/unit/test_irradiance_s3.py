"""Satellite files on S3: the same table as from a folder, few requests, few bytes, and nothing mixed or silent."""

from __future__ import annotations

import itertools
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalake_kit.irradiance.describing.product import MSG_MDSSFTD
from datalake_kit.irradiance.reading import s3_source
from datalake_kit.irradiance.reading.readers import read_header
from datalake_kit.irradiance.reading.s3_source import S3Source, merge_ranges
from datalake_kit.storage import S3Path, find_files
from datalake_kit.storage.s3 import ReplacedError
from tests.s3 import BUCKET, client
from tests.s3_counting import CountingS3
from tests.satellite import DAY, name_of

pytestmark = [
    pytest.mark.usefixtures("forgotten"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
SIZE = 1000
CHUNKS = {"default": None, "one": (1, SIZE, SIZE), "strips": (1, 40, SIZE), "tiles": (1, 80, 80)}
NAMES = ("DSSF_TOT", "FRACTION_DIFFUSE")
CELLS = [(500, 500), (510, 505), (620, 130)]


@pytest.fixture(scope="module")
def full_size(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of about 2.7 MB in each chunking."""
    folder = tmp_path_factory.mktemp("full")
    return {name: write_full_size(folder / f"{name}.nc", chunks) for name, chunks in CHUNKS.items()}


def write_full_size(path: Path, chunks: tuple[int, ...] | None) -> Path:
    random = np.random.default_rng(1)
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("time", 1), ("lat", SIZE), ("lon", SIZE)):
            file.createDimension(name, size)
        file.time_coverage_start = f"{DAY:%Y-%m-%dT%H:%M:%SZ}"
        file.createVariable("lat", "f4", ("lat",))[:] = 60 - 0.03 * np.arange(SIZE)
        file.createVariable("lon", "f4", ("lon",))[:] = 0.03 * np.arange(SIZE)
        for name in NAMES:
            shape = ("time", "lat", "lon")
            variable = file.createVariable(name, "i2", shape, zlib=True, fill_value=-1, chunksizes=chunks)
            variable.set_auto_maskandscale(False)
            variable.scale_factor = 0.5 if name == "DSSF_TOT" else 0.0005
            variable[0] = random.integers(0, 800, (SIZE, SIZE))
    return path


def wanted(file: h5py.File) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Look up what an extraction needs: the axes, and where the chunks of the cells stand."""
    places = set()
    for name in NAMES:
        chunks = file[name].chunks
        for row, column in CELLS:
            corner = (0, row // chunks[1] * chunks[1], column // chunks[2] * chunks[2])
            info = file[name].id.get_chunk_info_by_coord(corner)
            places.add((info.byte_offset, info.size))
    return file["lat"][()], sorted(places)


def put(server: CountingS3, key: str, content: bytes) -> S3Path:
    client(server.endpoint).put_object(Bucket=BUCKET, Key=key, Body=content)
    (found,) = find_files(f"s3://{BUCKET}/{key}")
    server.forget()
    assert isinstance(found.place, S3Path)
    return found.place


def read(path: S3Path) -> list[bytes]:
    source = S3Source(path)
    _, places = source.parse(wanted)
    return source.read_many(places)


@pytest.mark.parametrize(("chunks", "requests", "share"), [("tiles", 6, 0.15), ("strips", 5, 0.25)])
def test_of_small_chunks_few_bytes_are_fetched_with_few_requests(
    full_size: dict[str, Path], server: CountingS3, chunks: str, requests: int, share: float
) -> None:
    content = full_size[chunks].read_bytes()
    assert 2_500_000 < len(content) < 3_000_000
    path = put(server, f"{chunks}/{name_of(DAY)}", content)
    with h5py.File(full_size[chunks]) as file:
        axis, places = wanted(file)
    source = S3Source(path)
    there, found = source.parse(wanted)
    assert (there.tolist(), found) == (axis.tolist(), places)
    assert source.read_many(found) == [content[o : o + n] for o, n in places]
    assert (server.count("GET") <= requests, server.count("HEAD")) == (True, 0)
    assert server.sent() < share * len(content)


def test_the_grid_is_read_without_the_variables(full_size: dict[str, Path], server: CountingS3) -> None:
    path = put(server, f"grid/{name_of(DAY)}", full_size["tiles"].read_bytes())
    header = read_header(path, MSG_MDSSFTD)
    assert header.grid.latitude.tolist() == (60 - 0.03 * np.arange(SIZE)).astype("f4").tolist()
    assert server.sent() < 0.1 * full_size["tiles"].stat().st_size


@pytest.mark.parametrize("chunks", ["default", "one"])
def test_where_ranges_save_nothing_the_next_file_is_read_whole(
    full_size: dict[str, Path], server: CountingS3, chunks: str
) -> None:
    content = full_size[chunks].read_bytes()
    first, second = (put(server, f"{chunks}/2025/06{day}.nc", content) for day in (18, 19))
    whole = read(first)
    assert 2 <= server.count("GET") <= 4
    assert server.sent() < 1.1 * len(content)
    server.forget()
    assert read(second) == whole
    assert [(a.range, a.sent) for a in server.asked] == [("", len(content))]


def test_the_choice_follows_the_files(full_size: dict[str, Path], server: CountingS3) -> None:
    content = {name: path.read_bytes() for name, path in full_size.items()}
    kinds = ["one", "one", "tiles", "tiles", "one"]
    paths = [put(server, f"mixed/{n}.nc", content[kind]) for n, kind in enumerate(kinds)]
    gets = []
    for path in paths:
        server.forget()
        read(path)
        gets.append(server.count("GET"))
    assert [n == 1 for n in gets] == [False, True, True, False, False]  # what the file before would have cost
    server.forget()
    read(put(server, "another/1.nc", content["one"]))  # of another name, nothing is known
    assert server.count("GET") > 1


def test_a_small_object_is_read_whole_at_once(server: CountingS3) -> None:
    path = put(server, "small.nc", b"x" * 200_000)
    assert S3Source(path).read(199_990, 10) == b"x" * 10
    assert [(a.range, a.sent) for a in server.asked] == [("", 200_000)]


def test_a_header_that_costs_more_than_the_object_ends_in_the_whole(
    full_size: dict[str, Path], server: CountingS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_source, "REQUEST_BYTES", 1_000_000)
    content = full_size["tiles"].read_bytes()
    source = S3Source(put(server, "tiles.nc", content))
    _, places = source.parse(wanted)
    assert ([a.range == "" for a in server.asked][-1], server.count("GET")) == (True, 4)
    assert source.read_many(places) == [content[o : o + n] for o, n in places]


@pytest.mark.parametrize("sizes", [(600, 50, 100), (100_000, 0, 0)])
@pytest.mark.parametrize("chunks", ["strips", "tiles"])
def test_whatever_is_fetched_first_the_header_is_that_of_the_file(
    full_size: dict[str, Path],
    server: CountingS3,
    monkeypatch: pytest.MonkeyPatch,
    chunks: str,
    sizes: tuple[int, int, int],
) -> None:
    for name, size in zip(("FIRST_BYTES", "BESIDE_BYTES", "REQUEST_BYTES"), sizes, strict=True):
        monkeypatch.setattr(s3_source, name, size)
    content = full_size[chunks].read_bytes()
    with h5py.File(full_size[chunks]) as file:
        axis, places = wanted(file)
    source = S3Source(put(server, f"{chunks}.nc", content))
    there, found = source.parse(wanted)
    assert (there.tolist(), found) == (axis.tolist(), places)
    assert source.read_many(found) == [content[o : o + n] for o, n in places]


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(1, 200)), max_size=30), st.integers(0, 500))
def test_merged_ranges_hold_all_and_lie_apart(ranges: list[tuple[int, int]], gap: int) -> None:
    merged = merge_ranges(ranges, gap=gap)
    assert all(any(o >= a and o + n <= a + m for a, m in merged) for o, n in ranges)
    assert all(b - (a + m) >= gap for (a, m), (b, _) in itertools.pairwise(merged))
    assert {a for a, _ in merged} <= {o for o, _ in ranges}
    assert {a + m for a, m in merged} <= {o + n for o, n in ranges}


def test_a_gap_that_costs_a_request_is_left_out() -> None:
    assert merge_ranges([(0, 10), (30, 10)], gap=20) == [(0, 10), (30, 10)]
    assert merge_ranges([(0, 10), (30, 10)], gap=21) == [(0, 40)]


@pytest.mark.parametrize("chunks", ["strips", "tiles"])
def test_what_ranges_would_cost_is_reckoned_alike_for_an_object_that_is_read_whole(
    full_size: dict[str, Path], server: CountingS3, chunks: str
) -> None:
    path = put(server, f"{chunks}.nc", full_size[chunks].read_bytes())
    read(path)
    ((kind, cost),) = s3_source._ranges_cost.items()
    s3_source._ranges_cost[kind] = 10**9
    server.forget()
    read(path)
    assert [a.range for a in server.asked] == [""]
    assert s3_source._ranges_cost == {kind: cost}


def test_bytes_behind_the_end_are_an_error(full_size: dict[str, Path], server: CountingS3) -> None:
    content = full_size["tiles"].read_bytes()
    source = S3Source(put(server, "end.nc", content))
    assert source.read_many([(len(content) - 5, 5), (0, 0)]) == [content[-5:], b""]
    with pytest.raises(OSError, match=f"the file ends before byte {len(content) + 1}"):
        source.read(len(content) - 5, 6)


def test_an_object_that_is_replaced_while_it_is_read_is_an_error(
    full_size: dict[str, Path], server: CountingS3
) -> None:
    path = put(server, "replaced.nc", full_size["tiles"].read_bytes())
    source = S3Source(path)
    _, places = source.parse(wanted)
    client(server.endpoint).put_object(Bucket=BUCKET, Key="replaced.nc", Body=full_size["tiles"].read_bytes()[::-1])
    with pytest.raises(ReplacedError, match=r"replaced\.nc was replaced since it was listed"):
        source.read_many(places)
    with pytest.raises(ReplacedError):
        S3Source(path).read_all()
    client(server.endpoint).delete_object(Bucket=BUCKET, Key="replaced.nc")
    with pytest.raises(FileNotFoundError):
        S3Source(path)
