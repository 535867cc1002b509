"""Properties, instants, log files and Avro schemas of Hudi, in the small."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalake_kit.errors import HudiError, UnreadableFileError
from datalake_kit.hudi.avro_schema import arrow_schema
from datalake_kit.hudi.commits import load_timeline
from datalake_kit.hudi.instants import to_datetime, to_instant
from datalake_kit.hudi.logformat import archived_records, read_blocks
from datalake_kit.hudi.properties import is_hudi_table, parse_properties, read_properties
from tests.replication import odp_table, public_table


def test_properties_with_escapes_and_continuations() -> None:
    text = '# a comment\n! another\nkey = value\nschema={"a"\\:"b\\=c"}\nlong=one\\\n   two\nempty=\nu=\\u00e9\\t.\n'
    assert parse_properties(text) == {
        "key": "value",
        "schema": '{"a":"b=c"}',
        "long": "onetwo",
        "empty": "",
        "u": "é\t.",
    }


def test_properties_of_a_table() -> None:
    table = read_properties(odp_table("tables/v8_table_10_history"))
    assert table.record_keys == ("PK_ID", "CDC_TIMESTAMP_SEQ")
    assert (table.version, table.has_new_layout, table.merge_mode) == (8, True, "EVENT_TIME_ORDERING")
    assert read_properties(odp_table("tables/v6_table_10_mor")).merge_mode == "COMMIT_TIME_ORDERING"
    assert is_hudi_table(table.folder)
    assert not is_hudi_table(table.folder.parent)


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1)))
def test_instants_come_back_to_the_millisecond(moment: datetime) -> None:
    told = to_datetime(to_instant(moment))
    assert told == moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)


def test_instants_that_are_none() -> None:
    assert to_datetime(None) is None
    assert to_datetime("00000000000000000") is None
    assert to_datetime("20261123") is None


def test_blocks_of_a_rolled_back_log_file() -> None:
    table = public_table("mor/v6_nonpartitioned_rollback")
    blocks = {f.name[-15:]: list(read_blocks(f)) for f in table.glob(".*.log.*") if f.suffix != ".crc"}
    assert sorted((b.type, b.instant) for found in blocks.values() for b in found) == [
        (0, "20250126040936578"),
        (5, "20250126040826878"),
        (5, "20250126060846931"),
    ]


def test_a_log_file_cut_anywhere_is_noticed(tmp_path: Path) -> None:
    source = next(odp_table("tables/v6_table_10_mor").glob("VENDORID=1/.*log.1*"))
    whole = source.read_bytes()
    cut = tmp_path / "log"
    for length in (1, 5, 6, 13, 14, 20, 100, len(whole) - 1):
        cut.write_bytes(whole[:length])
        with pytest.raises(UnreadableFileError, match="log file"):
            list(read_blocks(cut))
    with pytest.raises(UnreadableFileError, match="Cannot read"):
        list(read_blocks(tmp_path / "gone"))


def test_archived_instants_are_those_of_the_archive() -> None:
    file = odp_table("tables/v6_table_10_cleaned") / ".hoodie" / "archived" / ".commits_.archive.1_1-0-1"
    assert {r["commitTime"] for r in archived_records(file)} == {"20261123220347163", "20261123220349104"}


@pytest.mark.parametrize("name", ["tables/v6_table_10_cleaned", "tables/v8_table_10_cleaned"])
def test_a_timeline_with_its_archive_is_whole(name: str) -> None:
    known = load_timeline(odp_table(name))
    assert len(known.commits) == 9
    assert sum(c.total("inserts") - c.total("deletes") for c in known.commits) == 2003
    assert known.retained_from == known.newest
    assert sum(c.instant.archived for c in known.commits) == 6


def test_arrow_types_of_an_avro_schema() -> None:
    optional = {
        "i": "int",
        "d": {"type": "fixed", "name": "f", "size": 5, "logicalType": "decimal", "precision": 10, "scale": 5},
        "t": {"type": "long", "logicalType": "timestamp-micros"},
        "l": {"type": "array", "items": ["null", "string"]},
        "m": {"type": "map", "values": ["null", "double"]},
        "r": {"type": "record", "name": "inner", "fields": [{"name": "x", "type": ["null", "boolean"]}]},
        "again": "inner",
        "raw": {"type": "fixed", "name": "g", "size": 4},
    }
    fields = [{"name": n, "type": ["null", t]} for n, t in optional.items()]
    inner = pa.struct([("x", pa.bool_())])
    assert arrow_schema(json.dumps({"type": "record", "name": "row", "fields": fields})) == pa.schema(
        [
            ("i", pa.int32()),
            ("d", pa.decimal128(10, 5)),
            ("t", pa.timestamp("us", tz="UTC")),
            ("l", pa.list_(pa.string())),
            ("m", pa.map_(pa.string(), pa.float64())),
            ("r", inner),
            ("again", inner),
            ("raw", pa.binary(4)),
        ]
    )


@pytest.mark.parametrize("kind", ["strange", ["null", "int", "string"]])
def test_types_that_are_not_known_are_refused(kind: object) -> None:
    with pytest.raises(HudiError, match="type"):
        arrow_schema(json.dumps({"type": "record", "name": "row", "fields": [{"name": "a", "type": kind}]}))


def test_properties_that_cannot_be_read(tmp_path: Path) -> None:
    table = shutil.copytree(odp_table("tables/v6_table_5_global"), tmp_path / "table")
    (table / ".hoodie" / "hoodie.properties").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UnreadableFileError, match=r"hoodie\.properties"):
        read_properties(table)
