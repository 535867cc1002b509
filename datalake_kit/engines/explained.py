"""A statement as an engine would be given it, shown without running it."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from datalake_kit.engines.base import Engine
from datalake_kit.engines.dialect import catalog_statement, is_read_only
from datalake_kit.engines.dialect.athena_rules import athena_refusals
from datalake_kit.engines.dialect.types import of_value
from datalake_kit.sql import literal, replace_placeholders

if TYPE_CHECKING:
    from datalake_kit.engines.athena import AthenaEngine
    from datalake_kit.engines.duckdb import DuckDBEngine


@dataclass(frozen=True)
class Explained:
    """A statement as its engine would be given it.

    Attributes
    ----------
    text
        The statement: translated for the local engine; for Athena with its values written in.
    engine
        "duckdb" or "athena".
    tables
        Types of the columns of each table that the translation went by, in Athena's words; empty on Athena, which knows
        them itself.
    parameters
        The type that each value was taken as.
    refused
        What Athena would refuse in the statement, or may refuse; empty when nothing is known to be wrong.
    """

    text: str
    engine: str
    tables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()

    def __str__(self) -> str:
        notes = [f"-- Athena: {line}" for line in self.refused]
        return "\n".join([*notes, self.text])

    def _repr_html_(self) -> str:
        lines = [f"<p>{html.escape(self.engine)}</p>"]
        lines += [f"<p><b>Athena</b>: {html.escape(line)}</p>" for line in self.refused]
        for name, columns in self.tables.items():
            listed = ", ".join(f"{column} {type_}" for column, type_ in columns.items())
            lines.append(f"<p><code>{html.escape(name)}</code>: {html.escape(listed)}</p>")
        return "".join([*lines, f"<pre>{html.escape(self.text)}</pre>"])


def explain(engine: Engine, text: str, values: Mapping[str, Any]) -> Explained:
    """Return what an engine would be given; raises what running it would raise before it is sent."""
    parameters = {name: str(of_value(name, value)) for name, value in values.items()}
    if engine.name == "athena":
        return _athena(engine, text, values, parameters)  # type: ignore[arg-type]
    refused = tuple(map(str, athena_refusals(text, warnings=True)))
    shown, tables = _local(engine, text, values)  # type: ignore[arg-type]
    return Explained(shown, engine.name, tables, parameters, refused)


def _local(engine: DuckDBEngine, text: str, values: Mapping[str, Any]) -> tuple[str, Mapping[str, Mapping[str, str]]]:
    from datalake_kit.engines.statements import create_table_as

    if catalog_statement(text) is not None:
        return text, {}  # answered from the folder
    created = None if is_read_only(text) else create_table_as(text)
    translated, tables = engine.translated(text if created is None else created.select, values)
    if created is not None:
        name = f"{created.database}.{created.table}" if created.database else created.table
        translated = f"CREATE TABLE {name} AS {translated}"
    types = {str(table.name): {c.name: c.type for c in table.info().columns} for table in tables}
    return translated, types


def _athena(engine: AthenaEngine, text: str, values: Mapping[str, Any], parameters: Mapping[str, str]) -> Explained:
    refused = tuple(map(str, athena_refusals(text, warnings=True)))
    spelled = replace_placeholders(text, lambda name: literal(values[name]))
    shown = text if engine.settings.redact_parameters else spelled
    return Explained(shown, engine.name, {}, parameters, refused)
