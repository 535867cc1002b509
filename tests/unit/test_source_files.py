"""Frames and Parquet files as sources, and what is no source."""

from __future__ import annotations

import builtins
import io
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datalake_kit.cdc.source import is_database, open_source
from datalake_kit.cdc.source.database import _secrets, _url, _without
from datalake_kit.errors import ConfigError, MissingPackageError, ParameterError, UnreadableFileError
from tests.s3 import BUCKET, client, s3_server, use_s3


def frame() -> pd.DataFrame:
    return pd.DataFrame({"PK_ID": [1, 2, 3], "fare": [1.5, None, 2.0], "flag": ["Y", None, ""]}, index=[7, 8, 9])


def lake() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE t AS SELECT * FROM (VALUES (1::BIGINT, 1.5::DOUBLE, 'Y'), (2, NULL, NULL), (3, 2.5, NULL)) "
        "AS v(pk_id, fare, flag)"
    )
    return connection


def test_a_frame(tmp_path: Path) -> None:
    with open_source(frame()) as source:
        assert source.count() == 3
        assert list(source.columns) == ["PK_ID", "fare", "flag"]
        assert repr(source) == "<FrameSource a frame of 3 rows>"
        (file,) = source.local_parquet(tmp_path) or []
        assert pq.read_table(file).num_rows == 3
        found = source.differences(lake(), "t", None, ["PK_ID"])
    assert found.keys.changed == [3]
    assert [(c.column, c.before, c.after) for c in found.columns] == [("fare", 2.0, 2.5), ("flag", "", None)]


def test_a_frame_with_times_and_categories() -> None:
    times = pd.to_datetime(["2024-01-01 00:00:00.123456789", "2024-01-02"], format="ISO8601")
    given = pd.DataFrame({"k": [1, 2], "t": times, "z": times.tz_localize("UTC").as_unit("us"), "c": ["a", "b"]})
    given = given.astype({"c": "category", "t": "datetime64[ns]"})
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE t AS SELECT 1 AS k, TIMESTAMP '2024-01-01 00:00:00.123456' AS t, "
        "TIMESTAMP '2024-01-01 00:00:00.123456' AS z, 'a' AS c UNION ALL "
        "SELECT 2, TIMESTAMP '2024-01-02', TIMESTAMP '2024-01-02', 'B'"
    )
    with open_source(given) as source:
        found = source.differences(connection, "t", None, ["k"])
    assert found.not_compared == {}
    assert [(c.key, c.column) for c in found.columns] == [(2, "c")]


def test_parquet_files(tmp_path: Path) -> None:
    folder = tmp_path / "it's here"
    folder.mkdir()
    for number, part in enumerate((frame().iloc[:2], frame().iloc[2:])):
        pq.write_table(pa.Table.from_pandas(part, preserve_index=False), folder / f"{number}.parquet")
    for given in (folder, str(folder), sorted(folder.glob("*.parquet"))):
        with open_source(given) as source:
            assert source.count() == 3
            assert source.local_parquet(tmp_path / "none") == sorted(folder.glob("*.parquet"))
            assert source.differences(lake(), "t", None, ["pk_id"]).keys.changed == [3]
    assert not (tmp_path / "none").exists()


def test_parquet_files_on_s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server() as endpoint:
        use_s3(monkeypatch, endpoint)
        for number, part in enumerate((frame().iloc[:2], frame().iloc[2:])):
            buffer = io.BytesIO()
            pq.write_table(pa.Table.from_pandas(part, preserve_index=False), buffer)
            client(endpoint).put_object(Bucket=BUCKET, Key=f"dump/{number}/part.parquet", Body=buffer.getvalue())
        with open_source(f"s3://{BUCKET}/dump") as source:
            assert source.count() == 3
            assert list(source.columns) == ["PK_ID", "fare", "flag"]
            assert len(set(source.local_parquet(tmp_path) or [])) == 2
            assert source.differences(lake(), "t", None, ["pk_id"]).keys.changed == [3]
        with pytest.raises(UnreadableFileError, match="There is no"):
            open_source(f"s3://{BUCKET}/absent")


def test_what_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="There is no"):
        open_source(tmp_path / "absent.parquet")
    with pytest.raises(UnreadableFileError, match="No Parquet file below"):
        open_source(tmp_path)
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and no end")
    with pytest.raises(UnreadableFileError, match="cut short"):
        open_source(tmp_path / "cut.parquet")
    with pytest.raises(ParameterError, match="not int"):
        open_source(5)
    with pytest.raises(ParameterError, match="same name: a"):
        open_source(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(ParameterError, match="several types"):
        open_source(pd.DataFrame({"a": [1, "x"]}))
    with pytest.raises(ConfigError, match="oracle:// is no source"):
        open_source("oracle://user:secret@host/db")


@pytest.mark.parametrize("url", ["postgresql://user:s3cret@host:port/db", "mysql+pymysql://user:s3cret@[::1/db"])
def test_a_url_that_cannot_be_read_is_not_shown(url: str) -> None:
    with pytest.raises(ConfigError, match="Not the URL of a database") as caught:
        open_source(url, "t")
    assert "s3cret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_driver_that_nobody_knows() -> None:
    with pytest.raises(ConfigError, match=r"No way to mysql\+quill"):
        open_source("mysql+quill://user:s3cret@host/db", "t")


@pytest.mark.parametrize("package", ["sqlalchemy", "psycopg"])
def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **more: Any) -> Any:
        if name.split(".")[0] == package:
            raise ImportError(f"No module named {name!r}", name=name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPackageError, match=r"pip install 'datalake_kit\[source\]'"):
        open_source("postgresql://127.0.0.1:1/db", "t")


def test_what_counts_as_a_database() -> None:
    assert is_database("mariadb://host/db")
    assert is_database("postgres://host/db")
    assert is_database("mysql+pymysql://host/db")
    assert not is_database("postgresql")
    assert not is_database("s3://bucket/mysql")
    assert not is_database(frame())


def test_a_password_is_taken_out_however_it_is_spelled() -> None:
    secrets = _secrets(_url("mysql://reader:p%40ss%20w%2Frd@host/shop?ssl_key=/keys/mine&charset=utf8mb4"))
    for spelled in ("p@ss w/rd", "p%40ss%20w%2Frd", "p%40ss+w%2Frd", "p%40ss%20w/rd", "/keys/mine"):
        assert _without(f"denied for reader: '{spelled}' (utf8mb4)", secrets) == "denied for reader: '***' (utf8mb4)"
    assert _without("p@ss and p@ss w/rd", ["p@ss w/rd", "p@ss"]) == "*** and ***"
    assert _secrets(_url("mysql://reader@host/shop")) == []
