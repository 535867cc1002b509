"""Two sets of rows paired by key: what is new, what changed, what is gone. DuckDB does the work, and spills to disk."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from datalake_kit.errors import EngineError
from datalake_kit.hudi.evolution import adapt
from datalake_kit.hudi.relay import Relay

GROUP, WRITTEN = "dk_group", "dk_written"
MEMORY = "1GB"


@dataclass(frozen=True)
class Side:
    """The rows of one side: columns c0, c1, ... of a schema, then the number of the file group and the commit.

    `open` gives the rows anew each time it is called.
    """

    schema: pa.Schema
    open: Callable[[], Iterator[pa.RecordBatch]]
    relay: Relay = field(default_factory=Relay)

    def reader(self) -> pa.RecordBatchReader:
        """Return the rows as a reader."""
        fields = [pa.field(f"c{i}", f.type) for i, f in enumerate(self.schema)]
        schema = pa.schema([*fields, pa.field(GROUP, pa.int32()), pa.field(WRITTEN, pa.string())])
        return pa.RecordBatchReader.from_batches(schema, self.relay.batches(self.open()))


def pair_rows(
    before: Side,
    after: Side,
    keys: pa.Schema,
    values: pa.Schema,
    partitions: Sequence[str],
    instants: Sequence[str],
) -> pa.Table:
    """Pair the rows of two sides whose first columns are the keys; see `changes` for what comes out.

    `partitions` and `instants` give, for each number of a file group, its partition path and its newest commit.
    """
    number = len(keys)
    names = [f"c{i}" for i in range(number + len(values))]
    with tempfile.TemporaryDirectory(prefix="datalake-kit-") as spill:
        connection = _connection(spill)
        try:
            groups = {"g": list(range(len(partitions))), "path": list(partitions), "instant": list(instants)}
            kinds = pa.schema([("g", pa.int32()), ("path", pa.string()), ("instant", pa.string())])
            connection.register("groups", pa.table(groups, schema=kinds))
            for name, side in (("b", before), ("a", after)):
                _load(connection, name, side, names[:number], names, "")
            connection.execute(_touched(names[:number]))
            for name, side in (("rb", before), ("ra", after)):
                _load(connection, name, side, names, names, _semi_join(names[:number]))
            rows = connection.sql(_paired(names[:number], names[number:])).to_arrow_table()
        except duckdb.Error as error:
            known = before.relay.error or after.relay.error
            if known is not None:
                raise known from None
            raise EngineError(f"The two states could not be compared: {error}") from error
        finally:
            connection.close()
    schema = _shown(keys, values)
    return pa.table([adapt(c, f.type) for c, f in zip(rows.columns, schema, strict=True)], schema=schema)


def _connection(spill: str) -> Any:
    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})
    folder = spill.replace("'", "''")
    for statement in (
        "SET TimeZone = 'UTC'",
        f"SET temp_directory = '{folder}'",
        f"SET memory_limit = '{MEMORY}'",
        "SET python_enable_replacements = false",
        "SET enable_external_access = false",
    ):
        connection.execute(statement)
    return connection


def _load(connection: Any, name: str, side: Side, kept: Sequence[str], names: Sequence[str], join: str) -> None:
    reader = side.reader()
    connection.register("source", reader)
    columns = ", ".join(f"s.{n}" for n in kept)
    row_hash = f"hash({', '.join(f's.{n}' for n in names)})"
    connection.execute(
        f"CREATE TEMP TABLE {name} AS SELECT {columns}, {row_hash} AS h, s.{GROUP} AS g, s.{WRITTEN} AS w "
        f"FROM source s{join}"
    )
    connection.unregister("source")
    reader.close()


def _same(left: str, right: str, names: Sequence[str]) -> str:
    return " AND ".join(f"{left}.{n} IS NOT DISTINCT FROM {right}.{n}" for n in names)


def _semi_join(keys: Sequence[str]) -> str:
    return f" SEMI JOIN touched t ON {_same('s', 't', keys)}"


def _touched(keys: Sequence[str]) -> str:
    """Collect the keys whose rows are not the same on both sides, told by a hash of 64 bits of each row."""
    k = ", ".join(keys)
    return (
        f"CREATE TEMP TABLE touched AS SELECT DISTINCT {k} FROM (SELECT {k} FROM ("
        f"SELECT {k}, h, 1 AS side FROM b UNION ALL SELECT {k}, h, -1 AS side FROM a"
        f") GROUP BY {k}, h HAVING sum(side) <> 0)"
    )


def _paired(keys: Sequence[str], values: Sequence[str]) -> str:
    k = ", ".join(keys)
    counted = ", ".join(f"count(*) FILTER (side = {i}) AS n{i}" for i in (0, 1))
    return f"""
    WITH several AS (
      SELECT {k} FROM (SELECT {k}, 0 AS side FROM rb UNION ALL SELECT {k}, 1 AS side FROM ra)
      GROUP BY {k} HAVING greatest(count(*) FILTER (side = 0), count(*) FILTER (side = 1)) > 1
    ), alike AS (
      SELECT {k}, h, least(n0, n1) AS pairs FROM (
        SELECT {k}, h, {counted} FROM (SELECT {k}, h, 0 AS side FROM rb UNION ALL SELECT {k}, h, 1 AS side FROM ra)
        GROUP BY {k}, h)
    ), old AS ({_left("rb", keys)}), new AS ({_left("ra", keys)})
    SELECT CASE WHEN o.found IS NULL THEN 'insert' WHEN n.found IS NULL THEN 'delete' ELSE 'update' END AS change,
      CASE WHEN n.found IS NULL THEN o.instant ELSE coalesce(nullif(n.w, ''), n.instant) END AS instant,
      coalesce(n.path, o.path) AS partition,
      {", ".join(f"CASE WHEN n.found IS NULL THEN o.{c} ELSE n.{c} END AS {c}" for c in keys)}
      {"".join(f", o.{c} AS {c}_b, n.{c} AS {c}_a" for c in values)}
    FROM old o FULL JOIN new n ON {_same("o", "n", keys)} AND o.place = n.place AND o.turn = n.turn
    ORDER BY {", ".join(str(4 + i) for i in range(len(keys)))}, partition, coalesce(o.turn, n.turn)
    """


def _left(table: str, keys: Sequence[str]) -> str:
    """Write what is left of one side when equal rows are taken away in pairs, numbered within key and partition."""
    k = ", ".join(keys)
    within = ", ".join(f"x.{n}" for n in keys)
    return f"""
      SELECT y.*, true AS found, row_number() OVER (PARTITION BY {k}, place ORDER BY h, path) AS turn FROM (
        SELECT x.*, gr.path, gr.instant, CASE WHEN s.c0_found THEN gr.path ELSE '' END AS place
        FROM (SELECT *, row_number() OVER (PARTITION BY {k}, h ORDER BY g) AS twin FROM {table}) x
        JOIN groups gr ON gr.g = x.g
        JOIN alike al ON {_same("al", "x", keys)} AND al.h = x.h
        LEFT JOIN (SELECT {k}, true AS c0_found FROM several) s ON {_same("s", "x", keys)}
        WHERE x.twin > al.pairs
        ORDER BY {within}
      ) y"""


def _shown(keys: pa.Schema, values: pa.Schema) -> pa.Schema:
    """Name the columns of the result: made names keep clear of the table's own."""
    taken = {n.casefold() for n in (*keys.names, *values.names)}

    def free(name: str) -> str:
        while name.casefold() in taken:
            name += "_"
        taken.add(name.casefold())
        return name

    fields = [pa.field(free(n), pa.string()) for n in ("change", "instant", "partition")]
    fields += list(keys)
    for value in values:
        fields += [value.with_name(free(f"{value.name}_{when}")) for when in ("before", "after")]
    return pa.schema(fields)
