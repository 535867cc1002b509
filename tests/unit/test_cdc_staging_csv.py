"""CSV staging: what DMS writes comes back as it was, and what is broken is named with its line."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit.cdc import csv_convert
from datalake_kit.cdc.dms import CHANGE, FULL_LOAD, DmsFile, files, list_dms_files
from datalake_kit.cdc.settings import DmsSettings
from datalake_kit.cdc.spool import Spool
from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError, UnreadableFileError

LOAD, FIRST = "LOAD00000001.csv", "20260301-100000000.csv"
NAMED = DmsSettings(columns={"s.t": ["ID", "NAME"]})
Rows = list[tuple[str | None, ...]]


@pytest.fixture
def spool() -> Iterator[Spool]:
    with Spool() as opened:
        yield opened


def _staged(folder: Path, **contents: bytes) -> list[DmsFile]:
    """Write files of table s.t (name without .csv: its content) and list them."""
    for name, content in contents.items():
        target = folder / "s" / "t" / name.replace("__", "-").replace("_csv", ".csv").replace("change", "20260301")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return list_dms_files(folder)


def _one(folder: Path, name: str, content: bytes, how: DmsSettings, spool: Spool) -> tuple[list[str], Rows]:
    """Columns and rows of one file of table s.t."""
    (folder / "s" / "t").mkdir(parents=True, exist_ok=True)
    (folder / "s" / "t" / name).write_bytes(content)
    found = [f for f in list_dms_files(folder, how) if f.path.name == name]
    table = pq.read_table(spool.parquet(found, how)[0])
    return table.column_names, list(zip(*(c.to_pylist() for c in table.columns), strict=True))


def test_csv_without_a_header_has_the_columns_that_are_named(tmp_path: Path, spool: Spool) -> None:
    names, rows = _one(tmp_path, LOAD, b"1,Smith\n2,NULL\n", NAMED, spool)
    assert (names, rows) == (["ID", "NAME"], [("1", "Smith"), ("2", None)])
    names, rows = _one(tmp_path, FIRST, b"I,3,Jones\nD,1,Smith\n", NAMED, spool)
    assert (names, rows) == (["Op", "ID", "NAME"], [("I", "3", "Jones"), ("D", "1", "Smith")])


def test_the_operation_of_a_full_load_is_a_column_of_its_own(tmp_path: Path, spool: Spool) -> None:
    assert _one(tmp_path, LOAD, b"I,1,Smith\n", NAMED, spool) == (["Op", "ID", "NAME"], [("I", "1", "Smith")])


@pytest.mark.parametrize("known", [["Op", "ID", "NAME"], ["op", "ID", "NAME"]])
def test_the_operation_may_be_among_the_named_columns(known: list[str], tmp_path: Path, spool: Spool) -> None:
    assert _one(tmp_path, FIRST, b"U,1,x\n", DmsSettings(columns={"T": known}), spool) == (known, [("U", "1", "x")])


def test_a_word_for_the_operation_may_stand_beside_it(tmp_path: Path, spool: Spool) -> None:
    """The framework's own column CDC_OPERATION is one of the table's; Op comes before it in change files alone."""
    how = DmsSettings(columns={"t": ["ID", "CDC_OPERATION"]})
    assert _one(tmp_path, LOAD, b"1,\n", how, spool)[0] == ["ID", "CDC_OPERATION"]
    assert _one(tmp_path, FIRST, b"U,1,UPDATE\n", how, spool) == (["Op", "ID", "CDC_OPERATION"], [("U", "1", "UPDATE")])
    more = DmsSettings(columns={"t": ["ID", "CDC_OPERATION", "NEW"]})
    with pytest.raises(DataError, match="gives 3 names for the other 2"):  # I is no ID
        _one(tmp_path, "20260302-100000000.csv", b"I,1,INSERT\n", more, spool)


def test_a_full_load_lacks_the_operation_among_the_named_columns(tmp_path: Path, spool: Spool) -> None:
    how = DmsSettings(columns={"t": ["Op", "ID", "NAME"]}, timestamp="TS")
    assert _one(tmp_path, LOAD, b"1,x\n", how, spool)[0] == ["ID", "NAME"]
    assert _one(tmp_path, "LOAD00000002.csv", b"I,1,x\n", how, spool)[0] == ["Op", "ID", "NAME"]
    timed = b"U,2026-03-01 10:00:00.000000,1,x\n"
    assert _one(tmp_path, FIRST, timed, how, spool)[0] == ["Op", "TS", "ID", "NAME"]


def test_columns_that_came_later_have_a_list_of_their_own(tmp_path: Path, spool: Spool) -> None:
    how = DmsSettings(columns={"t": [["ID", "NAME"], ["ID", "NAME", "NEW"]]})
    assert _one(tmp_path, LOAD, b"1,x\n", how, spool)[0] == ["ID", "NAME"]
    assert _one(tmp_path, FIRST, b"I,1,x\n", how, spool)[0] == ["Op", "ID", "NAME"]
    second = "20260302-100000000.csv"
    assert _one(tmp_path, second, b"I,1,x,y\n", how, spool)[0] == ["Op", "ID", "NAME", "NEW"]
    with pytest.raises(DataError, match=r"of 2, 3 names\) none fit"):
        _one(tmp_path, "LOAD00000002.csv", b"1\n", how, spool)
    third = DmsSettings(columns={"t": [["ID"], ["I", "ID"]]}, inserts_only=True)
    with pytest.raises(DataError, match=r"of 1, 2 names\) 2 fit"):
        _one(tmp_path, "20260303-100000000.csv", b"I,1\n", third, spool)


def test_columns_may_come_from_a_function(tmp_path: Path, spool: Spool) -> None:
    asked = []

    def columns(schema: str, table: str) -> Sequence[str] | None:
        asked.append((schema, table))
        return ("A", "B")

    assert _one(tmp_path, LOAD, b"1,2\n", DmsSettings(columns=columns), spool)[0] == ["A", "B"]
    assert set(asked) == {("s", "t")}


@pytest.mark.parametrize(
    ("row", "names"),
    [
        (b"I,2026-03-01 10:00:00.000000,1,x\n", ["Op", "TS", "ID", "NAME"]),
        (b"I,1,x,2026-03-01 10:00:00.000000\n", ["Op", "ID", "NAME", "TS"]),
    ],
)
def test_the_place_of_the_timestamp_is_found_out(row: bytes, names: list[str], tmp_path: Path, spool: Spool) -> None:
    how = DmsSettings(columns={"t": ["ID", "NAME"]}, timestamp="TS")
    assert _one(tmp_path, FIRST, row, how, spool)[0] == names


def test_two_places_for_the_timestamp_are_refused(tmp_path: Path, spool: Spool) -> None:
    how = DmsSettings(columns={"t": ["AT"]}, timestamp="TS")
    with pytest.raises(DataError, match="both look like the timestamp TS"):
        _one(tmp_path, LOAD, b"2026-03-01 10:00:00.1,2026-03-01 10:00:00.2\n", how, spool)


def test_a_header_is_found_out(tmp_path: Path, spool: Spool) -> None:
    assert _one(tmp_path, FIRST, b"Op,ID,N\nI,1,x\n", DmsSettings(), spool) == (["Op", "ID", "N"], [("I", "1", "x")])
    assert _one(tmp_path, LOAD, b"NAME,ID\nx,1\n", NAMED, spool) == (["NAME", "ID"], [("x", "1")])


def test_the_header_of_a_full_load_is_told_by_that_of_its_changes(tmp_path: Path, spool: Spool) -> None:
    found = _staged(tmp_path, LOAD00000001_csv=b"ID,N\n1,x\n", change__100000000_csv=b"Op,ID,N\nI,2,y\n")
    tables = [pq.read_table(p) for p in spool.parquet(found)]
    assert [t.num_rows for t in tables] == [1, 1]
    assert tables[0].column_names == ["ID", "N"]
    assert files(tmp_path)["rows"].tolist() == [1, 1]


def test_columns_that_nothing_tells_are_an_error_and_not_a_guess(tmp_path: Path, spool: Spool) -> None:
    with pytest.raises(DataError, match=r"begins with no column names.*DmsSettings\(columns="):
        _one(tmp_path, LOAD, b"1,x\n", DmsSettings(), spool)
    with pytest.raises(DataError, match=r"its only column has no names.*',' does not stand between.*csv_delimiter="):
        _one(tmp_path, LOAD, b"1;x\n", DmsSettings(), spool)
    _staged(tmp_path, change__100000000_csv=b"I,2,y\nU,2,z\n")
    shown = files(tmp_path)
    assert shown["rows"].isna().tolist() == [True, False]
    assert shown["rows"].iloc[1] == 2


@pytest.mark.parametrize(
    ("content", "how", "message"),
    [
        (b"1,x\n2,y,z\n", NAMED, "Line 2 of .*LOAD00000001.csv has 3 fields, and the columns are 2: ID, NAME"),
        (b'1,"x\ny"\n2\n', NAMED, "Line 3 of .* has 1 fields"),
        (b"1,x,y\n", NAMED, "3 fields in its first row, and its columns are 2"),
        (b'1,"x\n2,y\n', NAMED, "The quote opened in line 1 of .* is not closed"),
        (b"1,x\n2,\xff\n", NAMED, "Line 2 of .* is not UTF-8"),
        (b"ID,ID\n1,2\n", DmsSettings(header=True), "'ID' stands there twice"),
        (b"1,x\n", DmsSettings(columns={"s.t": ["A", "A"]}), "'A' stands there twice"),
    ],
)
def test_broken_csv_names_file_and_line(
    content: bytes, how: DmsSettings, message: str, tmp_path: Path, spool: Spool
) -> None:
    with pytest.raises(DataError, match=message):
        _one(tmp_path, LOAD, content, how, spool)
    with pytest.raises(DataError, match=message):
        files(tmp_path, how)


def test_a_change_file_of_as_many_fields_as_columns_is_refused(tmp_path: Path, spool: Spool) -> None:
    with pytest.raises(DataError, match="the first of them the operation"):
        _one(tmp_path, FIRST, b"I,1\n", NAMED, spool)
    inserts = DmsSettings(columns={"s.t": ["ID", "NAME"]}, inserts_only=True)
    assert _one(tmp_path, FIRST, b"I,1\n", inserts, spool) == (["ID", "NAME"], [("I", "1")])


def test_a_broken_line_far_down_is_found(tmp_path: Path, spool: Spool) -> None:
    body = b"".join(b'%d,"a\nb"\n' % i for i in range(5000))
    with pytest.raises(DataError, match="Line 10001 of"):
        _one(tmp_path, LOAD, body + b"1,2,3\n", NAMED, spool)


def test_null_is_what_the_settings_say_and_never_a_quoted_text(tmp_path: Path, spool: Spool) -> None:
    content = b'1,NULL\n2,"NULL"\n3,\n4,""\n'
    assert [r[1] for r in _one(tmp_path, LOAD, content, NAMED, spool)[1]] == [None, "NULL", "", ""]
    empty = DmsSettings(columns={"t": ["ID", "NAME"]}, csv_null_value="")
    with Spool() as other:
        assert [r[1] for r in _one(tmp_path, LOAD, content, empty, other)[1]] == ["NULL", "NULL", None, ""]


def test_without_quotes_a_quote_is_text(tmp_path: Path, spool: Spool) -> None:
    how = DmsSettings(columns={"t": ["ID", "NAME"]}, csv_quotes=False)
    assert _one(tmp_path, LOAD, b'1,"x\n2,5" pipe\n', how, spool)[1] == [("1", '"x'), ("2", '5" pipe')]


def test_carriage_returns(tmp_path: Path, spool: Spool) -> None:
    """A file whose rows all end with CR LF is from Windows; elsewhere a carriage return is part of the value."""
    assert _one(tmp_path, LOAD, b"1,x\r\n2,y\r\n", NAMED, spool)[1] == [("1", "x"), ("2", "y")]
    with Spool() as other:
        assert _one(tmp_path, LOAD, b"1,x\ry\n2,z\r\n3,w\n", NAMED, other)[1] == [
            ("1", "x\ry"),
            ("2", "z\r"),
            ("3", "w"),
        ]


def test_packed_and_foreign_encodings(tmp_path: Path, spool: Spool) -> None:
    packed = gzip.compress("1,é\n".encode())
    assert _one(tmp_path, "LOAD00000001.csv.gz", packed, NAMED, spool)[1] == [("1", "é")]
    assert _one(tmp_path, "LOAD00000002.csv", "\ufeff1,é\n".encode(), NAMED, spool)[1] == [("1", "é")]
    assert _one(tmp_path, "LOAD00000003.csv", "1,é\n".encode("utf-16"), NAMED, spool)[1] == [("1", "é")]
    latin = DmsSettings(columns={"t": ["ID", "NAME"]}, encoding="latin-1")
    assert _one(tmp_path, "LOAD00000004.csv", "1,é\n".encode("latin-1"), latin, spool)[1] == [("1", "é")]
    with pytest.raises(UnreadableFileError, match=r"cut short or damaged.*LOAD00000005.csv.gz"):
        _one(tmp_path, "LOAD00000005.csv.gz", packed[:-9], NAMED, spool)
    with pytest.raises(UnreadableFileError, match="is not of the encoding utf-16"):
        _one(tmp_path, "LOAD00000006.csv", b"\xff\xfe1\x00,", NAMED, spool)


@pytest.mark.parametrize("content", [b"", b"\n", b"Op,ID,NAME\n"])
def test_a_file_without_rows(content: bytes, tmp_path: Path, spool: Spool) -> None:
    names, rows = _one(tmp_path, FIRST, content, NAMED, spool)
    assert (names, rows) == (["Op", "ID", "NAME"], [])
    assert files(tmp_path, NAMED)["rows"].tolist() == [0]


def test_a_spool_that_is_not_open_gives_nothing(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="with Spool"):
        Spool().parquet(_staged(tmp_path, LOAD00000001_csv=b"1,x\n"), NAMED)


def test_first_and_last_sequence_of_csv(tmp_path: Path) -> None:
    _staged(tmp_path, change__100000000_csv=b"Op,ID,CDC_TIMESTAMP_SEQ\nI,1,20260301b\nU,1,20260301a\nD,1,\n")
    found = files(tmp_path)
    assert found[["first_sequence", "last_sequence"]].to_numpy().tolist() == [["20260301a", "20260301b"]]


def test_a_record_larger_than_a_block(tmp_path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_convert, "_BLOCK", 64)
    large = "x" * 5000
    assert _one(tmp_path, LOAD, f"1,a\n2,{large}\n3,b\n".encode(), NAMED, spool)[1][1] == ("2", large)


@pytest.mark.parametrize("values", [{"csv_delimiter": ""}, {"csv_delimiter": '"'}, {"csv_row_delimiter": ","}])
def test_settings_that_cannot_be(values: dict[str, str]) -> None:
    with pytest.raises(ParameterError):
        DmsSettings(**values)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="encoding"):
        DmsSettings(encoding="no-such")
    with pytest.raises(ParameterError, match="lob_max_kb"):
        DmsSettings(lob_max_kb=0)
    with pytest.raises(ParameterError, match="a list of names"):
        DmsSettings(columns={"t": "ID"}).columns_of("s", "t")


def test_settings_of_an_endpoint() -> None:
    endpoint = {
        "CsvRowDelimiter": "\\n",
        "CsvDelimiter": "\\t",
        "CdcPath": "x",
        "AddColumnName": "y",
        "BucketName": "b",
    }
    how = DmsSettings.from_endpoint(endpoint, lob_max_kb=32)
    assert how == DmsSettings(csv_delimiter="\t", header=True, lob_max_kb=32)
    assert DmsSettings.from_endpoint({**endpoint, "PreserveTransactions": True}).cdc_path == "x"
    assert DmsSettings.from_endpoint({"CdcInsertsOnly": True}).inserts_only
    assert not DmsSettings.from_endpoint({"CdcInsertsOnly": True, "IncludeOpForFullLoad": True}).inserts_only
    with pytest.raises(ParameterError, match="Did you mean lob_max_kb"):
        DmsSettings.from_endpoint({}, lob_max=3)


# --- what DMS writes comes back, whatever the values


def written(rows: Rows, how: DmsSettings) -> bytes:
    """Write CSV as DMS documents it: quotes where a value has quotes, delimiters or line ends, and never else."""

    def field(value: str | None) -> str:
        if value is None:
            return how.csv_null_value
        if any(mark in value for mark in ('"', "\n", "\r", how.csv_delimiter, how.csv_row_delimiter)):
            return '"' + value.replace('"', '""') + '"'
        return value

    lines = (how.csv_delimiter.join(field(v) for v in row) + how.csv_row_delimiter for row in rows)
    return "".join(lines).encode()


_TEXTS = st.text(
    alphabet=st.one_of(st.sampled_from(',"\n\r|\x1e N'), st.characters(codec="utf-8", exclude_characters="\x00")),
    max_size=8,
)
_NUMBER = itertools.count()


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    delimiter=st.sampled_from([",", "|", "\t", "||", "~|~"]),
    end=st.sampled_from(["\n", "\r\n", "\x1e", "#\n"]),
    packed=st.booleans(),
)
def test_what_dms_writes_comes_back(
    data: st.DataObject, delimiter: str, end: str, packed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    width = data.draw(st.integers(1, 4))
    row = st.tuples(*(st.one_of(st.none(), _TEXTS) for _ in range(width)))
    rows = [r for r in data.draw(st.lists(row, min_size=1, max_size=6)) if "NULL" not in r]
    how = DmsSettings(
        columns={"t": [f"C{i}" for i in range(width)]},
        csv_delimiter=delimiter,
        csv_row_delimiter=end,
        header=False,
    )
    content = written([("I", *r) for r in rows], how)
    folder = tmp_path_factory.mktemp(f"w{next(_NUMBER)}")
    with Spool() as spool:
        name = FIRST + ".gz" if packed else FIRST
        found = _one(folder, name, gzip.compress(content) if packed else content, how, spool)
    assert found[1] == [("I", *r) for r in rows]


# --- changes of all tables in transaction order

MIXED = (
    b"I,names,db,13,Daniel\nU,names,db,23,Kathy\nI,orders,db,1,2,NULL\n"
    b'D,names,db,13,"Cathy\nAnn"\nI,orders,"d,b",7,8,9\nI,names,db,16,Mike\n'
)


@pytest.mark.parametrize(
    ("name", "cdc_path"), [("CDC_TXN-20260301100000000.csv", None), ("20260301-100000000.csv", "/changes/")]
)
def test_changes_in_transaction_order(name: str, cdc_path: str | None, tmp_path: Path, spool: Spool) -> None:
    (tmp_path / "changes" / "more").mkdir(parents=True)
    (tmp_path / "changes" / "more" / name).write_bytes(MIXED)
    (tmp_path / "db" / "names").mkdir(parents=True)
    (tmp_path / "db" / "names" / LOAD).write_bytes(b"1,x\n")
    columns = {"db.names": ["ID", "N"], "db.orders": ["A", "B", "C"], "orders": ["X", "Y", "Z"]}
    how = DmsSettings(columns=columns, cdc_path=cdc_path)
    found = list_dms_files(tmp_path, how)
    assert [(f.schema, f.table, f.kind) for f in found] == [
        ("d,b", "orders", CHANGE),
        ("db", "names", FULL_LOAD),
        ("db", "names", CHANGE),
        ("db", "orders", CHANGE),
    ]
    tables = {(f.schema, f.table, f.kind): pq.read_table(spool.parquet([f], how)[0]) for f in found}
    names = tables["db", "names", CHANGE]
    assert names.column_names == ["Op", "ID", "N"]
    assert names.column("N").to_pylist() == ["Daniel", "Kathy", "Cathy\nAnn", "Mike"]
    assert names.column("Op").to_pylist() == ["I", "U", "D", "I"]
    assert tables["db", "orders", CHANGE].to_pylist() == [{"Op": "I", "A": "1", "B": "2", "C": None}]
    assert tables["d,b", "orders", CHANGE].column_names == ["Op", "X", "Y", "Z"]
    assert files(tmp_path, how)["rows"].tolist() == [1, 1, 4, 1]


def _beside_parquet(folder: Path, table: pa.Table, changes: bytes, spool: Spool) -> pa.Table:
    """The changes of db.t as CSV, where the full load is Parquet."""
    (folder / "db" / "t").mkdir(parents=True)
    pq.write_table(table, folder / "db" / "t" / "LOAD00000001.parquet")
    (folder / "CDC_TXN-20260301100000000.csv").write_bytes(changes)
    how = DmsSettings(columns={"t": [c.lower() for c in table.column_names]})
    return pq.read_table(spool.parquet(list_dms_files(folder, how), how)[1])


def test_beside_parquet_csv_has_the_types_of_parquet(tmp_path: Path, spool: Spool) -> None:
    when, utc = pa.timestamp("ms"), pa.timestamp("us", "UTC")
    schema = {"ID": pa.int64(), "AT": when, "UTC": utc, "D": pa.date32(), "M": pa.decimal128(9, 2), "B": pa.bool_()}
    table = pa.table({name: pa.array([None], kind) for name, kind in schema.items()})
    row = b"I,t,db,7,2026-03-01 10:00:00.123456,2026-03-01 10:00:00.000001,2026-03-01,12.50,true\n"
    row += b"D,t,db,8" + b",NULL" * 5 + b"\n"
    found = _beside_parquet(tmp_path, table, row, spool)
    assert found.schema.types == [
        pa.string(),
        pa.int64(),
        pa.timestamp("us"),
        utc,
        pa.date32(),
        schema["M"],
        pa.bool_(),
    ]
    first, second = found.to_pylist()
    assert (first["id"], first["m"], first["b"], first["d"]) == (7, Decimal("12.50"), True, date(2026, 3, 1))
    assert first["at"] == datetime(2026, 3, 1, 10, 0, 0, 123456)
    assert first["utc"] == datetime(2026, 3, 1, 10, 0, 0, 1, tzinfo=UTC)
    assert second["id"] == 8
    assert second["at"] is None


def test_beside_parquet_a_value_of_another_type_is_named(tmp_path: Path, spool: Spool) -> None:
    with pytest.raises(DataError, match=r"the changes of db.t in .* has 'x1' in column id, which is int64 in Parquet"):
        _beside_parquet(tmp_path, pa.table({"ID": [1]}), b"I,t,db,7\nI,t,db,x1\n", spool)


def test_beside_parquet_binary_stays_text(tmp_path: Path, spool: Spool) -> None:
    found = _beside_parquet(tmp_path, pa.table({"RAW": [b"1"]}), b"I,t,db,00FF\n", spool)
    assert found.schema.field("raw").type == pa.string()


def test_a_file_in_transaction_order_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "CDC_TXN-20260301100000000.csv").write_bytes(b"I,names,db,13\n13,Daniel\n")
    with pytest.raises(DataError, match=r"Line 2 of .*CDC_TXN.* does not begin with an operation"):
        list_dms_files(tmp_path)


def test_settings_name_columns_that_are_not_there(tmp_path: Path) -> None:
    from datalake_kit.cdc.settings import operation_column, sequence_column

    with pytest.raises(ColumnNotFoundError, match=r"'Oper'.*Did you mean Op"):
        operation_column(["Op", "ID"], DmsSettings(operation="Oper"))
    assert sequence_column(["ID", "ts"], DmsSettings(timestamp="TS")) == "ts"
    assert sequence_column(["AR_H_CHANGE_SEQ", "ts"], DmsSettings(timestamp="TS")) == "AR_H_CHANGE_SEQ"
