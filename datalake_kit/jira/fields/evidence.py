"""What the choice of rules is founded on, kept so that it can be brought up to date when rows are added.

Rules are chosen from a look at some documents: those whose ids have the least hashes. An issue keeps its id, so of more
rows the same few are looked at, but for those that newer versions replace. Fields that are seldom there have all their
values kept, for the sample can come to say nothing about them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from datalake_kit.jira.fields import plan
from datalake_kit.jira.fields.detect import Profile, has_fixed_rule, profile, profile_values
from datalake_kit.jira.fields.plan import Source, batches, count_kinds, sample, transformed, value_of

FEW = 3  # documents of the sample; a field with fewer is scarce
_TEXT = pa.large_string()
DOCUMENTS = pa.schema([("id", _TEXT), ("fields", _TEXT)])
VALUES = pa.schema([("id", _TEXT), ("key", _TEXT), ("value", _TEXT)])


@dataclass(frozen=True)
class Evidence:
    """The documents looked at, and all values of the scarce fields; both in the order of the hashes of their ids."""

    documents: pa.Table
    values: pa.Table
    scarce: frozenset[str]
    rows: int

    @property
    def is_complete(self) -> bool:
        """Whether every document was looked at."""
        return self.rows <= plan.SAMPLE


def gather(source: Source, present: Iterable[str]) -> Evidence:
    """Look at a table of issues."""
    documents = _documents(source)
    if source.rows <= plan.SAMPLE:
        return Evidence(documents, VALUES.empty_table(), frozenset(), source.rows)
    seen = profile(documents["fields"].to_pylist())
    scarce = {key for key in present if not has_fixed_rule(key) and len(seen.get(key, Profile()).examples) < FEW}
    return Evidence(documents, _by_hash(source, values_of(source, scarce)), frozenset(scarce), source.rows)


def add(known: Evidence, source: Source, new_keys: Collection[str], rows: int) -> Evidence:
    """Bring what is known up to date: `source` has rows that replace those of the same id, or come to them."""
    connection = source.connection
    connection.register("_known_documents", known.documents)
    connection.register("_new_documents", _documents(source))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE _new_ids AS SELECT {source.sampled_by} AS id FROM ({source.query})"
    )
    documents = connection.sql(f"""
        SELECT id, fields FROM (
            SELECT * FROM _known_documents WHERE id NOT IN (SELECT id FROM _new_ids)
            UNION ALL SELECT * FROM _new_documents
        ) ORDER BY hash(id), id LIMIT {plan.SAMPLE}
    """).to_arrow_table()
    scarce = known.scarce | {key for key in new_keys if not has_fixed_rule(key)} if rows > plan.SAMPLE else frozenset()
    connection.register("_known_values", known.values)
    kept = connection.sql("SELECT * FROM _known_values WHERE id NOT IN (SELECT id FROM _new_ids)").to_arrow_table()
    values = pa.concat_tables([kept.cast(VALUES), values_of(source, scarce)])
    return Evidence(documents.cast(DOCUMENTS), _by_hash(source, values), frozenset(scarce), rows)


def profiles(evidence: Evidence) -> dict[str, Profile]:
    """What was seen of each field, as `make_plan` sees it."""
    seen = profile(evidence.documents["fields"].to_pylist())
    if evidence.is_complete:
        return seen
    texts: dict[str, list[str]] = {}
    for key, value in zip(evidence.values["key"].to_pylist(), evidence.values["value"].to_pylist(), strict=True):
        if not seen.get(key, Profile()).holds:
            texts.setdefault(key, []).append(value)
    return seen | {key: profile_values(found[: plan.SAMPLE]) for key, found in texts.items()}


def values_of(source: Source, keys: Iterable[str]) -> pa.Table:
    """Every value of some fields as JSON text; null and empty lists and objects are none."""
    counts = count_kinds(source, sorted(keys)) if keys else {}
    tables = [VALUES.empty_table()]
    for batch in batches([key for key, (holding, _) in counts.items() if holding], 100):
        texts = ", ".join(f"CAST({value_of(key)} AS VARCHAR) AS v{n}" for n, key in enumerate(batch))
        inner = transformed(source, dict.fromkeys(batch, "JSON"), f", {source.sampled_by} AS id")
        found = source.connection.sql(f"SELECT id, {texts} FROM ({inner})").to_arrow_table()
        for n, key in enumerate(batch):
            there = found.select(["id", f"v{n}"]).rename_columns(["id", "value"]).drop_null()
            tables.append(
                there.append_column("key", pa.array([key] * len(there), _TEXT)).select(VALUES.names).cast(VALUES)
            )
    every = pa.concat_tables(tables)
    return every.filter(pc.invert(pc.is_in(every["value"], pa.array(["null", "[]", "{}"], _TEXT))))


def _documents(source: Source) -> pa.Table:
    ids, texts = zip(*found, strict=True) if (found := sample(source)) else ((), ())
    return pa.table([pa.array(ids, _TEXT), pa.array(texts, _TEXT)], schema=DOCUMENTS)


def _by_hash(source: Source, values: pa.Table) -> pa.Table:
    source.connection.register("_values", values)
    return source.connection.sql("SELECT * FROM _values ORDER BY hash(id), id").to_arrow_table().cast(VALUES)
