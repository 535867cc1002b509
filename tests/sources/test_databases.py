"""Tables of a real PostgreSQL and a real MariaDB as sources: types as DMS maps them, keys of every kind, bad days."""

from __future__ import annotations

import datetime as dt
import random
import threading
import time
import traceback
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from datalake_kit.cdc.source import Source, open_source
from datalake_kit.errors import (
    ConfigError,
    DataError,
    EngineError,
    ParameterError,
    TableNotFoundError,
)
from tests.services import PASSWORD, Service, running
from tests.sources.conftest import Database, fill

pytestmark = pytest.mark.external


@pytest.fixture
def lake() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def opened(database: Database, table: str = "t", **options: Any) -> Source:
    return open_source(database.service.url, table, **options)


def create(database: Database, columns: str, *rows: str) -> None:
    database.run(f"CREATE TABLE t ({columns})", *([f"INSERT INTO t VALUES {', '.join(rows)}"] if rows else []))


# --- types


def test_types_of_mysql(on_mariadb: Database, lake: duckdb.DuckDBPyConnection) -> None:
    create(
        on_mariadb,
        "k int(5) zerofill primary key, flag tinyint(1), big bigint unsigned, b1 bit(1), b12 bit(12), y year, "
        "e enum('a','b|c'), s set('x','y'), tm time(3), money decimal(6,2) zerofill, f float(7,2), old char(5) "
        "character set latin1, bin4 binary(4), z date not null, ts timestamp null, d12 decimal(12,4)",
        "(42, 1, 18446744073709551615, b'1', b'101', 0, 'b|c', 'x,y', '-100:00:00.5', 1.5, 0.1, X'e920', X'01', "
        "'2024-02-29', '2021-06-01 10:00:00', 1.25)",
    )
    lake.execute(
        "CREATE TABLE t AS SELECT 42::INT AS K, true AS FLAG, 18446744073709551615::UBIGINT AS BIG, true AS B1, "
        "'\\x00\\x05'::BLOB AS B12, 0::SMALLINT AS Y, 'b|c' AS E, 'x,y' AS S, '-100:00:00.500' AS TM, "
        "1.5::DECIMAL(6,2) AS MONEY, 0.1::FLOAT::DOUBLE AS F, 'é  ' AS OLD, '\\x01\\x00\\x00\\x00'::BLOB AS BIN4, "
        "DATE '2024-02-29' AS Z, TIMESTAMP '2021-06-01 10:00:00' AS TS, 1.25::DECIMAL(10,2) AS D12"
    )
    with opened(on_mariadb) as source:
        assert source.keys == ("k",)
        found = source.differences(lake, "t", None, ["K"])
    assert found.not_compared == {}
    assert found.equal, found.columns


def test_types_of_postgresql(on_postgresql: Database, lake: duckdb.DuckDBPyConnection) -> None:
    on_postgresql.run("DROP TYPE IF EXISTS mood", "CREATE TYPE mood AS ENUM ('sad', 'so|so')")
    on_postgresql.run("DROP DOMAIN IF EXISTS price", "CREATE DOMAIN price AS numeric(8,2)")
    create(
        on_postgresql,
        "k int primary key, yes boolean, m mood, p price, j jsonb, u uuid, b1 bit(1), bits bit(5), odd numeric, "
        "a int[], wide numeric(50,2), c char(4), span interval",
        "(1, true, 'so|so', 1.5, '{\"b\": 1.0, \"aa\":2}', '00000000-0000-0000-0000-0000000000ff', B'1', B'00101', 1, "
        "'{1}', 1, 'ab', '1 day')",
    )
    lake.execute(
        "CREATE TABLE t AS SELECT 1 AS K, 'true' AS YES, 'so|so' AS M, 1.5::DECIMAL(8,2) AS P, "
        """'{"b": 1.0, "aa": 2}' AS J, '00000000-0000-0000-0000-0000000000FF' AS U, true AS B1, '00101' AS BITS, """
        "1::DECIMAL(28,6) AS ODD, '{1}' AS A, 'x' AS WIDE, 'ab  ' AS C, '1 day' AS SPAN"
    )
    with opened(on_postgresql) as source:
        found = source.differences(lake, "t", None, ["k"])
    assert found.equal, found.columns
    assert set(found.not_compared) == {"odd", "a", "wide", "span"}
    assert found.not_compared["odd"] == "numeric and DECIMAL(28,6): numeric has no canonical text"
    assert "a boolean is the text 'true' or 'false': yes" in found.rules
    on_postgresql.run("DROP TABLE t", "DROP TYPE mood", "DROP DOMAIN price")


def test_values_that_no_number_format_rounds_alike(fresh: Database, lake: duckdb.DuckDBPyConnection) -> None:
    double = "double precision" if fresh.is_postgresql else "double"
    create(fresh, f"k int primary key, v {double}")
    rng = random.Random(5)
    values = [rng.uniform(-1e6, 1e6) * 10.0 ** rng.randrange(-300, 290) for _ in range(2000)]
    values += [2.0**e for e in range(-1074, 1024, 7)] + [round(rng.uniform(0, 1e5), 2) for _ in range(500)]
    fresh.insert("t", list(enumerate(values)))
    fill(lake, list(enumerate(values)), "k INT, v DOUBLE")
    with opened(fresh) as source:
        assert source.differences(lake, "t", None, ["k"]).equal


def test_not_a_number_infinity_and_times_of_postgresql(
    on_postgresql: Database, lake: duckdb.DuckDBPyConnection
) -> None:
    create(
        on_postgresql,
        "k int primary key, v float8, d date, t timestamp(3)",
        "(1, 'NaN', NULL, NULL), (2, 'Infinity', NULL, NULL), (3, '-Infinity', NULL, NULL), "
        "(4, NULL, '0044-03-15 BC', '0044-03-15 00:00:00 BC'), (5, NULL, 'infinity', 'infinity')",
    )
    lake.execute(
        "CREATE TABLE t AS SELECT k, v::DOUBLE AS v, d::DATE AS d, t::TIMESTAMP AS t FROM (VALUES "
        "(1, 'NaN', NULL, NULL), "
        "(2, 'inf', NULL, NULL), (3, '-inf', NULL, NULL), "
        "(4, NULL, '0044-03-15', '0044-03-15 00:00:00'), "
        "(5, NULL, '9999-12-31', '9999-12-31 23:59:59')) AS x(k, v, d, t)"
    )
    with opened(on_postgresql) as source:
        found = source.differences(lake, "t", None, ["k"])
    assert found.keys.changed == [4, 5]
    assert [(c.key, c.column, str(c.before)) for c in found.columns] == [
        (4, "d", "0044-03-15 BC"), (4, "t", "0044-03-15 00:00:00 BC"), (5, "d", "infinity"), (5, "t", "infinity"),
    ]  # fmt: skip


def test_zero_dates_of_mysql(on_mariadb: Database, lake: duckdb.DuckDBPyConnection) -> None:
    create(
        on_mariadb,
        "k int primary key, d date not null, t datetime(3) not null",
        "(1, '0000-00-00', '0000-00-00'), (2, '2024-02-29', '2024-02-29 01:02:03.004')",
    )
    lake.execute(
        "CREATE TABLE t AS SELECT 1 AS k, NULL::DATE AS d, NULL::TIMESTAMP AS t UNION ALL "
        "SELECT 2, DATE '2024-02-29', TIMESTAMP '2024-02-29 01:02:03.004'"
    )
    with opened(on_mariadb) as source:
        found = source.differences(lake, "t", None, ["k"])
    assert [(c.key, c.column, c.before) for c in found.columns] == [
        (1, "d", "0000-00-00"), (1, "t", "0000-00-00 00:00:00.000"),
    ]  # fmt: skip
    with opened(on_mariadb, zero_date_is_null=True) as source:
        assert source.differences(lake, "t", None, ["k"]).equal


@pytest.mark.parametrize(("way", "family"), [("cut", "ts(3)"), ("rounded", "tsr(3)")])
def test_milliseconds_in_the_lake_say_whether_they_were_cut_or_rounded(
    fresh: Database, lake: duckdb.DuckDBPyConnection, way: str, family: str
) -> None:
    create(fresh, f"k int primary key, t {'timestamp(6)' if fresh.is_postgresql else 'datetime(6)'}")
    begin = dt.datetime(2023, 12, 31, 23, 59, 59)
    moments = [begin + dt.timedelta(microseconds=i * 1337) for i in range(1, 900)]
    fresh.insert("t", list(enumerate(moments)))
    add = dt.timedelta(microseconds=500 if way == "rounded" else 0)
    held = [(m + add).replace(microsecond=(m + add).microsecond // 1000 * 1000) for m in moments]
    fill(lake, list(enumerate(held)), "k INT, t TIMESTAMP")
    with opened(fresh) as source:
        found = source.differences(lake, "t", None, ["k"])
        assert found.equal
        assert found.compared["t"] == family
        lake.execute("UPDATE t SET t = t + INTERVAL 1 MILLISECOND WHERE k = 500")
        found = source.differences(lake, "t", None, ["k"])
        assert (found.keys.changed, found.compared["t"]) == ([500], family)


def test_settings_of_a_server_do_not_count(fresh: Database, lake: duckdb.DuckDBPyConnection) -> None:
    stamp = "timestamptz" if fresh.is_postgresql else "timestamp(6) null"
    create(fresh, f"k int primary key, m {stamp}, d date, t varchar(20)")
    zone = "+00" if fresh.is_postgresql else ""
    fresh.run(f"INSERT INTO t VALUES (1, '2021-07-01 23:30:00.000001{zone}', '2021-02-03', 'a\u00e9\U0001f600')")
    lake.execute(
        "CREATE TABLE t AS SELECT 1 AS k, TIMESTAMP '2021-07-01 23:30:00.000001' AS m, DATE '2021-02-03' AS d, "
        "'a\u00e9\U0001f600' AS t"
    )
    if fresh.is_postgresql:
        settings = {"timezone": "America/New_York", "datestyle": "German", "client_encoding": "LATIN1"}
        for name, value in settings.items():
            fresh.run(f"ALTER ROLE kit SET {name} = '{value}'")
        undo = ["ALTER ROLE kit RESET ALL"]
    else:
        fresh.run("SET GLOBAL time_zone = '-05:00'", "SET GLOBAL sql_mode = 'ANSI,TRADITIONAL,PIPES_AS_CONCAT'")
        undo = ["SET GLOBAL time_zone = 'SYSTEM'", "SET GLOBAL sql_mode = DEFAULT"]
    try:
        with opened(fresh) as source:
            found = source.differences(lake, "t", None, ["k"])
    finally:
        fresh.run(*undo)
    assert found.equal, found.columns
    assert found.compared == {"k": "int", "m": "ts(6)", "d": "date", "t": "text"}


# --- keys


def test_text_keys_that_collations_mix_up(fresh: Database, lake: duckdb.DuckDBPyConnection) -> None:
    words = [
        "a",
        "A",
        "a ",
        "á",
        "a\u0301",
        "B",
        "b",
        "Z",
        "_",
        "~",
        "1:a",
        "a|b",
        "",
        "ß",
        "ss",
        "\U0001f600",
        "\uffff",
    ]
    words += [f"k{i:04d}" for i in range(3000)]
    kind = 'text collate "en-x-icu"' if fresh.is_postgresql else "varchar(20) collate utf8mb4_general_ci"
    fresh.run(f"CREATE TABLE t (k {kind}, v int)")
    fresh.insert("t", [(w, i) for i, w in enumerate(words)])
    fill(lake, [(w, i) for i, w in enumerate(words)], "k VARCHAR, v INT")
    lake.execute("DELETE FROM t WHERE k IN ('A', 'a ', '\uffff'); UPDATE t SET v = -1 WHERE k IN ('á', '', 'k1234')")
    lake.execute("INSERT INTO t VALUES ('it''s', 0), ('back\\slash', 0)")
    with opened(fresh) as source:
        found = source.differences(lake, "t", None, ["k"], leaf_rows=50, fan_out=8)
    assert found.keys.missing == ["A", "a ", "\uffff"]
    assert found.keys.changed == ["", "k1234", "á"]
    assert found.keys.extra == ["back\\slash", "it's"]
    assert [(c.key, c.after) for c in found.columns] == [("", -1), ("k1234", -1), ("á", -1)]


def test_keys_of_two_columns_in_any_case(fresh: Database, lake: duckdb.DuckDBPyConnection) -> None:
    create(fresh, "id bigint, part varchar(10), v numeric(6,2), primary key (part, id)")
    rows = [(i, p, Decimal(i) / 4) for i in range(-800, 800) for p in ("a", "B")]
    fresh.insert("t", rows)
    fill(lake, rows, "ID BIGINT, PART VARCHAR, V DECIMAL(6,2)")
    lake.execute("DELETE FROM t WHERE ID = -800; UPDATE t SET V = V + 0.01 WHERE ID = 7 AND PART = 'B'")
    with opened(fresh) as source:
        assert source.keys == ("part", "id")
        found = source.differences(lake, "t", None, ["ID", "PART"], leaf_rows=50)
    assert found.keys.missing == [(-800, "B"), (-800, "a")]
    assert found.keys.changed == [(7, "B")]
    assert [(c.column, c.before, c.after) for c in found.columns] == [("v", Decimal("1.75"), Decimal("1.76"))]


def test_the_whole_range_of_integers_and_random_damage(fresh: Database, lake: duckdb.DuckDBPyConnection) -> None:
    create(fresh, "k bigint primary key, v text")
    rng = random.Random(11)
    keys = {-(2**63), 2**63 - 1, *range(4000), *(rng.randrange(-(2**63), 2**63) for _ in range(2000))}
    rows = [(k, f"value {k}") for k in sorted(keys)]
    fresh.insert("t", rows)
    with opened(fresh) as source:
        for seed in range(3):
            rng = random.Random(seed)
            lost, wrong = set(rng.sample(sorted(keys), seed * 3)), set(rng.sample(sorted(keys), 1 + seed * 5))
            here = [(k, "x" if k in wrong else v) for k, v in rows if k not in lost]
            fill(lake, here, "k BIGINT, v VARCHAR")
            found = source.differences(lake, "t", None, ["k"], leaf_rows=100)
            assert (found.keys.missing, found.keys.changed) == (sorted(lost), sorted(wrong - lost))
            assert found.keys.exact


def test_keys_that_are_not_unique_in_the_source(fresh: Database, lake: duckdb.DuckDBPyConnection) -> None:
    create(fresh, "k int, v int", "(1, 1), (1, 2), (2, 1), (NULL, 1)")
    lake.execute("CREATE TABLE t AS SELECT 1 AS k, 1 AS v UNION ALL SELECT 2, 1")
    with opened(fresh) as source:
        found = source.differences(lake, "t", None, ["k"])
    assert found.repeated == [(1, 2)]
    assert found.keys.duplicates == {1: (2, 1)}
    assert found.keys.null_keys == (1, 0)


# --- names


def test_names_with_quotes_and_in_two_cases(database: Database, lake: duckdb.DuckDBPyConnection) -> None:
    mark = database.run("SELECT 1") and ('"' if database.is_postgresql else "`")
    table = f"odd{mark}{mark}na'me;--"
    columns = (
        f"{mark}select{mark} int primary key, {mark}it's \"%s{mark}{mark}{mark} int"
        if mark == "`"
        else ('"select" int primary key, "it\'s ""%s`" int')
    )
    database.run(f"DROP TABLE IF EXISTS {mark}{table}{mark}", f"CREATE TABLE {mark}{table}{mark} ({columns})")
    database.run(f"INSERT INTO {mark}{table}{mark} VALUES (1, 2)")
    lake.execute('CREATE TABLE t AS SELECT 1 AS "SELECT", 3 AS "it\'s ""%s`"')
    name = table.replace(mark * 2, mark).replace('"', '""')
    with open_source(database.service.url, f'"{name}"') as source:
        found = source.differences(lake, "t", None, ["SELECT"])
        assert [(c.column, c.before, c.after) for c in found.columns] == [("it's \"%s`", 2, 3)]
    database.run(f"DROP TABLE {mark}{table}{mark}")


def test_two_columns_that_differ_in_case_only(on_postgresql: Database, lake: duckdb.DuckDBPyConnection) -> None:
    create(on_postgresql, 'k int primary key, "a" int, "A" int', "(1, 2, 3)")
    lake.execute("CREATE TABLE t AS SELECT 1 AS k, 2 AS a")
    with opened(on_postgresql) as source:
        found = source.differences(lake, "t", None, ["k"])
    assert found.compared == {"k": "int", "a": "int"}
    assert set(found.not_compared) == {"A"}


def test_a_table_is_found_by_name_and_schema(database: Database) -> None:
    schema = "other"
    database.run(f"DROP SCHEMA IF EXISTS {schema}{' CASCADE' if database.is_postgresql else ''}")
    database.run(f"CREATE SCHEMA {schema}", "DROP TABLE IF EXISTS trips", "CREATE TABLE trips (k int primary key)")
    database.run(f"CREATE TABLE {schema}.trips (k int primary key, v int)", f"CREATE TABLE {schema}.zones (z int)")
    with opened(database, "TRIPS") as source:
        assert list(source.columns) == ["k"]
        assert source.count() == 0
    for written in (f"{schema}.trips", f"{schema}/trips"):
        with opened(database, written) as source:
            assert list(source.columns) == ["k", "v"]
    with opened(database, "zones") as source:
        assert source.label.endswith("other.zones")
    with pytest.raises(TableNotFoundError, match=r"no table 'trip'.*Did you mean trips"):
        opened(database, "trip")
    with pytest.raises(ParameterError, match=r"schema\.table"):
        opened(database, "a.b.c")
    with pytest.raises(ParameterError, match="which table"):
        open_source(database.service.url)
    database.run(
        "DROP TABLE trips", f"DROP TABLE {schema}.trips", f"DROP TABLE {schema}.zones", f"DROP SCHEMA {schema}"
    )


# --- bad days

LONG = "SELECT count(*) FROM t a CROSS JOIN t b CROSS JOIN t c WHERE md5(concat(a.v, b.v, c.v, a.k, c.k)) = 'x'"


def told(problem: BaseException) -> str:
    """All that a user can see of an error, and what hides behind it."""
    chain, here = [], problem
    while here is not None:
        chain += [repr(here), *(str(a) for a in here.args)]
        here = here.__cause__ or here.__context__  # type: ignore[assignment]
    return "\n".join([*chain, *traceback.format_exception(problem)])


def test_a_wrong_password_is_never_shown(server: Service) -> None:
    wrong = "hu/nter2@:%"
    with pytest.raises(EngineError, match="Check user and password") as caught:
        open_source(server.url_of("kit", wrong), "t")
    assert wrong not in told(caught.value)
    assert "hu%2Fnter2" not in told(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_the_password_is_in_no_label(fresh: Database) -> None:
    create(fresh, "k int primary key")
    with opened(fresh) as source:
        shown = " ".join([repr(source), str(source), source.label, repr(source.columns)])
        assert PASSWORD not in shown
        assert "s3cret" not in shown
        assert source.label.startswith(("postgresql://127.0.0.1:", "mysql://127.0.0.1:"))


def test_a_server_that_cannot_be_reached(server: Service) -> None:
    away = server.url.replace(f":{server.port}/", ":1/")
    with pytest.raises(EngineError, match="Check host, port and network") as caught:
        open_source(away, "t")
    assert "s3cret" not in told(caught.value)


def test_a_database_that_is_not_there(server: Service) -> None:
    with pytest.raises(EngineError, match="nothing_here"):
        open_source(server.url_of("kit", PASSWORD, "nothing_here"), "t")


def test_a_user_without_rights(fresh: Database, lake: duckdb.DuckDBPyConnection) -> None:
    create(fresh, "k int primary key, v int", "(1, 2)")
    lake.execute("CREATE TABLE t AS SELECT 1 AS k, 2 AS v")
    if fresh.is_postgresql:
        fresh.run("DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN PASSWORD 'g'")
        with open_source(fresh.service.url_of("guest", "g"), "t") as source, pytest.raises(EngineError, match="SELECT"):
            source.differences(lake, "t", None, ["k"])
        fresh.run("DROP ROLE guest")
    else:
        fresh.run("CREATE OR REPLACE USER guest IDENTIFIED BY 'g'")
        with pytest.raises(EngineError, match="Check user and password"):
            open_source(fresh.service.url_of("guest", "g"), "t")
        fresh.run("GRANT INSERT ON shop.t TO guest")
        with open_source(fresh.service.url_of("guest", "g"), "t") as source, pytest.raises(EngineError, match="SELECT"):
            source.count()
        fresh.run("DROP USER guest")


def test_a_connection_that_is_ended_while_a_table_is_read(fresh: Database, lake: duckdb.DuckDBPyConnection) -> None:
    create(fresh, "k int primary key, v text")
    fresh.insert("t", [(i, "x" * 50) for i in range(2000)])
    lake.execute("CREATE TABLE t AS SELECT k::INT AS k, 'y' AS v FROM range(2000) r(k)")
    source = opened(fresh)
    number = source.run("SELECT pg_backend_pid()" if fresh.is_postgresql else "SELECT connection_id()")[0][0]  # type: ignore[attr-defined]
    end = f"SELECT pg_terminate_backend({number})" if fresh.is_postgresql else f"KILL {number}"

    def kill() -> None:
        time.sleep(0.3)
        fresh.run(end)

    killer = threading.Thread(target=kill)
    killer.start()
    with source, pytest.raises(EngineError, match="The connection was lost") as caught:
        source.run(LONG)  # type: ignore[attr-defined]
    killer.join()
    assert "s3cret" not in told(caught.value)
    with pytest.raises(EngineError, match="is closed"):
        source.count()


def test_a_statement_that_takes_too_long(fresh: Database) -> None:
    create(fresh, "k int primary key, v text")
    fresh.insert("t", [(i, "x" * 50) for i in range(2000)])
    with opened(fresh, timeout_seconds=0.3) as source, pytest.raises(EngineError, match="timeout_seconds"):
        source.run(LONG)  # type: ignore[attr-defined]


def test_a_server_that_stops_while_a_table_is_read(server: Service) -> None:
    with running("postgresql" if server.scheme == "postgresql" else "mariadb") as own:
        database = Database(own)
        create(database, "k int primary key, v text")
        database.insert("t", [(i, "x" * 50) for i in range(2000)])
        source = opened(database)
        database.close()
        killer = threading.Timer(0.3, own.stop)
        killer.start()
        with source, pytest.raises(EngineError, match="The connection was lost") as caught:
            source.run(LONG)  # type: ignore[attr-defined]
        killer.join()
        assert "s3cret" not in told(caught.value)
        with pytest.raises(EngineError, match="Check host, port and network"):
            opened(database)


def test_the_source_is_only_read_and_at_one_moment(fresh: Database) -> None:
    create(fresh, "k int primary key", "(1)")
    with opened(fresh) as source:
        assert source.count() == 1
        fresh.run("INSERT INTO t VALUES (2)")
        assert source.count() == 1
        with pytest.raises(EngineError, match=r"(?i)read.only"):
            source.run("DELETE FROM t")  # type: ignore[attr-defined]
    assert fresh.run("SELECT count(*) FROM t")[0][0] == 2


def test_a_database_that_does_not_keep_utf8(postgresql: Service) -> None:
    database = Database(postgresql)
    database.run(
        "DROP DATABASE IF EXISTS latin", "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
    )
    with pytest.raises(DataError, match="LATIN1"):
        open_source(postgresql.url_of("kit", PASSWORD, "latin"), "t")
    database.run("DROP DATABASE latin")
    database.close()


def test_a_url_of_sqlalchemy(fresh: Database) -> None:
    create(fresh, "k int primary key", "(1)")
    for given in (fresh.engine, fresh.engine.url):
        with open_source(given, "t") as source:
            assert source.count() == 1


def test_the_url_may_come_from_the_environment(fresh: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    create(fresh, "k int primary key", "(1)")
    monkeypatch.setenv("DATALAKE_KIT_SOURCE_URL", fresh.service.url)
    with open_source(table="t") as source:
        assert source.count() == 1
    monkeypatch.delenv("DATALAKE_KIT_SOURCE_URL")
    with pytest.raises(ConfigError, match="DATALAKE_KIT_SOURCE_URL"):
        open_source(table="t")
