"""The newest version of each record, against a plain-Python oracle."""

from __future__ import annotations

import json
import math
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit import jira
from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError
from datalake_kit.lake import connect
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


@settings(deadline=None)
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


# --- tables of a lake: the engine chooses ---------------------------------------------------------------------------


def as_lake_table(folder: Path, table: pa.Table) -> Any:
    path = folder / "shop" / "versions"
    path.mkdir(parents=True)
    pq.write_table(table.slice(0, 5), path / "1.parquet")
    pq.write_table(table.slice(5), path / "2.parquet")
    return connect(folder).table("shop.versions")


@settings(max_examples=10, deadline=None)
@given(_ROWS)
def test_a_table_of_a_lake_gives_what_the_oracle_gives(rows: list[tuple[Any, ...]]) -> None:
    table = pa.table(
        {
            "number": pa.array([r[0] for r in rows], pa.int64()),
            "letter": pa.array([r[1] for r in rows], pa.string()),
            "at": pa.array([r[2] for r in rows], pa.int64()),
            "gone": pa.array([r[3] for r in rows], pa.bool_()),
            "row": pa.array(range(len(rows)), pa.int64()),
        }
    )
    kept = [i for i in oracle(rows) if not rows[i][3]]
    expected = sorted((rows[i][0], rows[i][1], rows[i][2], i) for i in kept)
    with tempfile.TemporaryDirectory() as name:
        found = latest_records(
            as_lake_table(Path(name), table), keys=["Number", "letter"], order_by=["at", "row"], deleted={"gone": True}
        )
    told = found[["number", "letter", "at", "row"]].astype(object).where(lambda f: f.notna(), None)
    assert [tuple(r) for r in told.to_numpy()] == expected


def test_of_a_table_the_engine_fetches_only_what_is_kept_and_ties_go_by_the_other_columns(tmp_path: Path) -> None:
    rows = pa.table(
        {
            "id": [1, 1, 1, 2, 2],
            "at": pa.array([1.0, 1.0, math.nan, math.nan, None]),
            "a": ["x", "y", "z", None, "m"],
            "tags": [["z"], ["a"], [], [], None],
        }
    )
    table = as_lake_table(tmp_path, rows)
    found = latest_records(table, keys="id", order_by="at")
    assert found[["id", "a"]].to_numpy().tolist() == [[1, "y"], [2, "m"]]
    assert table.lake.last_query.rows == 2
    assert latest_records(table, keys="id", order_by="at", deleted={"a": ["m", None]})["id"].tolist() == [1]


def test_null_keys_of_a_table_are_told(tmp_path: Path) -> None:
    table = as_lake_table(tmp_path, pa.table({"id": [1, None, None], "at": [1, 2, 3]}))
    with pytest.raises(DataError, match="2 rows have NULL in the key column 'ID'"):
        latest_records(table, keys="ID", order_by="at")
    with pytest.raises(ColumnNotFoundError, match="Did you mean at"):
        latest_records(table, keys="id", order_by="att")


# --- the rule of Jira is this rule, by the instant of the update, the file, the row ---------------------------------

_UPDATED = st.sampled_from(
    [None, *(f"2026-03-0{d}T0{h}:00:00.000{z}" for d in (1, 2) for h in (1, 9) for z in ("+0000", "+0800"))]
)
_VERSIONS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), _UPDATED), min_size=1, max_size=20)


@settings(max_examples=8, deadline=None)
@given(_VERSIONS)
def test_the_newest_version_of_an_issue_is_its_latest_record(versions: list[tuple[int, int, str | None]]) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        raw = Path(name) / "jiralake" / "jira_raw"
        raw.mkdir(parents=True)
        for day in sorted({day for day, _, _ in versions}):
            of_day = [(str(number), updated) for d, number, updated in versions if d == day]
            texts = [json.dumps({"updated": updated, "summary": f"{day} {n}"}) for n, (_, updated) in enumerate(of_day)]
            path = raw / f"run-2026-03-0{day + 1}T02-00-00.parquet"
            pq.write_table(pa.table({"id": [i for i, _ in of_day], "key": ["K"] * len(of_day), "fields": texts}), path)
            rows += [
                (i, updated, day, n, text) for n, ((i, updated), text) in enumerate(zip(of_day, texts, strict=True))
            ]
        expected = dict(jira.load(connect(name), "jiralake.jira_raw").raw()[["id", "fields"]].to_numpy().tolist())
        frame = pd.DataFrame(rows, columns=["id", "updated", "file", "row", "fields"]).sample(frac=1, random_state=0)
        frame["updated"] = pd.to_datetime(frame["updated"], utc=True, format="ISO8601")
        plain = frame.assign(updated=frame["updated"].dt.tz_localize(None))  # in UTC, as a lake has it
        arrow = pa.Table.from_pandas(plain, preserve_index=False)
        pushed = as_lake_table(Path(name), arrow)
        order = ["updated", "file", "row"]
        assert dict(latest_records(frame, keys="id", order_by=order)[["id", "fields"]].to_numpy().tolist()) == expected
        kept = latest_records(arrow, keys="id", order_by=order)
        assert dict(zip(kept["id"].to_pylist(), kept["fields"].to_pylist(), strict=True)) == expected
        assert dict(latest_records(pushed, keys="id", order_by=order)[["id", "fields"]].to_numpy().tolist()) == expected
