"""The rows of a part of a snapshot as DuckDB reads them, column by column in the types of the table's schema."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from datalake_kit.engines.types import duckdb_type
from datalake_kit.hudi.base_files import Part
from datalake_kit.hudi.evolution import Fit
from datalake_kit.sql import quote_identifier


def reads_alike(part: Part, schema: pa.Schema) -> bool:
    """Whether DuckDB can read the files itself: they are local, and no value needs a look before it is converted.

    Nor may two stored columns differ only in case: DuckDB does not tell them apart.

    Raises
    ------
    HudiError
        A stored column cannot be shown in the type of the schema.
    """
    folded = {n.casefold() for n in part.stored.names}
    local = all(isinstance(f, Path) for f in part.files) and len(folded) == len(part.stored.names)
    return max((part.fit(f, schema.names) for f in schema), default=Fit.ALWAYS) is Fit.ALWAYS and local


def select_part(part: Part, schema: pa.Schema, names: Sequence[str]) -> str:
    """Return the statement that reads the columns of `schema` under `names` from the part's files."""
    columns = (f"{_expression(part, f, schema)} AS {quote_identifier(n)}" for f, n in zip(schema, names, strict=True))
    files = ", ".join(_text(_no_glob(str(f))) for f in part.files)
    return f"SELECT {', '.join(columns)} FROM read_parquet([{files}], hive_partitioning = false, union_by_name = false)"


def select_arrow(relation: str, schema: pa.Schema, names: Sequence[str]) -> str:
    """Return the statement that reads the columns of `schema` under `names` from rows registered as `relation`."""
    columns = (
        f"CAST({quote_identifier(f.name)} AS {duckdb_type(f.type)}) AS {quote_identifier(n)}"
        for f, n in zip(schema, names, strict=True)
    )
    return f"SELECT {', '.join(columns)} FROM {quote_identifier(relation)}"


def select_nothing(schema: pa.Schema, names: Sequence[str]) -> str:
    """Return the statement that gives the columns of `schema` under `names` and no row."""
    columns = (
        f"CAST(NULL AS {duckdb_type(f.type)}) AS {quote_identifier(n)}" for f, n in zip(schema, names, strict=True)
    )
    return f"SELECT {', '.join(columns)} WHERE FALSE"


def _expression(part: Part, field: pa.Field, schema: pa.Schema) -> str:
    kind = duckdb_type(field.type)
    told, value = part.value(field.name)
    if told:
        return f"CAST({'NULL' if value is None else _text(str(value))} AS {kind})"
    stored = part.stored_name(field.name, schema.names)
    if stored is None:
        return f"CAST(NULL AS {kind})"
    return f"CAST({quote_identifier(stored)} AS {kind})"


def _no_glob(path: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
