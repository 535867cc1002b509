"""The framework's table configuration, in every form in which users have it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalake_kit.cdc.odp_config import TableConfig, match, read_config
from datalake_kit.errors import ConfigError, DataError, NotFoundError, ParameterError, UnreadableFileError


def item(number: int = 1, **changed: Any) -> dict[str, Any]:
    """One item as the framework's template has it; None takes an attribute away."""
    whole = {
        "refresh_cadence": "10_min_refresh",
        "source_table_name": f"taxi_trips_table_{number}",
        "hudi_partition_key": "VENDORID",
        "hudi_precombine_field": "CDC_TIMESTAMP_SEQ",
        "hudi_primary_key": "PK_ID",
        "hudi_table_type": "copy_on_write",
        "is_active": "Y",
        "raw_database_name": "odpf_demo_taxi_trips_raw",
        "raw_database_S3_bucket": "raw",
        "raw_table_name": f"table_{number}",
        "table_data_versioning_type": "S",
        "table_storage_type": "hudi",
    }
    return {k: v for k, v in {**whole, **changed}.items() if v is not None}


def typed(one: dict[str, Any]) -> dict[str, Any]:
    return {k: {"N": str(v)} if isinstance(v, int) else {"S": v} for k, v in one.items()}


EXPECTED = TableConfig(
    name="odpf_demo_taxi_trips_raw.table_1",
    source="taxi_trips_table_1",
    keys=("PK_ID",),
    ordering="CDC_TIMESTAMP_SEQ",
    partition_keys=("VENDORID",),
    mode="S",
    storage="hudi",
    table_type="copy_on_write",
    location="s3://raw/table_1",
    cadence="10_min_refresh",
)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([item()]),
        json.dumps({"Items": [item()], "Count": 1, "ScannedCount": 1}),
        json.dumps({"Items": [typed(item())], "Count": 1, "ScannedCount": 1, "ConsumedCapacity": None}),
        json.dumps([typed(item())], indent=2),
        json.dumps(item()),
        json.dumps(typed(item())),
        json.dumps({"Item": typed(item())}),
        "\ufeff" + json.dumps([item()]),
        "\n" + json.dumps(item()) + "\n\n",
    ],
)
def test_exports_are_read_as_they_are(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(text, encoding="utf-8")
    assert list(read_config(tmp_path / "c.json")) == [EXPECTED]
    (tmp_path / "c.json").write_bytes(gzip.compress(text.encode()))
    assert list(read_config(str(tmp_path / "c.json"))) == [EXPECTED]


def test_json_lines_and_folders(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps({"Item": typed(item(n))}) for n in (1, 2))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.json.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "manifest-summary.json").write_text("{}")
    assert [t.name[-7:] for t in read_config(tmp_path)] == ["table_1", "table_2"]
    (tmp_path / "lines.jsonl").write_text(lines)
    assert len(read_config(tmp_path / "lines.jsonl")) == 2


def test_frames_and_lists() -> None:
    assert list(read_config([item()])) == list(read_config({"Items": [item()]})) == list(read_config(item()))
    frame = pd.DataFrame([item(1), item(2, hudi_partition_key=None)])
    assert [t.partition_keys for t in read_config(frame)] == [("VENDORID",), ()]


@given(
    st.lists(st.sampled_from(["ID", "Order No", "É", "a_b"]), min_size=1, unique=True),
    st.sampled_from(["table_data_versioning_type", "glue_table_data_versioning_type"]),
    st.sampled_from(["S", "H", "s", " h "]),
    st.booleans(),
)
def test_keys_and_both_spellings_of_versioning(keys: list[str], name: str, mode: str, is_typed: bool) -> None:
    one = item(hudi_primary_key=" , ".join(keys), table_data_versioning_type=None) | {name: mode}
    found = read_config([typed(one) if is_typed else one])[0]
    assert found.keys == tuple(keys)
    assert found.mode == mode.strip().upper()


def test_what_may_be_absent_or_otherwise() -> None:
    one = item(hudi_partition_key=None, table_storage_type="iceberg", hudi_table_type=None, hudi_precombine_field=None)
    found = read_config([one])[0]
    assert (found.partition_keys, found.storage, found.table_type, found.ordering) == ((), "iceberg", None, None)
    assert read_config([item(hudi_partition_key="A:SIMPLE, B:TIMESTAMP")])[0].partition_keys == ("A", "B")
    assert read_config([item(is_active=None)])[0].active
    both = item(glue_table_data_versioning_type="S")
    assert read_config([both])[0].mode == "S"


def test_inactive_tables_are_left_out_and_said() -> None:
    found = read_config([item(1), item(2, is_active="N", hudi_primary_key=None), item(3, is_active=False)])
    assert [t.source for t in found] == ["taxi_trips_table_1"]
    assert found.inactive == ("taxi_trips_table_2", "taxi_trips_table_3")
    assert found.note == ("Not active in odpf_raw_table_config, so left out: taxi_trips_table_2, taxi_trips_table_3.")
    assert read_config([item()]).note == ""
    with pytest.raises(DataError, match=r"no active table\. Not active: taxi_trips_table_1"):
        read_config([item(is_active="n")])
    with pytest.raises(DataError, match="no active table"):
        read_config([])


def test_one_cadence_is_chosen() -> None:
    items = [item(1), item(2, refresh_cadence="daily"), item(3, refresh_cadence="daily")]
    assert [t.name[-1] for t in read_config(items, cadence="daily")] == ["2", "3"]
    assert len(read_config(items)) == 3
    with pytest.raises(NotFoundError, match=r"no table of cadence .dayly.\. Did you mean daily"):
        read_config(items, cadence="dayly")
    with pytest.raises(DataError, match="Choose one refresh cadence"):
        read_config([item(), item(refresh_cadence="daily")])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"raw_table_name": None}, r"item 2 \(taxi_trips_table_2\): raw_table_name is not there"),
        ({"raw_database_name": " "}, "raw_database_name is empty"),
        ({"hudi_primary_key": None}, "hudi_primary_key is not there"),
        ({"hudi_primary_key": " , "}, "hudi_primary_key names no column"),
        ({"hudi_precombine_field": None}, "hudi_precombine_field is not there"),
        ({"source_table_name": None}, "item 2: source_table_name is not there"),
        ({"is_active": "maybe"}, "is_active is 'maybe', not Y or N"),
        ({"table_data_versioning_type": None}, "or glue_table_data_versioning_type is not there"),
        ({"table_data_versioning_type": "X"}, "table_data_versioning_type is 'X', not S"),
        ({"glue_table_data_versioning_type": "H"}, "say H and S"),
        ({"hudi_primary_key": ["A"]}, r"hudi_primary_key is \['A'\], not text"),
    ],
)
def test_malformed_items_name_item_and_attribute(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_config([item(1), item(2, **changed)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no active table"),
        ("[", r"Line 1 of .*c.json is no JSON"),
        ('{"a": 1}\n{"a"\n', "Line 2 of .* is no JSON"),
        ("[1]", r"item 1 of .*: '1' is no item"),
        ('"text"', "is no item"),
        ('{"a": {"N": "x"}, "b": {"S": "y"}}', "is no typed JSON"),
    ],
)
def test_files_that_are_no_export(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read_config(tmp_path / "c.json")


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="No such file of JSON"):
        read_config(tmp_path / "none.json")
    (tmp_path / "c.json.gz").write_bytes(gzip.compress(b"[]")[:-5])
    with pytest.raises(UnreadableFileError, match="Not JSON"):
        read_config(tmp_path / "c.json.gz")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("taxi_trips_table_1", ("taxi_trips", "table_1")),
        ("TAXI_TRIPS_TABLE_1", ("taxi_trips", "table_1")),
        ("taxi_trips/table_1", ("taxi_trips", "table_1")),
        ("table_10", ("taxi_trips", "table_10")),
        ("orders", ("bucket/Sales", "Orders")),
        ("sales_orders", ("bucket/Sales", "Orders")),
        ("taxi_trips_table_3", None),
        ("trips_table_1", None),
    ],
)
def test_source_tables_are_matched_with_staging_folders(source: str, found: tuple[str, str] | None) -> None:
    staged = [("taxi_trips", "table_1"), ("taxi_trips", "table_10"), ("bucket/Sales", "Orders")]
    assert match(source, staged) == found
    assert read_config([item(source_table_name=source)])[0].staged(staged) == found


def test_a_source_table_that_means_two_folders_is_refused() -> None:
    with pytest.raises(DataError, match=r"means several staging tables: a\.b_c, a_b\.c"):
        match("a_b_c", [("a_b", "c"), ("a", "b_c")])
    with pytest.raises(DataError, match="several"):
        match("t", [("a", "t"), ("b", "t")])
    assert match("a_t", [("a", "t"), ("b", "a_t")]) == ("a", "t")


# --- live


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[str]:
    """A DynamoDB of the test's own process with the configuration, more than one page of it."""
    moto_server = pytest.importorskip("moto.server", reason="moto is not installed")
    import boto3

    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "hush-hush"}
    client = boto3.client("dynamodb", region_name="eu-west-1", endpoint_url=f"http://{host}:{port}", **keys)
    client.create_table(
        TableName="odpf_raw_table_config",
        KeySchema=[
            {"AttributeName": "refresh_cadence", "KeyType": "HASH"},
            {"AttributeName": "source_table_name", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": n, "AttributeType": "S"} for n in ("refresh_cadence", "source_table_name")
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for number in range(1, 19):
        padding = "x" * 100_000  # 18 items are more than the megabyte of one page
        client.put_item(TableName="odpf_raw_table_config", Item=typed(item(number, note=padding)))
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_live_table_is_scanned_to_its_end(dynamodb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    found = read_config(f"dynamodb://odpf_raw_table_config?region=eu-west-1&endpoint={dynamodb}")
    assert sorted(found, key=lambda t: t.name)[0] == EXPECTED
    assert len(found) == 18
    with pytest.raises(ConfigError, match="dynamodb://odpf_raw: there is no such table"):
        read_config(f"dynamodb://odpf_raw?region=eu-west-1&endpoint={dynamodb}")
    with pytest.raises(ConfigError, match="EndpointConnectionError") as caught:
        read_config("dynamodb://odpf_raw_table_config?region=eu-west-1&endpoint=http://127.0.0.1:9")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("address", ["dynamodb://", "dynamodb://t?password=x"])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(ParameterError, match="Write dynamodb://table"):
        read_config(address)
