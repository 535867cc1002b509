"""A lake folder put on S3 and into Glue, as its pipelines would have done it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote

PARQUET = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
}
HUDI = {**PARQUET, "InputFormat": "org.apache.hudi.hadoop.HoodieParquetInputFormat"}
HUDI_COLUMNS = (
    "_hoodie_commit_time", "_hoodie_commit_seqno", "_hoodie_record_key", "_hoodie_partition_path", "_hoodie_file_name",
)  # fmt: skip
BUCKET = "lake"


def register(folder: Path, url: str, *, bucket: str = BUCKET, keys: Mapping[str, str] | None = None) -> list[str]:
    """Upload every table of a lake folder, register it in Glue, and return the names."""
    import boto3

    from datalake_kit.lake import connect

    given = keys or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    s3, glue = (boto3.client(name, endpoint_url=url, region_name="us-east-1", **given) for name in ("s3", "glue"))
    upload(folder, s3, bucket)
    names = []
    with connect(folder) as lake:
        for database in lake.engine.databases():
            glue.create_database(DatabaseInput={"Name": database.lower()})
            for listed in lake.engine.tables(database):
                table = lake.table(str(listed.name))
                _create(glue, table, Path(table.location), f"s3://{bucket}/{database}/{listed.name.table}")
                names.append(table.name.lower())
    return names


def upload(folder: Path, s3: Any, bucket: str, prefix: str = "") -> None:
    """Put every file of a folder on S3, satellite files left out: they are read as files, not as a table."""
    files = sorted(f for f in folder.rglob("*") if f.is_file() and "satellite" not in f.relative_to(folder).parts)

    def put(file: Path) -> None:
        s3.put_object(Bucket=bucket, Key=prefix + file.relative_to(folder).as_posix(), Body=file.read_bytes())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, files))


def _create(glue: Any, table: Any, folder: Path, location: str) -> None:
    hudi = table.format == "hudi"
    keys = [{"Name": c.name.lower(), "Type": c.type} for c in table.columns if c.is_partition]
    columns = [{"Name": c.name.lower(), "Type": c.type} for c in table.columns if not c.is_partition]
    if hudi:
        columns = [{"Name": name, "Type": "string"} for name in HUDI_COLUMNS] + columns
    storage = {"Columns": columns, "Location": location, **(HUDI if hudi else PARQUET)}
    glue.create_table(
        DatabaseName=table.database.lower(),
        TableInput={
            "Name": table.table.lower(),
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE", **({"spark.sql.sources.provider": "hudi"} if hudi else {})},
            "StorageDescriptor": storage,
            "PartitionKeys": keys,
        },
    )
    if keys:
        _add_partitions(glue, table, folder, location, storage, len(keys))


def _add_partitions(glue: Any, table: Any, folder: Path, location: str, storage: Any, depth: int) -> None:
    found = {f.parent.relative_to(folder).as_posix() for f in folder.rglob("*.parquet") if ".hoodie" not in f.parts}
    inputs = []
    for path in sorted(found):
        parts = path.split("/")[-depth:]
        values = [unquote(part.partition("=")[2] or part) for part in parts]
        inputs.append({"Values": values, "StorageDescriptor": {**storage, "Location": f"{location}/{path}"}})
    for start in range(0, len(inputs), 100):
        glue.batch_create_partition(
            DatabaseName=table.database.lower(),
            TableName=table.table.lower(),
            PartitionInputList=inputs[start : start + 100],
        )
