"""The settings of a DMS task and its S3 endpoint that decide how its files are read.

Everything has a default that is found out where the files tell, or is DMS's own default.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from datalake_kit.errors import ColumnNotFoundError, ParameterError, did_you_mean

SEQUENCE = "CDC_TIMESTAMP_SEQ"
OPERATION = "Op"
SEQUENCE_NAMES = (SEQUENCE, "AR_H_CHANGE_SEQ", "TRANSACT_SEQ", "CHANGE_SEQ")
OPERATION_NAMES = (OPERATION, "CDC_OPERATION", "AR_H_OPERATION")
OPERATION_WORDS = {
    "I": "I", "U": "U", "D": "D", "INSERT": "I", "UPDATE": "U", "DELETE": "D", "L": "I", "LOAD": "I",
}  # fmt: skip

Names = Sequence[str] | Sequence[Sequence[str]]
Columns = Mapping[str, Names] | Callable[[str, str], Names | None]


def _unescaped(text: str) -> str:
    r"""Endpoint settings in JSON hold `\n` as two characters."""
    return text.replace("\\r", "\r").replace("\\n", "\n").replace("\\t", "\t")


def _value(value: Any) -> Any:
    words = {"true": True, "y": True, "false": False, "n": False}
    return words.get(value.casefold(), value) if isinstance(value, str) else value


@dataclass(frozen=True)
class DmsSettings:
    """How DMS was told to write. In brackets DMS's own name of a setting.

    Attributes
    ----------
    sequence : str, optional
        The column that orders changes. Without it: CDC_TIMESTAMP_SEQ, AR_H_CHANGE_SEQ, TRANSACT_SEQ, CHANGE_SEQ, a
        column whose every value in a change file is 35 digits, then `timestamp`.
    operation : str, optional
        The column with I, U, D (or INSERT, UPDATE, DELETE). Without it: Op, CDC_OPERATION, AR_H_OPERATION, or the first
        column of a change file when it holds nothing else.
    timestamp : str, optional
        The column with the time of the commit [TimestampColumnName].
    inserts_only : bool
        Change files hold inserts and say no operation [CdcInsertsOnly].
    columns : mapping or callable, optional
        Column names for CSV without a header: `{"schema.table": ["ID", ...]}` (or by table alone), or a function of
        schema and table that returns them, or None where it does not know. The order is that of the file; `Op` and the
        timestamp column are added where the file has them. Of a table that got or lost columns, a list of such lists:
        the one with as many names as a file has fields counts.
    header : bool, optional
        Whether CSV files begin with column names [AddColumnName]; found out where the first line tells.
    csv_delimiter, csv_row_delimiter, csv_null_value : str
        [CsvDelimiter, CsvRowDelimiter, CsvNullValue]. A field in quotes is text, never NULL.
    csv_quotes : bool
        Fields with quotes, delimiters or line ends stand in quotes [Rfc4180].
    encoding : str
        Of CSV files. UTF-8 as DMS writes it; UTF-16 is found out by its first bytes.
    cdc_path : str, optional
        The folder below the staging folder with changes of all tables in transaction order [CdcPath with
        PreserveTransactions]. Without it, files named CDC_TXN-... are known by their names.
    lob_max_kb : int, optional
        The size at which DMS cuts large objects [LobMaxSize, in kilobytes].
    """

    sequence: str | None = None
    operation: str | None = None
    timestamp: str | None = None
    inserts_only: bool = False
    columns: Columns | None = None
    header: bool | None = None
    csv_delimiter: str = ","
    csv_row_delimiter: str = "\n"
    csv_null_value: str = "NULL"
    csv_quotes: bool = True
    encoding: str = "utf-8"
    cdc_path: str | None = None
    lob_max_kb: int | None = None

    def __post_init__(self) -> None:
        for name in ("csv_delimiter", "csv_row_delimiter"):
            text = _unescaped(getattr(self, name))
            if not text or '"' in text:
                raise ParameterError(f"{name} is one or more characters other than quotes, not {text!r}.")
            object.__setattr__(self, name, text)
        if self.csv_delimiter == self.csv_row_delimiter:
            raise ParameterError(f"Columns and rows of CSV cannot both end with {self.csv_delimiter!r}.")
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise ParameterError(f"encoding is a name such as utf-8 or latin-1, not {self.encoding!r}.") from None
        if self.lob_max_kb is not None and self.lob_max_kb < 1:
            raise ParameterError(f"lob_max_kb is the size at which DMS cuts large objects, not {self.lob_max_kb}.")

    @classmethod
    def from_endpoint(cls, endpoint: Mapping[str, Any], **more: Any) -> DmsSettings:
        """Take the settings of an S3 endpoint as DMS has them (`S3Settings` in JSON), and `more` attributes of ours.

        Settings that do not change how files are read are left aside.

        >>> DmsSettings.from_endpoint({"CsvDelimiter": "|", "AddColumnName": "true"}).header
        True
        """
        folded = {k.casefold(): v for k, v in endpoint.items()}
        taken = {ours: _value(folded[theirs]) for theirs, ours in _ENDPOINT.items() if theirs in folded}
        if not _value(folded.get("preservetransactions", False)):
            taken.pop("cdc_path", None)
        if _value(folded.get("includeopforfullload", False)):
            taken.pop("inserts_only", None)  # then every change says that it is an insert
        known = {f.name for f in fields(cls)}
        for name in more:
            if name not in known:
                raise ParameterError(f"DmsSettings has no {name!r}. {did_you_mean(name, known)}")
        return cls(**{**taken, **more})

    def columns_of(self, schema: str, table: str) -> list[tuple[str, ...]]:
        """Return the lists of column names that `columns` gives for a table; none where it gives none.

        >>> DmsSettings(columns={"orders": ["ID", "AMOUNT"]}).columns_of("sales", "orders")
        [('ID', 'AMOUNT')]
        """
        if self.columns is None:
            return []
        if callable(self.columns):
            found = self.columns(schema, table)
        else:
            folded = {k.casefold(): v for k, v in self.columns.items()}
            found = folded.get(f"{schema}.{table}".casefold(), folded.get(table.casefold()))
        if isinstance(found, str):
            raise ParameterError(f"columns gives a list of names for {schema}.{table}, not the text {found!r}.")
        lists = [found] if found and isinstance(found[0], str) else found or []
        return [tuple(str(name) for name in names) for names in lists]


DEFAULT = DmsSettings()

_ENDPOINT = {
    "timestampcolumnname": "timestamp",
    "cdcinsertsonly": "inserts_only",
    "addcolumnname": "header",
    "csvdelimiter": "csv_delimiter",
    "csvrowdelimiter": "csv_row_delimiter",
    "csvnullvalue": "csv_null_value",
    "rfc4180": "csv_quotes",
    "cdcpath": "cdc_path",
}


def operation_column(names: Sequence[str], settings: DmsSettings = DEFAULT) -> str | None:
    """Return the column that by its name holds the operation; None where no name tells.

    Raises
    ------
    ColumnNotFoundError
        `settings.operation` is not there.

    >>> operation_column(["ID", "op"])
    'op'
    """
    return _named(names, settings.operation, OPERATION_NAMES)


def sequence_column(names: Sequence[str], settings: DmsSettings = DEFAULT) -> str | None:
    """Return the column that by its name orders the changes; None where no name tells.

    Raises
    ------
    ColumnNotFoundError
        `settings.sequence` is not there.
    """
    known = (*SEQUENCE_NAMES, settings.timestamp) if settings.timestamp else SEQUENCE_NAMES
    return _named(names, settings.sequence, known)


def _named(names: Sequence[str], wanted: str | None, known: Iterable[str]) -> str | None:
    folded: dict[str, str] = {}
    for name in names:
        folded.setdefault(name.casefold(), name)
    if wanted is None:
        return next((folded[k.casefold()] for k in known if k.casefold() in folded), None)
    if wanted in names:
        return wanted
    if wanted.casefold() not in folded:
        raise ColumnNotFoundError(f"The DMS files have no column {wanted!r}. {did_you_mean(wanted, names)}")
    return folded[wanted.casefold()]
