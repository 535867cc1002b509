"""The Glue catalog of a lake on Athena, by real clients over HTTP: moto's server is Glue and S3 here."""

from __future__ import annotations

import datetime as dt
import io
import json
import logging
import shutil
import urllib.request
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from datalake_kit import errors, hudi
from datalake_kit.engines.athena import AthenaEngine
from datalake_kit.engines.athena.catalog import GlueCatalog
from datalake_kit.engines.athena.java_dates import JavaFormat, moved
from datalake_kit.engines.athena.projection import Projection
from datalake_kit.engines.base import TableName
from datalake_kit.engines.hive import arrow_type, normal_type
from datalake_kit.engines.types import hive_type
from datalake_kit.lake import Lake, connect
from tests.athena_server import Server
from tests.trino.client import TrinoClient

moto_server = pytest.importorskip("moto.server", reason="moto is not installed")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
PARQUET = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
HUDI = "org.apache.hudi.hadoop.HoodieParquetInputFormat"
ADDRESS = "athena://primary?region=us-east-1&output_location=s3://results/"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Clients of an empty S3, but for the bucket `lake`, and of a Glue with the database `taxi`."""
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "hush"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")).close()
    s3, glue = (boto3.client(n, region_name="us-east-1") for n in ("s3", "glue"))
    s3.create_bucket(Bucket="lake")
    glue.create_database(DatabaseInput={"Name": "taxi"})
    return s3, glue


@pytest.fixture
def lake(aws: tuple[Any, Any]) -> Iterator[Lake]:
    with connect(ADDRESS) as opened:
        yield opened


def table(glue: Any, name: str, location: str, **more: Any) -> None:
    """Register a table of one bigint column."""
    storage = {
        "Columns": [{"Name": n, "Type": t} for n, t in more.get("columns", {"n": "bigint"}).items()],
        "Location": location,
        "InputFormat": more.get("reader", PARQUET),
    }
    glue.create_table(
        DatabaseName=more.get("database", "taxi"),
        TableInput={
            "Name": name,
            "TableType": more.get("kind", "EXTERNAL_TABLE"),
            "Parameters": more.get("parameters", {}),
            "StorageDescriptor": storage,
            "PartitionKeys": [{"Name": k, "Type": t} for k, t in more.get("keys", {}).items()],
        },
    )


def partition(glue: Any, name: str, values: list[str], location: str) -> None:
    storage = {"Columns": [], "Location": location, "InputFormat": PARQUET}
    glue.create_partition(
        DatabaseName="taxi", TableName=name, PartitionInput={"Values": values, "StorageDescriptor": storage}
    )


def put(s3: Any, *keys: str) -> None:
    """Put a Parquet file of two rows under each key."""
    body = io.BytesIO()
    pq.write_table(pa.table({"n": [1, 2]}), body)
    for key in keys:
        s3.put_object(Bucket="lake", Key=key, Body=body.getvalue())


def unpack(data: Path, name: str, target: Path) -> Path:
    """Unpack one of the stored Hudi tables, and return its folder."""
    with zipfile.ZipFile(data / "hudi" / f"{name}.zip") as packed:
        packed.extractall(target, [m for m in packed.namelist() if "__MACOSX" not in m and "/._" not in m])
    return next(p.parent for p in target.rglob("hoodie.properties")).parent


def put_hudi(s3: Any, folder: Path) -> str:
    """Put a Hudi table on S3, its metadata table left out, and return its place."""
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        key = file.relative_to(folder).as_posix()
        if not key.startswith(".hoodie/metadata/"):
            s3.put_object(Bucket="lake", Key=f"fed/{key}", Body=file.read_bytes())
    return "s3://lake/fed"


def catalog_of(lake: Lake) -> GlueCatalog:
    assert isinstance(lake.engine, AthenaEngine)
    return lake.engine.catalog


def glue_of(lake: Lake) -> Any:
    """The client by which a lake asks Glue."""
    return catalog_of(lake).session.client("glue")


def files_of(lake: Lake, name: str) -> list[str]:
    return [str(f) for f in lake.table(name).files()]


def test_tables_are_listed_as_on_a_folder(lake: Lake, aws: tuple[Any, Any], tmp_path: Path) -> None:
    _, glue = aws
    for name in ("zones", "a_b", "ab", "Trips"):
        folder = tmp_path / "taxi" / name.lower()
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"n": [1]}), folder / "part.parquet")
        table(glue, name.lower(), f"s3://lake/taxi/{name.lower()}/")
    with connect(tmp_path) as local:
        same = ["database", "table", "format"]
        assert lake.tables()[same].to_numpy().tolist() == local.tables()[same].to_numpy().tolist()
    assert lake.tables("TAXI")["location"].tolist()[0] == "s3://lake/taxi/a_b/"


def test_every_kind_of_table_is_told_apart(lake: Lake, aws: tuple[Any, Any]) -> None:
    _, glue = aws
    table(glue, "a_view", "", kind="VIRTUAL_VIEW")
    table(glue, "b_iceberg", "s3://lake/i/", parameters={"table_type": "ICEBERG", "metadata_location": "s3://lake/m"})
    table(glue, "c_hudi", "s3://lake/h/", reader=HUDI)
    table(glue, "d_hudi_of_spark", "s3://lake/h2/", parameters={"spark.sql.sources.provider": "hudi"})
    table(glue, "e_delta", "s3://lake/d/", parameters={"spark.sql.sources.provider": "delta"})
    table(glue, "f_csv", "s3://lake/c/", reader="org.apache.hadoop.mapred.TextInputFormat")
    table(glue, "g_parquet", "s3://lake/p/")
    listed = lake.tables("taxi")
    assert dict(zip(listed["table"], listed["format"], strict=True)) == {
        "a_view": "view",
        "b_iceberg": "iceberg",
        "c_hudi": "hudi",
        "d_hudi_of_spark": "hudi",
        "e_delta": "other",
        "f_csv": "other",
        "g_parquet": "parquet",
    }
    assert lake.table("taxi.a_view").location == ""
    assert [c.name for c in lake.table("taxi.a_view").columns] == ["n"]
    for name, said in [("a_view", "a view"), ("b_iceberg", "Iceberg"), ("e_delta", "Delta")]:
        with pytest.raises(errors.EngineError, match=f"{said}.*SQL"):
            lake.table(f"taxi.{name}").files()


def test_types_are_spelled_as_those_of_files(lake: Lake, aws: tuple[Any, Any]) -> None:
    written = {
        "a": "INTEGER",
        "b": "decimal",
        "c": "struct<X:int, y : array< map<string, decimal(5, 2)>>>",
        "d": "char( 3 )",
        "e": "timestamp",
    }
    table(aws[1], "typed", "s3://lake/t/", columns=written, keys={"Day": "DATE"})
    told = [(c.name, c.type, c.is_partition) for c in lake.table("taxi.typed").columns]
    assert told == [
        ("a", "int", False),
        ("b", "decimal(10,0)", False),
        ("c", "struct<X:int,y:array<map<string,decimal(5,2)>>>", False),
        ("d", "char(3)", False),
        ("e", "timestamp", False),
        ("day", "date", True),
    ]


_LEAVES = st.sampled_from(
    [pa.bool_(), pa.int8(), pa.int64(), pa.float32(), pa.string(), pa.binary(), pa.date32(), pa.timestamp("us")]
) | st.integers(1, 38).flatmap(lambda p: st.integers(0, p).map(lambda s: pa.decimal128(p, s)))
_NAMES = st.text(st.characters(exclude_characters=":,<>", exclude_categories=("C", "Z")), min_size=1, max_size=5)


def _nested(inner: st.SearchStrategy[pa.DataType]) -> st.SearchStrategy[pa.DataType]:
    members = st.dictionaries(_NAMES, inner, min_size=1, max_size=3)
    return (
        inner.map(pa.list_)
        | st.tuples(inner, inner).map(lambda pair: pa.map_(*pair))
        | members.map(lambda m: pa.struct(list(m.items())))
    )


@given(st.recursive(_LEAVES, _nested, max_leaves=6))
def test_a_type_comes_back_from_the_text_of_the_catalog(kind: pa.DataType) -> None:
    assert arrow_type(hive_type(kind)) == kind
    assert normal_type(hive_type(kind).replace(",", " , ").replace("<", " < ")) == hive_type(kind)


@given(st.text(max_size=30) | st.text(st.sampled_from("arymapstuc<>:,() 12int"), max_size=30))
def test_any_text_is_a_type_or_an_error(text: str) -> None:
    try:
        kind = arrow_type(text)
    except errors.DataError:
        normal_type(text)
        return
    assert arrow_type(normal_type(text)) == kind


# --- partitions


def test_partitions_are_listed_over_all_pages_with_their_values(lake: Lake, aws: tuple[Any, Any]) -> None:
    _, glue = aws
    table(glue, "many", "s3://lake/many/", keys={"id": "int", "Name": "string"})
    inputs = [
        {"Values": [str(i), "x y"], "StorageDescriptor": {"Columns": [], "Location": f"s3://lake/many/{i:04}"}}
        for i in range(1203)
    ]
    for i in range(0, len(inputs), 100):
        glue.batch_create_partition(DatabaseName="taxi", TableName="many", PartitionInputList=inputs[i : i + 100])
    found = catalog_of(lake).partitions(TableName("TAXI", "Many"))
    assert len(found) == 1203
    assert found[7].values == {"id": "7", "name": "x y"}
    assert found[7].location == "s3://lake/many/0007"


def test_files_lie_where_the_partitions_say(lake: Lake, aws: tuple[Any, Any]) -> None:
    s3, glue = aws
    table(glue, "trips", "s3://lake/trips/", keys={"day": "string"})
    put(
        s3,
        "trips/day=1/a.parquet",
        "trips/day=2/b.parquet",
        "elsewhere/deep/c.parquet",
        "trips/day=1/_hidden/d.parquet",
    )
    partition(glue, "trips", ["1"], "s3://lake/trips/day=1")
    partition(glue, "trips", ["__HIVE_DEFAULT_PARTITION__"], "s3://lake/elsewhere/")
    assert files_of(lake, "taxi.trips") == ["s3://lake/elsewhere/deep/c.parquet", "s3://lake/trips/day=1/a.parquet"]
    catalog = catalog_of(lake)
    sizes = catalog.partition_bytes(TableName("taxi", "trips"))
    assert [p.values["day"] for p, _ in sizes] == [None, "1"]
    assert sum(size for _, size in sizes) == catalog.table_bytes(TableName("taxi", "trips"))
    assert all(size for _, size in sizes)


PROJECTED = {
    "projection.enabled": "true",
    "projection.Day.type": "date",
    "projection.Day.range": "2026/01/30,2026/02/02",
    "projection.Day.format": "yyyy/MM/dd",
    "projection.kind.type": "enum",
    "projection.kind.values": "green,yellow",
    "projection.hour.type": "integer",
    "projection.hour.range": "0,23",
    "projection.hour.digits": "2",
    "projection.hour.interval": "6",
    "storage.location.template": "s3://lake/p/${kind}/${Day}/h${hour}",
}


def test_projected_partitions_are_those_that_exist_and_are_projected(lake: Lake, aws: tuple[Any, Any]) -> None:
    s3, glue = aws
    keys = {"day": "string", "kind": "string", "hour": "int"}
    table(glue, "projected", "s3://lake/none/", keys=keys, parameters=PROJECTED)
    there = [
        "p/green/2026/01/30/h00/a.parquet",
        "p/green/2026/01/31/h06/deep/b.parquet",
        "p/yellow/2026/02/02/h18/c.parquet",
    ]
    not_there = [
        "p/green/2026/01/29/h00/early.parquet",
        "p/green/2026/02/03/h00/late.parquet",
        "p/red/2026/01/30/h00/no_value.parquet",
        "p/green/2026/01/30/h01/between.parquet",
        "p/green/2026/01/30/h6/no_digits.parquet",
        "p/green/2026/1/30/h00/no_date.parquet",
        "p/green/2026/02/30/h00/no_day.parquet",
        "p/green/2026/01/30/h00/_hidden.parquet",
        "p/greener/2026/01/30/h00/other.parquet",
    ]
    put(s3, *there, *not_there)
    catalog = catalog_of(lake)
    assert files_of(lake, "taxi.projected") == [f"s3://lake/{k}" for k in there]
    assert catalog.partitions(TableName("taxi", "projected"))[1].values == {
        "day": "2026/01/31",
        "kind": "green",
        "hour": "06",
    }


def test_an_injected_column_and_the_default_template(lake: Lake, aws: tuple[Any, Any]) -> None:
    s3, glue = aws
    more = {"projection.enabled": "TRUE", "projection.device.type": "injected"}
    table(glue, "injected", "s3://lake/inj/", keys={"device": "string"}, parameters=more)
    put(s3, "inj/device=a-1/x.parquet", "inj/other/y.parquet")
    assert files_of(lake, "taxi.injected") == ["s3://lake/inj/device=a-1/x.parquet"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"projection.Day.type": ""}, "must be enum"),
        ({"projection.Day.type": "word"}, "is word"),
        ({"projection.Day.format": "yyyy-QQ"}, "'Q'"),
        ({"projection.Day.format": "yyyy'"}, "quotation"),
        ({"projection.Day.range": "2026/01/30"}, "cannot be used"),
        ({"projection.Day.range": "soon,NOW"}, "'soon'"),
        ({"projection.hour.range": "a,b"}, "cannot be used"),
        ({"projection.hour.interval": "0"}, "must be 1"),
        ({"storage.location.template": "s3://lake/p/${kind}/"}, "not every partition column"),
    ],
)
def test_a_projection_that_cannot_be_used_is_named(change: dict[str, str], said: str) -> None:
    entry = {
        "PartitionKeys": [{"Name": k} for k in ("day", "kind", "hour")],
        "Parameters": {k: v for k, v in (PROJECTED | change).items() if v},
    }
    with pytest.raises(errors.EngineError, match=said):
        Projection.read("taxi.t", entry)


def test_a_range_may_end_now() -> None:
    today = dt.datetime.now(dt.UTC)
    more = {"projection.Day.range": "NOW-2DAYS,NOW", "projection.Day.format": "yyyy-MM-dd"}
    entry = {
        "PartitionKeys": [{"Name": "day"}],
        "Parameters": {**PROJECTED, **more, "storage.location.template": "s3://lake/${day}"},
    }
    projection = Projection.read("taxi.t", entry)
    fits = [bool(projection.partition_of(f"s3://lake/{today + dt.timedelta(days=d):%Y-%m-%d}/a")) for d in range(-3, 2)]
    assert fits == [False, True, True, True, False]


@given(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC)))
def test_dates_of_java_are_read_back(moment: dt.datetime) -> None:
    for java, python in [
        ("yyyy/MM/dd", "%Y/%m/%d"),
        ("yyyyMMddHH", "%Y%m%d%H"),
        ("dd-MMM-yyyy", "%d-%b-%Y"),
        ("yyyy-MM-dd'T'HH:mm:ss", "%Y-%m-%dT%H:%M:%S"),
    ]:
        shape = JavaFormat(java)
        assert shape.read(moment.strftime(python).zfill(0)) == shape.cut(moment)
    assert moved(moment, 1).month == moment.month % 12 + 1


# --- Hudi


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ("cow/v6_nonpartitioned", ""),
        ("cow/v8_nonpartitioned", "version 8"),
        ("cow/v9_txns_simple_nometa", "version 9"),
        ("mor/v6_trips_8i1u", "merge-on-read"),
        ("mor/v9_txns_simple_nometa", "version 9"),
    ],
)
def test_a_hudi_table_that_sql_may_not_show_whole_is_said_once(
    lake: Lake, aws: tuple[Any, Any], data: Path, tmp_path: Path, stored: str, said: str
) -> None:
    table(aws[1], "fed", put_hudi(aws[0], unpack(data, stored, tmp_path)), reader=HUDI)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        hudi.count(lake, "taxi.fed")
        hudi.read(lake, "taxi.fed")
        assert not caught
        lake.table("taxi.fed")
        lake.table("taxi.fed")
    told = [str(w.message) for w in caught]
    assert len(told) == bool(said)
    assert all(said in t and "dk.hudi" in t for t in told)
    assert {w.category for w in caught} <= {errors.AthenaHudiWarning}


def test_a_hudi_table_is_said_once_when_sql_reads_it(
    lake: Lake, aws: tuple[Any, Any], data: Path, tmp_path: Path
) -> None:
    table(aws[1], "fed", put_hudi(aws[0], unpack(data, "cow/v8_nonpartitioned", tmp_path)), reader=HUDI)
    aws[0].create_bucket(Bucket="results")
    with pytest.warns(errors.AthenaHudiWarning, match=r"taxi\.fed is a Hudi table of version 8"):
        lake.sql("SELECT 1 AS one FROM TAXI.fed")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lake.sql("WITH a AS (SELECT * FROM taxi.fed) SELECT 1 AS one FROM a, taxi.gone")  # nothing is said of gone


def test_a_real_time_table_is_read_whole_by_sql(lake: Lake, aws: tuple[Any, Any], data: Path, tmp_path: Path) -> None:
    place = put_hudi(aws[0], unpack(data, "mor/v6_trips_8i1u", tmp_path))
    table(aws[1], "fed_rt", place, reader="org.apache.hudi.hadoop.realtime.HoodieParquetRealtimeInputFormat")
    table(aws[1], "fed_ro", place, reader=HUDI)
    lake.table("taxi.fed_rt")
    lake.table("taxi.fed_ro")  # its name says what it leaves out


@pytest.mark.parametrize("stored", ["cow/v6_simplekeygen_nonhivestyle", "mor/v8_trips_8i3u1d"])
def test_hudi_of_athena_is_read_from_s3(
    lake: Lake, aws: tuple[Any, Any], data: Path, tmp_path: Path, stored: str
) -> None:
    folder = tmp_path / "local" / "taxi" / "fed"
    folder.parent.mkdir(parents=True)
    shutil.move(unpack(data, stored, tmp_path), folder)
    table(aws[1], "fed", put_hudi(aws[0], folder), reader=HUDI)
    with connect(tmp_path / "local") as local:
        moments = hudi.timeline(local, "taxi.fed")
        first = str(moments["instant"].iloc[0])
        for instant in (None, first):
            here = hudi.read(local, "taxi.fed", as_of=instant, arrow=True)
            there = hudi.read(lake, "taxi.fed", as_of=instant, arrow=True)
            assert there.equals(here)
            assert hudi.count(lake, "taxi.fed", as_of=instant) == here.num_rows
        assert hudi.timeline(lake, "taxi.fed").equals(moments)
        changed = hudi.changes(local, "taxi.fed", since=first)
        assert hudi.changes(lake, "taxi.fed", since=first).equals(changed)


# --- asking


def test_few_requests_are_made(lake: Lake, aws: tuple[Any, Any]) -> None:
    for i in range(3):
        aws[1].create_database(DatabaseInput={"Name": f"other_{i}"})
    table(aws[1], "trips", "s3://lake/trips/")
    glue = glue_of(lake)
    asked: list[str] = []
    glue.meta.events.register("before-call.glue", lambda model, **_: asked.append(model.name))
    lake.table("taxi.trips")
    assert asked == ["GetTable"]
    asked.clear()
    assert lake.tables("taxi")["table"].tolist() == ["trips"]
    assert lake.tables.taxi.trips.name == "taxi.trips"
    assert "GetDatabases" not in asked
    asked.clear()
    catalog = catalog_of(lake)
    with catalog.one_statement():
        for _ in range(3):
            catalog.describe(TableName("taxi", "Trips"))
            catalog.table_bytes(TableName("TAXI", "trips"))
    assert asked == ["GetTable"]


def test_what_is_not_there_names_the_nearest(lake: Lake, aws: tuple[Any, Any]) -> None:
    table(aws[1], "trips", "s3://lake/trips/")
    with pytest.raises(errors.TableNotFoundError, match="Did you mean trips"):
        lake.table("taxi.trip")
    for ask in (lambda: lake.table("taxy.trips"), lambda: lake.tables("taxy"), lambda: lake.tables["taxy"]):
        with pytest.raises(errors.DatabaseNotFoundError, match="Did you mean taxi"):
            ask()


def test_a_missing_permission_is_named(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import ClientError

    glue = glue_of(lake)

    def refuse(model: Any, **_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, model.name)

    glue.meta.events.register("before-call.glue", refuse)
    asks: list[tuple[Callable[[], Any], str]] = [
        (lambda: lake.table("taxi.trips"), "glue:GetTable"),
        (lake.tables, "glue:GetDatabases"),
        (lambda: lake.tables("taxi"), "glue:GetDatabase"),
    ]
    for ask, permission in asks:
        with pytest.raises(errors.EngineError, match=permission) as caught:
            ask()
        assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("catalog", "sent"),
    [
        ("awsdatacatalog", None),
        ("123456789012", "123456789012"),
        ("s3tablescatalog/points", "123456789012:s3tablescatalog/points"),
        ("theirs", "210987654321"),
    ],
)
def test_another_catalog_is_passed_on(aws: tuple[Any, Any], catalog: str, sent: str | None) -> None:
    boto3.client("athena", region_name="us-east-1").create_data_catalog(
        Name="theirs", Type="GLUE", Parameters={"catalog-id": "210987654321"}
    )
    with connect(f"{ADDRESS}&catalog={catalog}") as lake:
        asked: list[Any] = []
        glue = glue_of(lake)
        glue.meta.events.register(
            "before-parameter-build.glue", lambda params, **_: asked.append(params.get("CatalogId"))
        )
        lake.tables()
        assert set(asked) == {sent}


def test_a_catalog_outside_glue_says_so(aws: tuple[Any, Any]) -> None:
    boto3.client("athena", region_name="us-east-1").create_data_catalog(
        Name="hbase", Type="LAMBDA", Parameters={"function": "arn"}
    )
    with connect(f"{ADDRESS}&catalog=hbase") as lake, pytest.raises(errors.ConfigError, match=r"LAMBDA.*lake.sql"):
        lake.tables()


def test_an_iceberg_table_tells_its_size(lake: Lake, aws: tuple[Any, Any]) -> None:
    s3, glue = aws
    snapshots = [{"snapshot-id": i, "summary": {"total-files-size": str(size)}} for i, size in [(1, 5), (2, 700)]]
    content = {"current-snapshot-id": 2, "snapshots": snapshots}
    s3.put_object(Bucket="lake", Key="i/metadata/2.json", Body=json.dumps(content))
    more = {"table_type": "ICEBERG", "metadata_location": "s3://lake/i/metadata/2.json"}
    table(glue, "ice", "s3://lake/i/", parameters=more)
    table(glue, "unread", "s3://lake/i/", parameters=more | {"metadata_location": "s3://lake/gone.json"})
    table(glue, "seen", "", kind="VIRTUAL_VIEW")
    sizes = [catalog_of(lake).table_bytes(TableName("taxi", n)) for n in ("ice", "unread", "seen")]
    assert sizes == [700, None, None]


def test_parameters_of_a_table_are_shown(lake: Lake, aws: tuple[Any, Any]) -> None:
    table(aws[1], "trips", "s3://lake/trips/", parameters={"classification": "parquet"})
    assert lake.table("taxi.trips").parameters["classification"] == "parquet"


@pytest.mark.external
def test_a_real_iceberg_table_is_read_by_sql_and_said_to_be_one(athena: Server, tmp_path: Path) -> None:
    name = f"ice_{tmp_path.name}".lower().translate({ord(c): "_" for c in "[]-"})
    if "catalogued" not in [d["Name"] for d in athena.client("glue").get_databases()["DatabaseList"]]:
        athena.client("glue").create_database(DatabaseInput={"Name": "catalogued"})
    made = f"CREATE TABLE iceberg.catalogued.{name} WITH (location = 's3://lake/{name}') AS SELECT 1 AS n"
    TrinoClient(athena.trino_url).run(made)
    with connect("athena://primary?region=us-east-1") as lake:
        known = lake.table(f"catalogued.{name}")
        assert (known.format, [(c.name, c.type) for c in known.columns]) == ("iceberg", [("n", "int")])
        assert lake.sql(f"SELECT n FROM catalogued.{name}")["n"].tolist() == [1]
        size = catalog_of(lake).table_bytes(TableName("catalogued", name))
        assert size is not None
        assert size > 100
        with pytest.raises(errors.EngineError, match=r"Iceberg.*SQL"):
            known.files()
