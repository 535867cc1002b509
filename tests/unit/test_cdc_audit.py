"""Cuts and sequences of every kind, masks in all that is told, and what the records of the pipeline say."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalake_kit import cdc
from datalake_kit.cdc.cuts import cut_at, ordered, shown
from datalake_kit.errors import ParameterError


def _staged(folder: Path, versions: list[Any], *, load: Any, values: str = "abcdefgh") -> Any:
    """A table of one key whose changes have these versions, all in one file."""
    table = folder / "shop" / "orders"
    table.mkdir(parents=True)
    kind = pa.array(versions).type
    pq.write_table(pa.table({"ID": [1], "V": ["load"], "VER": pa.array([load], kind)}), table / "LOAD00000001.parquet")
    changes = {"Op": ["U"] * len(versions), "ID": [1] * len(versions), "V": list(values[: len(versions)])}
    pq.write_table(pa.table({**changes, "VER": pa.array(versions, kind)}), table / "20260301-110000000.parquet")
    return cdc.files(folder)


def _value(files: Any, **options: Any) -> str:
    return str(cdc.expected(files, keys="ID", sequence="VER", **options).frame()["V"].iloc[0])


@pytest.mark.parametrize("versions", [[9, 10], [10, 9], ["9", "10"], ["10", "9"], [99, 100], [2**62, 9]])
def test_whole_numbers_are_in_the_order_of_numbers(versions: list[Any], tmp_path: Path) -> None:
    newest = "abcdefgh"[max(range(len(versions)), key=lambda n: int(versions[n]))]
    assert _value(_staged(tmp_path, versions, load=versions[0])) == newest


def test_a_cut_among_whole_numbers(tmp_path: Path) -> None:
    files = _staged(tmp_path, [8, 9, 10, 11], load=1)
    assert [_value(files, until=cut) for cut in ("7", "9", "10", "100")] == ["load", "b", "c", "d"]
    with pytest.raises(ParameterError, match=r"do not begin with one\. Give a sequence"):
        _value(files, until=dt.datetime(2026, 3, 1))
    with pytest.raises(ParameterError, match="neither a time"):
        _value(files, until="nine")


_TIMES = [dt.datetime(2026, 3, 1, 9), dt.datetime(2026, 3, 1, 10), dt.datetime(2026, 3, 1, 10, 0, 0, 500_000)]
_CUTS: list[tuple[Any, str]] = [
    (dt.datetime(2026, 3, 1, 9, 59, 59), "a"),
    (dt.datetime(2026, 3, 1, 10), "b"),
    (dt.datetime(2026, 3, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2))), "b"),
    (dt.datetime(2026, 3, 1, 10, 0, 1), "c"),
    ("2026-03-01 10:00:00", "b"),
    ("2026-03-01T10:00:00", "b"),
    ("2026-03-01T12:00:00+02:00", "b"),
    ("2026-03-01 10:00:00.5", "c"),
    (dt.date(2026, 2, 28), "load"),
    ("2026-02-28", "load"),
    (dt.date(2026, 3, 1), "c"),
    ("2026-03-01", "c"),
]
_WRITTEN = {
    "times": lambda t: t,
    "35 digits": lambda t: f"{t:%Y%m%d%H%M%S}{t.microsecond // 10_000:02}" + "0" * 18 + "7",
    "17 digits": lambda t: f"{t:%Y%m%d%H%M%S}{t.microsecond // 1000:03}",
    "17 digits as a number": lambda t: int(f"{t:%Y%m%d%H%M%S}{t.microsecond // 1000:03}"),
    "text": lambda t: t.isoformat(sep=" ", timespec="milliseconds"),
}


@pytest.mark.parametrize("kind", _WRITTEN)
def test_a_cut_at_a_time_whatever_sequences_look_like(kind: str, tmp_path: Path) -> None:
    versions = [_WRITTEN[kind](t) for t in _TIMES]
    files = _staged(tmp_path, versions, load=_WRITTEN[kind](dt.datetime(2026, 1, 1)))
    for cut, value in _CUTS:
        assert _value(files, until=cut) == value, cut


@pytest.mark.parametrize("cut", ["garbage", "20260301", "2026030110", "20260301100000", "2026-13-01", ""])
def test_a_cut_that_is_neither_a_time_nor_such_a_sequence(cut: str, tmp_path: Path) -> None:
    files = _staged(tmp_path, [_WRITTEN["35 digits"](t) for t in _TIMES], load="")
    with pytest.raises(ParameterError, match=r"neither a time such as .* nor a sequence like those of the table"):
        _value(files, until=cut)


@given(st.integers(0, 10**25), st.integers(0, 10**25))
def test_sequences_keep_their_order_and_their_looks(one: int, other: int) -> None:
    if max(len(str(one)), len(str(other))) < 20:
        assert (ordered(str(one)) < ordered(str(other))) == (one < other)
    assert shown(ordered(str(one))) == str(one)
    assert shown(cut_at(str(one), ordered(str(one)))) == str(one)
