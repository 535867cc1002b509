"""The newest version of each record, against a plain-Python oracle."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError
from datalake_kit.latest import latest_records

_ROWS = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from(["a", "b", "é"]), st.none() | st.integers(0, 3), st.booleans()),
    max_size=30,
)


def oracle(rows: list[tuple[Any, ...]]) -> list[int]:
    """Positions of the newest rows: NULL is oldest, of ties the last wins."""
    newest: dict[Any, int] = {}
    for i, (number, letter, order, _) in enumerate(rows):
        before = newest.get((number, letter))
        rank = -1 if order is None else order
        if before is None or rank >= (-1 if rows[before][2] is None else rows[before][2]):
            newest[number, letter] = i
    return sorted(newest.values())


@given(_ROWS)
def test_frames_and_tables_give_what_the_oracle_gives(rows: list[tuple[Any, ...]]) -> None:
    columns = {
        name: pa.array([r[i] for r in rows], kind)
        for i, (name, kind) in enumerate(
            [("number", pa.int64()), ("letter", pa.string()), ("at", pa.int64()), ("gone", pa.bool_())]
        )
    }
    table = pa.table(columns)
    kept = oracle(rows)
    assert latest_records(table, keys=["number", "letter"], order_by="at").equals(
        table.take(pa.array(kept, pa.int64()))
    )
    frame = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    before = frame.copy(deep=True)
    pd.testing.assert_frame_equal(latest_records(frame, keys=["number", "letter"], order_by="at"), frame.iloc[kept])
    pd.testing.assert_frame_equal(frame, before)
    alive = [i for i in kept if not rows[i][3]]
    deleted = latest_records(table, keys=["number", "letter"], order_by="at", deleted={"gone": True})
    assert deleted.equals(table.take(pa.array(alive, pa.int64())))


def test_index_types_and_column_order_are_kept() -> None:
    frame = pd.DataFrame(
        {
            "z": [1.5, 2.5, 3.5],
            "id": [1, 1, 2],
            "t": pd.to_datetime(["2026-01-02", "2026-01-01", "2026-01-01"], utc=True),
        },
        index=["x", "y", "z"],
    )
    kept = latest_records(frame, keys="id", order_by="t")
    assert list(kept.index) == ["x", "z"]
    pd.testing.assert_series_equal(kept.dtypes, frame.dtypes)


def test_several_order_columns_and_ties() -> None:
    frame = pd.DataFrame({"id": [1, 1, 1], "day": [2, 2, 1], "seq": [5, 5, 9], "row": ["first", "last", "older"]})
    assert latest_records(frame, keys="id", order_by=["day", "seq"])["row"].tolist() == ["last"]


def test_nan_and_null_are_older_than_any_value() -> None:
    frame = pd.DataFrame({"id": [1, 1, 2, 2], "at": [0.0, math.nan, math.nan, math.nan], "row": [1, 2, 3, 4]})
    assert latest_records(frame, keys="id", order_by="at")["row"].tolist() == [1, 4]
    assert latest_records(pa.Table.from_pandas(frame), keys="id", order_by="at")["row"].to_pylist() == [1, 4]
    values = pa.table({"id": [1, 1], "at": pa.array([0.0, math.nan]), "row": [1, 2]})
    assert latest_records(values, keys="id", order_by="at")["row"].to_pylist() == [1]


def test_sequences_of_35_digits_are_compared_as_text() -> None:
    sequences = ["20260301100000620000000000000000101", "20260301100000620000000000000000102", ""]
    frame = pd.DataFrame({"id": [1, 1, 1], "seq": sequences})
    assert latest_records(frame, keys="id", order_by="seq")["seq"].tolist() == [sequences[1]]


def test_deleted_by_values() -> None:
    frame = pd.DataFrame({"id": [1, 1, 2, 3], "at": [1, 2, 1, 1], "Op": ["I", "D", "I", None]})
    assert latest_records(frame, keys="id", order_by="at", deleted={"op": "D"})["id"].tolist() == [2, 3]
    assert latest_records(frame, keys="id", order_by="at", deleted={"Op": ["D", "I"]})["id"].tolist() == [3]


def test_categories_and_other_types() -> None:
    order = pd.CategoricalDtype(["low", "high"], ordered=True)
    frame = pd.DataFrame({"id": pd.Categorical(["a", "a", "b"]), "rank": pd.Series(["high", "low", None], dtype=order)})
    assert latest_records(frame, keys="id", order_by="rank").index.tolist() == [0, 2]
    table = pa.table({"id": pa.array(["a", "a"]).dictionary_encode(), "at": [datetime(2026, 1, 2, tzinfo=UTC)] * 2})
    assert latest_records(table, keys="id", order_by="at").num_rows == 1


def test_a_table_of_a_lake_is_read_whole() -> None:
    frame = pd.DataFrame({"id": [1, 1], "at": [1, 2]})
    table = cast(Any, SimpleNamespace(frame=lambda: frame))
    assert latest_records(table, keys="ID", order_by="AT").index.tolist() == [1]


def test_empty_input() -> None:
    frame = pd.DataFrame({"id": pd.Series(dtype="int64"), "at": pd.Series(dtype="str")})
    pd.testing.assert_frame_equal(latest_records(frame, keys="id", order_by="at"), frame)


def test_null_keys_are_told_not_dropped() -> None:
    frame = pd.DataFrame({"id": [1, None, None], "at": [1, 2, 3]})
    with pytest.raises(DataError, match="2 rows have NULL in the key column 'id'"):
        latest_records(frame, keys="id", order_by="at")


def test_bad_names_and_values() -> None:
    frame = pd.DataFrame({"pk_id": [1], "at": [1], "mixed": [object()]})
    with pytest.raises(ColumnNotFoundError, match="Did you mean pk_id"):
        latest_records(frame, keys="pkid", order_by="at")
    with pytest.raises(ColumnNotFoundError, match="There are 2 of that name"):
        latest_records(pd.DataFrame([[1, 2]], columns=["Id", "ID"]), keys="id", order_by="Id")
    with pytest.raises(ParameterError, match="keys is the name"):
        latest_records(frame, keys=[], order_by="at")
    with pytest.raises(ParameterError, match="Give a DataFrame"):
        latest_records(cast(Any, [1, 2]), keys="a", order_by="b")
    with pytest.raises(DataError, match="cannot be compared"):
        latest_records(frame, keys="mixed", order_by="at")
