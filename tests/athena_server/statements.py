"""What kind of statement a text is, and the text that the engine is given instead of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tests.athena_server.errors import StatementError
from tests.athena_server.lexing import Reader, Token, tokens

ENGINE, GLUE, SAVED = "engine", "glue", "saved"  # who runs it: Trino; Glue alone; it names a prepared statement
WRITING = ("CREATE_TABLE_AS_SELECT", "INSERT", "UNLOAD")
COUNTING = (*WRITING, "UPDATE", "DELETE", "MERGE")
_CODECS = {"UNCOMPRESSED": "NONE", "ZLIB": "GZIP", "DEFLATE": "GZIP", "BZIP2": "GZIP", "LZO": "GZIP"}
_HIVE_PROPERTIES = ("format", "external_location", "partitioned_by", "bucketed_by", "bucket_count")
_ICEBERG_PROPERTIES = {"location": "location", "format": "format", "partitioning": "partitioning"}


@dataclass
class Statement:
    """A statement: what the engine is asked, and what Athena says of it."""

    text: str
    kind: str  # DML, DDL, UTILITY
    sub_kind: str = "SELECT"
    runs_on: str = ENGINE
    session: dict[str, str] = field(default_factory=dict)
    output: str | None = None  # where the statement itself writes: UNLOAD, CREATE TABLE AS
    cleanup: str | None = None
    target: tuple[str | None, str] | None = None  # database and table that it writes
    external: bool = False  # the place of a CREATE TABLE AS was given
    select: str = ""  # the query within UNLOAD or CREATE TABLE AS

    @property
    def extension(self) -> str:
        """The end of the name of the result."""
        if self.sub_kind in WRITING:
            return ""
        return ".csv" if self.kind == "DML" else ".txt"


def prepare(text: str, *, query_id: str, output: str, database: str | None = None) -> Statement:
    """Take a statement as Athena gets it and return what the engine is asked.

    Raises
    ------
    StatementError
        The text is empty, or several statements.
    """
    found = tokens(text)
    while found and found[-1].text == ";":
        found.pop()
    if not found:
        raise StatementError("SYNTAX_ERROR", "line 1:1: mismatched input '<EOF>'. Expecting: a statement")
    if any(t.text == ";" for t in found):
        raise StatementError("SYNTAX_ERROR", "Only one sql statement is allowed. Got: " + text[:80])
    plain = text[found[0].start : found[-1].end]
    words = [t.upper for t in found[:6]] + [""] * 6
    first = words[0]
    if first == "UNLOAD":
        return _unload(plain, query_id)
    if first == "CREATE" and words[1] == "TABLE" and _is_ctas(found):
        return _create_table_as(plain, query_id, output, database)
    if first in ("EXECUTE", "PREPARE", "DEALLOCATE"):
        return Statement(plain, "DML" if first == "EXECUTE" else "DDL", first, SAVED)
    if first in ("OPTIMIZE", "VACUUM"):
        return _maintain(plain, first, database)
    if first in ("CREATE", "DROP", "ALTER", "MSCK"):
        return _ddl(plain, words)
    if first in ("SHOW", "DESCRIBE", "DESC"):
        whole = words[1] in ("FUNCTIONS", "INPUT", "OUTPUT", "SESSION", "CATALOGS")
        sub = "DESCRIBE_TABLE" if first != "SHOW" else "_".join(w for w in words[:3] if w.isalpha()).rstrip("_")
        return Statement(plain, "UTILITY", _show_kind(words) if first == "SHOW" else sub, ENGINE if whole else GLUE)
    if first == "EXPLAIN":
        return Statement(plain, "UTILITY", "EXPLAIN")
    if first in ("INSERT", "UPDATE", "DELETE", "MERGE"):
        return Statement(plain, "DML", first, target=_target(plain))
    return Statement(plain, "DML")


def _show_kind(words: list[str]) -> str:
    two = "_".join(words[:3]) if words[1] == "CREATE" else "_".join(words[:2])
    return two.replace("SCHEMAS", "DATABASES")


def _target(text: str) -> tuple[str | None, str] | None:
    reader = Reader(text)
    reader.place = 1
    reader.accept_one_of("INTO", "FROM")
    try:
        return reader.name()
    except StatementError:
        return None


def _ddl(text: str, words: list[str]) -> Statement:
    """Views run on the engine; all else is Hive's DDL, which Glue alone answers."""
    if words[0] == "CREATE" and "VIEW" in words[1:4]:
        return Statement(text, "DDL", "CREATE_VIEW")
    if words[:2] == ["DROP", "VIEW"]:
        return Statement(text, "DDL", "DROP_VIEW")
    if words[0] == "CREATE":
        return Statement(text, "DDL", "CREATE_DATABASE" if words[1] in ("DATABASE", "SCHEMA") else "CREATE_TABLE", GLUE)
    if words[0] == "MSCK":
        return Statement(text, "DDL", "MSCK_REPAIR", GLUE)
    what = "DATABASE" if words[1] in ("DATABASE", "SCHEMA") else words[1] or "TABLE"
    return Statement(text, "DDL", f"{words[0]}_{what}", GLUE)


def _is_ctas(found: list[Token]) -> bool:
    """Tell a CREATE TABLE AS from the definition of an empty table."""
    depth = 0
    for token in found:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.upper == "AS":
            return True
        if depth == 0 and token.upper in ("LOCATION", "TBLPROPERTIES", "STORED"):
            return False
    return False


def _unload(text: str, query_id: str) -> Statement:
    reader = Reader(text)
    reader.expect("UNLOAD")
    opening = reader.take("symbol")
    if opening.text != "(":
        reader.place -= 1
        raise reader.unexpected("'('")
    select = _within(reader)
    reader.expect("TO")
    place = reader.string()
    options = _properties(reader) if reader.accept("WITH") else {}
    reader.end()
    if not place.startswith("s3://"):
        raise StatementError("INVALID_INPUT", f"line 1:1: UNLOAD destination is not an address on S3: {place}")
    table = f'unload.unloads."u_{query_id.replace("-", "_")}"'
    form = text_of(options.get("format", "'ORC'")).upper()
    given = [f"format = '{form}'", f"external_location = '{place.rstrip('/')}/'"]
    if "partitioned_by" in options:
        given.append(f"partitioned_by = {options['partitioned_by']}")
    if "field_delimiter" in options and form == "TEXTFILE":
        given.append(f"textfile_field_separator = {options['field_delimiter']}")
    codec = options.get("compression")
    return Statement(
        f"CREATE TABLE {table} WITH ({', '.join(given)}) AS {select}",
        "DML",
        "UNLOAD",
        session={"unload.compression_codec": _codec(codec)} if codec else {},
        output=place,
        cleanup=f"DROP TABLE IF EXISTS {table}",
        external=True,
        select=select,
    )


def _create_table_as(text: str, query_id: str, output: str, database: str | None) -> Statement:
    reader = Reader(text)
    reader.expect("CREATE", "TABLE")
    head = "CREATE TABLE " + ("IF NOT EXISTS " if reader.accept("IF", "NOT", "EXISTS") else "")
    schema, table = reader.name()
    given = _properties(reader) if reader.accept("WITH") else {}
    reader.expect("AS")
    rest = text[reader.tokens[reader.place].start :] if reader.next else ""
    session = {}
    iceberg = text_of(given.get("table_type", "")).upper() == "ICEBERG"
    catalog = "iceberg" if iceberg else "awsdatacatalog"
    form = text_of(given.get("format", "'PARQUET'")).upper()
    codecs = [given[k] for k in ("write_compression", "parquet_compression", "orc_compression") if k in given]
    if codecs:
        session[f"{catalog}.compression_codec"] = _codec(codecs[0])
    place = text_of(given.get("location" if iceberg else "external_location", ""))
    if iceberg and not place:
        raise StatementError("INVALID_TABLE_PROPERTY", "Table location can not be null for tables of type ICEBERG")
    where = place or f"{output.rstrip('/')}/tables/{query_id}/"
    names = _ICEBERG_PROPERTIES if iceberg else {k: k for k in _HIVE_PROPERTIES}
    wanted = {v: given[k] for k, v in names.items() if k in given}
    wanted["format"] = f"'{form}'"
    wanted["location" if iceberg else "external_location"] = f"'{where}'"
    if "field_delimiter" in given and form == "TEXTFILE":
        wanted["textfile_field_separator"] = given["field_delimiter"]
    if "bucketed_by" in given:
        wanted.setdefault("bucket_count", "1")
    name = f"{catalog}.{quote(schema or database or 'default')}.{quote(table)}"
    shown = ", ".join(f"{k} = {v}" for k, v in wanted.items())
    return Statement(
        f"{head}{name} WITH ({shown}) AS {rest}",
        "DDL",
        "CREATE_TABLE_AS_SELECT",
        session=session,
        output=where,
        target=(schema, table),
        external=bool(place),
        select=re.sub(r"\s+WITH\s+(NO\s+)?DATA\s*$", "", rest, flags=re.IGNORECASE),
    )


def _maintain(text: str, word: str, database: str | None) -> Statement:
    """OPTIMIZE and VACUUM of Iceberg tables are procedures of the engine."""
    reader = Reader(text)
    reader.place = 1
    schema, table = reader.name()
    name = f"iceberg.{quote(schema or database or 'default')}.{quote(table)}"
    if word == "VACUUM":
        session = {"iceberg.expire_snapshots_min_retention": "0s", "iceberg.remove_orphan_files_min_retention": "0s"}
        asked = f"ALTER TABLE {name} EXECUTE expire_snapshots(retention_threshold => '5d')"
        return Statement(asked, "DDL", "VACUUM_TABLE", session=session)
    reader.expect("REWRITE", "DATA", "USING", "BIN_PACK")
    where = text[reader.next.start :] if reader.next else ""
    return Statement(f"ALTER TABLE {name} EXECUTE optimize {where}".rstrip(), "DDL", "OPTIMIZE")


def _codec(value: str) -> str:
    codec = text_of(value).upper()
    return _CODECS.get(codec, codec)


def quote(name: str) -> str:
    """Write a name so that the engine takes it."""
    return '"' + name.replace('"', '""') + '"'


def text_of(value: str) -> str:
    """Return what a property's string says."""
    value = value.strip()
    return value[1:-1].replace("''", "'") if value[:1] == "'" else value


def _within(reader: Reader) -> str:
    """Return the text up to the bracket that closes the one just taken, and go past it."""
    depth, start = 1, reader.tokens[reader.place - 1].end
    while (token := reader.next) is not None:
        reader.place += 1
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0:
            return reader.text[start : token.start]
    raise reader.unexpected("')'")


def _properties(reader: Reader) -> dict[str, str]:
    """Read `(name = value, ...)`: names in lower case, values as written."""
    reader.expect("(")
    found: dict[str, str] = {}
    while not reader.accept(")"):
        name = reader.take("word", "quoted", "string", "back").value.lower()
        reader.expect("=")
        depth, start, last = 0, reader.next, reader.next
        while (token := reader.next) is not None and not (depth == 0 and token.text in (",", ")")):
            depth += (token.text in "([") - (token.text in ")]") if token.kind == "symbol" else 0
            reader.place += 1
            last = token
        if start is None or last is None or token is None:
            raise reader.unexpected("')'")
        found[name] = reader.text[start.start : last.end]
        reader.accept(",")
    return found
