"""What DMS itself says of a table, and large objects that it cut short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit.cdc.dms import list_dms_files
from datalake_kit.cdc.dms_names import CONTROL
from datalake_kit.cdc.evidence import TABLES, evidence_of
from datalake_kit.cdc.lobs import lob_suspects
from datalake_kit.errors import DataError, ParameterError, UnreadableFileError

EXCEPTIONS = pd.DataFrame(
    {
        "TASK_NAME": "ABC",
        "TABLE_OWNER": ["taxi_trips", "TAXI_TRIPS", "other"],
        "TABLE_NAME": ["table_1", "TABLE_1", "table_1"],
        "ERROR_TIME": ["2026-03-01 10:00:01.5", "2026-03-01 09:00:00", "2026-03-01 10:00:00"],
        "STATEMENT": [
            "UPDATE t SET a = 1\n WHERE PK_ID = 7 AND \"V\" = 'x'",
            "INSERT INTO t(PK_ID, V) VALUES (8, 'y')",
            "x",
        ],
        "ERROR": ["1 row\naffected", "duplicate", "y"],
    }
)
FAILURES = pd.DataFrame(
    {
        "TASK_NAME": "ABC",
        "TABLE_OWNER": "taxi_trips",
        "TABLE_NAME": "table_1",
        "FAILURE_TIME": pd.to_datetime(["2026-03-02", "2026-03-03", "2026-03-04"]),
        "KEY_TYPE": "Row",
        "KEY": ['{"key": ["3451491"]}', '{"key":  ["1", "a b"]}', "17-x"],
        "FAILURE_TYPE": ["RECORD_DIFF", "MISSING_TARGET", "missing_source"],
        "DETAILS": ["[[{'A': '1'}, {'A': '2'}],]", "", None],
    }
)


def test_exceptions_and_failures_become_one_frame() -> None:
    found = evidence_of([EXCEPTIONS, FAILURES], "taxi_trips", "table_1", keys=["pk_id", "v"])
    assert found["kind"].tolist() == [
        "apply exception", "apply exception", "record differs", "missing in target", "missing in source",
    ]  # fmt: skip
    assert found["key"].tolist() == [("8", "y"), ("7", "x"), ("3451491",), ("1", "a b"), ("17-x",)]
    assert found["time"].iloc[1] == pd.Timestamp("2026-03-01 10:00:01.5", tz="UTC")
    assert found["text"].iloc[1] == "1 row affected | UPDATE t SET a = 1 WHERE PK_ID = 7 AND \"V\" = 'x'"
    assert found["text"].tolist()[2:] == ["[[{'A': '1'}, {'A': '2'}],]", "", ""]


@pytest.mark.parametrize("statement", ["", "garbage (", "DELETE FROM t WHERE PK_ID > 5", "DELETE FROM t WHERE V = 'x'"])
def test_a_statement_that_does_not_say_the_key(statement: str) -> None:
    one = EXCEPTIONS.head(1).assign(STATEMENT=statement)
    assert evidence_of(one, "taxi_trips", "table_1", keys=["PK_ID"])["key"].tolist() == [None]
    assert evidence_of(one, "taxi_trips", "table_1")["key"].tolist() == [None]


def test_rows_of_the_table_alone() -> None:
    assert len(evidence_of(EXCEPTIONS, "bucket/taxi_trips", "Table_1")) == 2
    assert evidence_of(EXCEPTIONS, "taxi_trips", "table_2").empty
    assert evidence_of(EXCEPTIONS, "third", "table_1").empty  # of two owners: not told whose
    assert len(evidence_of(FAILURES, "third", "table_1")) == 3
    assert list(evidence_of([], "s", "t").columns) == ["kind", "key", "time", "text"]


def _written(folder: Path, form: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = EXCEPTIONS.assign(STATEMENT='UPDATE "a",\nx')
    if form == "parquet":
        pq.write_table(pa.Table.from_pandas(text), folder / "awsdms_apply_exceptions.parquet")
    else:
        text.to_csv(folder / "awsdms_apply_exceptions.csv", index=False, header=form == "header")
    return folder


@pytest.mark.parametrize("form", ["parquet", "header", "no header"])
def test_files_and_folders(form: str, tmp_path: Path) -> None:
    folder = _written(tmp_path / "x", form)
    for evidence in (folder, str(next(folder.iterdir())), {"exceptions": folder}):
        found = evidence_of(evidence, "taxi_trips", "table_1")
        assert found["text"].tolist() == ['duplicate | UPDATE "a", x', '1 row affected | UPDATE "a", x']


def test_staged_control_tables(tmp_path: Path) -> None:
    csv = b'ABC,taxi_trips,table_1,2026-03-01 10:00:00,"UPDATE ""x""",failed\n'
    for name, content in {
        "awsdms_apply_exceptions/LOAD00000001.csv": csv,
        "awsdms_apply_exceptions/20260301-100000000.csv": b"I," + csv,
        "awsdms_suspended_tables/20260301-100000000.csv": b"I,srv,ABC,taxi_trips,table_1,no key,2026-03-01 11:00:00\n",
        "awsdms_status/LOAD00000001.csv": b"srv,ABC,RUNNING\n",
    }.items():
        (tmp_path / "control" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "control" / name).write_bytes(content)
    staged = [f for f in list_dms_files(tmp_path) if f.kind == CONTROL]
    found = evidence_of(staged, "taxi_trips", "table_1")
    assert found["kind"].tolist() == ["apply exception", "apply exception", "suspended"]
    assert found["text"].tolist() == ['failed | UPDATE "x"', 'failed | UPDATE "x"', "no key"]


def test_what_is_no_evidence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"those of none of {', '.join(TABLES)}"):
        evidence_of(pd.DataFrame({"A": [1]}), "s", "t")
    with pytest.raises(DataError, match="FAILURE_TYPE is 'ODD'"):
        evidence_of(FAILURES.assign(FAILURE_TYPE="ODD"), "taxi_trips", "table_1")
    with pytest.raises(UnreadableFileError, match="No such file or folder of evidence"):
        evidence_of(tmp_path / "none.csv", "s", "t")
    (tmp_path / "x.csv").write_text("Op,A\nI,2\n")
    with pytest.raises(DataError, match=r"x\.csv has the columns Op, A"):
        evidence_of(tmp_path / "x.csv", "s", "t")


# --- large objects


def _lob(folder: Path, *files: dict[str, list[Any]]) -> list[Path]:
    paths = []
    for number, columns in enumerate(files):
        paths.append(folder / f"{number}.parquet")
        pq.write_table(pa.table(columns), paths[-1])
    return paths


def test_values_of_just_the_largest_size_are_suspect(tmp_path: Path) -> None:
    full, euro = "x" * 1024, "x" + "€" * 341  # 1024 bytes both; the next euro would not have fitted
    less = "€" * 341  # 1023 bytes
    paths = _lob(
        tmp_path,
        {"ID": [1, 2, 3], "CUT": [full, "y", euro], "WHOLE": ["x" * 1500, full, full], "ONE": [full, "", None]},
        {"ID": [4], "CUT": [less], "WHOLE": [full], "RAW": [b"z" * 1024]},
        {"ID": [5], "RAW": [b"z" * 1024], "CUT": ["short"]},
    )
    found = lob_suspects(paths, 1, keys=["id"]).set_index("column")
    assert sorted(found.index) == ["CUT", "RAW"]
    assert found.loc["CUT", "values"] == 3
    assert found.loc["CUT", "bytes"] == 1024
    assert found.loc["CUT", "keys"] == [(1,), (3,), (4,)]
    assert found.loc["CUT", "files"] == [str(paths[0]), str(paths[1])]
    assert found.loc["RAW", "keys"] == [(4,), (5,)]
    assert lob_suspects(paths, 2).empty
    assert lob_suspects(paths, 1)["keys"].tolist() == [[], []]


def test_binary_has_no_characters_to_fit(tmp_path: Path) -> None:
    assert lob_suspects(_lob(tmp_path, {"RAW": [b"z" * 1023, b"y" * 1022]}), 1).empty


def test_sizes_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ParameterError):
        lob_suspects([], 0)
    with pytest.raises(UnreadableFileError):
        lob_suspects([tmp_path / "none.parquet"], 32)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1020, 1026), min_size=1, max_size=6))
def test_suspects_are_those_of_the_rule(sizes: list[int]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        found = lob_suspects(_lob(Path(folder), {"T": ["x" * n for n in sizes]}), 1)
    inside = [n for n in sizes if 1021 <= n <= 1024]
    expected = [len(inside)] if len(inside) >= 2 and max(sizes) <= 1024 else []
    assert found["values"].tolist() == expected
