"""The source against the state that the files lead to, or against the lake itself where there are no files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datalake_kit.cdc.canonical import Form, common_form
from datalake_kit.cdc.compare import KINDS, UNVERIFIED, Aligned, Comparison, Tolerances, align
from datalake_kit.cdc.details import Difference, Side, changed_columns, differences
from datalake_kit.cdc.explain import UNEXPLAINED, Explanation
from datalake_kit.cdc.findings import Told, masked_key
from datalake_kit.cdc.ordering import Ordering, repeated_keys, sequence_text
from datalake_kit.cdc.relation import Part, Relation, of_files
from datalake_kit.cdc.table_check import PAST_STAGING, TO_EXPECTED, TableCheck
from datalake_kit.cdc.workspace import Workspace, text_literal
from datalake_kit.sql import quote_identifier

if TYPE_CHECKING:
    from datalake_kit.cdc.source import Source

_WHERE = {TO_EXPECTED: "the staged files", PAST_STAGING: "the lake"}


@dataclass
class SourceHop:
    """One hop from the source: to the staged files, or past them to the lake.

    Parameters
    ----------
    work : Workspace
    check : TableCheck
        Gets the findings.
    source : Source
    keys : sequence of str
        As the other side names them.
    hop : str
        TO_EXPECTED or PAST_STAGING.
    keys_only : bool
        Whether values are left out.
    """

    work: Workspace
    check: TableCheck
    source: Source
    keys: Sequence[str]
    hop: str = TO_EXPECTED
    keys_only: bool = False
    tolerance: Tolerances = None
    mask: Collection[str] = ()

    def __post_init__(self) -> None:
        files = self.source.local_parquet(self.work.folder / "source")
        self.relation: Relation | None = None if files is None else of_files(self.work, files)
        self.aligned: Aligned | None = None

    @property
    def where(self) -> str:
        """What the other side is, in words."""
        return _WHERE[self.hop]

    def forms(self, *others: Relation) -> dict[str, Form]:
        """The forms of the key columns over the source and all other sides; empty where they do not go together."""
        if self.relation is None:
            return {}
        found = {}
        for key in self.keys:
            sides = [(r, r.find(key)) for r in (self.relation, *others)]
            form = common_form([kind for r, name in sides if name is not None for kind in r.kinds(name)])
            if form is not None:
                found[key] = form
        return found

    def align(self, other: Relation, forms: Mapping[str, Form]) -> Aligned | None:
        """Pair the source's columns with those of the other side; None for a database, which pairs them itself."""
        if self.relation is None:
            return None
        own = [self.relation.find(key) or key for key in self.keys]
        mine = {o: forms[k] for o, k in zip(own, self.keys, strict=True) if k in forms}
        found = align(self.relation, other, own, tolerance=self.tolerance, forms=mine, where=self.where)
        if self.keys_only:
            found = found.only(own)
        for name in found.not_comparable:
            text = f"the column {name} has types in the source and in {self.where} that cannot be compared"
            self.check.note(UNVERIFIED, hop=self.hop, column=name, explanation=text)
        self._note_absent(found.never_arrived)
        self.aligned = found
        return found

    def extras(self) -> dict[str, Callable[[Part], str]]:
        """The columns of the staged rows that the comparison needs: `g` and `u0`, `u1`, ..."""
        aligned = self.aligned
        if aligned is None:
            return {}
        near = {f"u{i}": pair.theirs for i, pair in enumerate(aligned.near)}
        return {"g": lambda part: aligned.number(part, ours=False), **near}

    def count(self) -> int:
        """Count the source's rows."""
        self.check.source_rows = self.source.count()
        return self.check.source_rows

    # --- against the files

    def compare_with_files(self, ordering: Ordering, staged_side: Side) -> bool:
        """Compare with the current state that the files lead to; whether they are equal."""
        if self.aligned is None:
            return self._compare_in_database(_whole_rows(ordering))
        keys = ", ".join(f"k{i} AS r{i}" for i, _ in enumerate(self.keys))
        near = "".join(f", u{i} AS t{i}" for i, _ in enumerate(self.aligned.near))
        self.work.run(f"CREATE VIEW source_found AS SELECT {keys}, seq, g AS h, file, pos{near} FROM current")
        return self._compare(staged_side, lambda found: _reasons(ordering, found), placed="found")

    # --- against the lake

    def compare_with_lake(self, lake: Relation, sequence: str | None, operation: str | None, *, current: bool) -> bool:
        """Compare with the lake's rows, of a historical table with the newest of each key; whether they are equal."""
        aligned = self.align(lake, self.forms(lake))
        if aligned is None:
            names = ", ".join(f"{{}} AS {quote_identifier(n)}" for n in lake.names if n not in lake.twins)
            plain = [n for n in lake.names if n not in lake.twins]
            rows = lake.select(lambda part: names.format(*(part.column(n)[0] for n in plain)))
            return self._compare_in_database(f"({rows})")

        def columns(part: Part) -> str:
            keys = ", ".join(f"{p.theirs(part)} AS r{i}" for i, p in enumerate(aligned.keys))
            near = "".join(f", {p.theirs(part)} AS t{i}" for i, p in enumerate(aligned.near))
            seq = sequence_text(part, sequence) if sequence else "''"
            dead = f"upper(CAST({part.column(operation)[0]} AS VARCHAR)) LIKE 'D%'" if operation else "false"
            return (
                f"{keys}, {seq} AS seq, coalesce({dead}, false) AS dead, {aligned.number(part, ours=False)} AS h{near}"
            )

        r = ", ".join(f"r{i}" for i, _ in enumerate(self.keys))
        newest = f"QUALIFY row_number() OVER (PARTITION BY {r} ORDER BY seq DESC) = 1" if current else ""
        self.work.run(f"CREATE TABLE lake_newest AS SELECT * FROM ({lake.select(columns)}) {newest}")
        self.work.run("CREATE VIEW source_found AS SELECT * FROM lake_newest" + (" WHERE NOT dead" if current else ""))
        return self._compare(None if current else Side(lake), lambda found: {}, placed="wanted")

    # --- the comparison

    def _compare(
        self, theirs: Side | None, reasons: Callable[[Sequence[Difference]], dict[int, Explanation]], *, placed: str
    ) -> bool:
        aligned, relation, check = self.aligned, self.relation, self.check
        if aligned is None or relation is None:
            raise AssertionError("a database compares itself")

        def columns(part: Part) -> str:
            keys = ", ".join(f"{p.ours(part)} AS r{i}" for i, p in enumerate(aligned.keys))
            near = "".join(f", {p.ours(part)} AS t{i}" for i, p in enumerate(aligned.near))
            return f"{keys}, {aligned.number(part, ours=True)} AS h{near}"

        self.work.run(f"CREATE VIEW source_rows AS SELECT *, '' AS seq FROM ({relation.select(columns)})")
        self._leave_out_unsure()
        comparison = Comparison(self.work, "origin", "source_rows", "source_found", len(self.keys), aligned.near)
        many = sum(comparison.counts.values())
        what = "keys" if self.keys_only else "values"
        check.check(f"keys with other {what} ({self.hop})", 0, many, passed=not many)
        check.counts += comparison.counts
        if not many:
            return True
        found = differences(comparison)
        changed = {}
        if theirs is not None:
            changed = changed_columns(comparison, aligned, Side(relation), theirs, self.mask, placed=placed)
        why = reasons(found)
        told = Told(check, aligned, self.mask, has_sequence=False, hop=self.hop)
        for one in found:
            told.add(one, changed.get(one.id), why.get(one.id, Explanation()), None)
        check.note_left_out(many - len(found))
        return False

    def _leave_out_unsure(self) -> None:
        """Leave out keys that do not identify a row of the source: nothing can be said of them."""
        aligned = self.aligned
        if aligned is None:
            return
        r = ", ".join(f"r{i}" for i, _ in enumerate(self.keys))
        nulls = " OR ".join(f"r{i} IS NULL" for i, _ in enumerate(self.keys))
        empty = int(self.work.value(f"SELECT count(*) FROM source_rows WHERE {nulls}"))
        count = int(self.work.value("SELECT count(*) FROM source_rows"))
        repeated_keys(self.work, "source_rows", r, "source_repeated", count)
        repeated = int(self.work.value("SELECT count(*) FROM source_repeated"))
        if not empty and not repeated:
            return
        names = ", ".join(self.keys)
        if empty:
            text = f"{empty} rows of the source have NULL in the key {names}: they cannot be compared"
            self.check.note(UNVERIFIED, hop=self.hop, explanation=text)
        if repeated:
            first = self.work.rows(f"SELECT {r} FROM source_repeated ORDER BY {r} LIMIT 1")[0]
            hidden = {m.casefold() for m in self.mask}
            key = masked_key(tuple(first), [k.casefold() in hidden for k in self.keys])
            shown = ", ".join(str(v) for v in (key if isinstance(key, tuple) else (key,)))
            text = (
                f"{names} does not identify a row of the source: {repeated} keys are there several times, such as "
                f"{shown}; these cannot be compared. Name the right keys"
            )
            self.check.note(UNVERIFIED, hop=self.hop, explanation=text)
        for name in ("rows", "found"):
            self.work.run(f"ALTER VIEW source_{name} RENAME TO source_{name}_all")
            sure = f"SELECT * FROM source_{name}_all ANTI JOIN source_repeated USING ({r})"
            self.work.run(f"CREATE VIEW source_{name} AS {sure}" + (f" WHERE NOT ({nulls})" if name == "rows" else ""))

    def _note_absent(self, names: Sequence[str]) -> None:
        if self.relation is None or not names:
            return
        columns = ", ".join(f"count(c{i})" for i, _ in enumerate(names))
        rows = self.relation.select(
            lambda part: ", ".join(f"{part.column(n)[0]} IS NOT NULL OR NULL AS c{i}" for i, n in enumerate(names))
        )
        for name, filled in zip(names, self.work.rows(f"SELECT {columns} FROM ({rows})")[0], strict=True):
            if filled:
                text = f"the column {name} is not in {self.where}: {filled} rows of the source have a value in it"
                self.check.note(UNVERIFIED, hop=self.hop, column=name, explanation=text)

    def _compare_in_database(self, relation: str) -> bool:
        """Let the database compare itself, by digests of key ranges."""
        names = list(self.keys) if self.keys_only else None
        found = self.source.differences(self.work.connection, relation, names, list(self.keys))
        self._note_refused(found)
        keys = found.keys
        told: dict[Any, list[Any]] = {}
        for one in found.columns:
            told.setdefault(one.key, []).append(one)
        hidden = {m.casefold() for m in self.mask}
        masked = [k.casefold() in hidden for k in self.keys]
        waiting = set(found.lag)
        for kind, listed in (("missing", keys.missing), ("extra", keys.extra), ("changed", keys.changed)):
            for key in listed:
                if key in waiting:
                    continue
                self.check.counts[kind] += 1
                self._note_key(kind, key, masked, told.get(key, ()), hidden)
        for key, (ours, theirs) in keys.duplicates.items():
            self.check.counts["duplicate"] += 1
            text = f"{UNEXPLAINED} ({theirs} rows; the source has {ours})"
            self.check.note("duplicate", hop=self.hop, key=masked_key(key, masked), explanation=text)
        for rule in found.rules:
            self.check.check(f"rule of the comparison with the source: {rule}", None, None, passed=True, tolerance=None)
        many = sum(self.check.counts[kind] for kind in KINDS)
        self.check.check(f"keys with other values ({self.hop})", 0, many, passed=found.equal)
        if keys.unresolved:
            ours, theirs = (sum(getattr(r, n) for r in keys.unresolved) for n in ("source_rows", "other_rows"))
            text = (
                f"{len(keys.unresolved)} more ranges of keys differ and were not looked into, being too many: {ours} "
                f"rows in the source, {theirs} in {self.where}. Copy the source's table to Parquet and give that as "
                "source="
            )
            self.check.note(UNVERIFIED, hop=self.hop, explanation=text)
        if keys.null_keys_differ:
            text = (
                f"rows with NULL as key differ: {keys.null_keys[0]} in the source, {keys.null_keys[1]} in {self.where}"
            )
            self.check.note(UNVERIFIED, hop=self.hop, explanation=text)
        return bool(found.equal)

    def _note_refused(self, found: Any) -> None:
        for name, reason in () if self.keys_only else found.not_compared.items():
            text = f"the column {name} cannot be compared with {self.where}: {reason}"
            self.check.note(UNVERIFIED, hop=self.hop, column=name, explanation=text)
        if found.repeated:
            text = (
                f"{', '.join(self.keys)} does not identify a row of the source: {len(found.repeated)} or more keys are "
                "there several times; these cannot be compared. Name the right keys"
            )
            self.check.note(UNVERIFIED, hop=self.hop, explanation=text)

    def _note_key(
        self, kind: str, key: Any, masked: Sequence[bool], columns: Sequence[Any], hidden: Collection[str]
    ) -> None:
        def shown(name: str) -> str | None:
            values = [(c.column, "***" if c.column.casefold() in hidden else getattr(c, name)) for c in columns]
            if len(values) == 1:
                return str(values[0][1])
            return ", ".join(f"{c}={v}" for c, v in values) or None

        self.check.note(
            kind,
            hop=self.hop,
            key=masked_key(key, masked),
            column=", ".join(c.column for c in columns) or None,
            before=shown("before"),
            after=shown("after"),
            explanation=UNEXPLAINED,
        )


def _whole_rows(ordering: Ordering) -> str:
    """The current rows with every column, in a file of the workspace: a database's digests look at them often."""
    names = [n for n in ordering.staged.columns if n not in ordering.relation.twins]
    parts = []
    for part in ordering.relation.parts:
        file, position, _ = ordering.staged.origin(part)
        columns = ", ".join(
            f"{'s.' if n in part.columns else ''}{part.column(n)[0]} AS {quote_identifier(n)}" for n in names
        )
        parts.append(
            f"SELECT {columns} FROM (SELECT *, CAST({file} AS INTEGER) AS dk_file, "
            f"CAST({position} AS BIGINT) AS dk_pos FROM {part.source}) AS s "
            "SEMI JOIN current AS c ON s.dk_file = c.file AND s.dk_pos = c.pos"
        )
    target = text_literal(str(ordering.work.folder / "expected.parquet"))
    ordering.work.run(f"COPY ({' UNION ALL '.join(parts)}) TO {target} (FORMAT parquet)")
    return f"(SELECT * FROM read_parquet({target}))"


def _reasons(ordering: Ordering, found: Sequence[Difference]) -> dict[int, Explanation]:
    """What the staged rows of a key say about its difference from the source."""
    k = " AND ".join(f"s.k{i} = d.r{i}" for i, _ in enumerate(ordering.keys))
    rows = ordering.work.rows(
        f"SELECT d.id, s.file, s.op, s.g, w.h FROM origin_keys AS d JOIN all_staged AS s ON {k} "
        f"LEFT JOIN origin_wanted AS w ON w.id = d.id WHERE d.id <= {max((f.id for f in found), default=0)} "
        "ORDER BY d.id, s.op <> 'L', CASE WHEN s.op = 'L' THEN '' ELSE s.seq END, s.file, s.pos"
    )
    versions: dict[int, list[tuple[int, str, bool]]] = {}
    for number, file, operation, ours, theirs in rows:
        versions.setdefault(number, []).append((file, operation, ours == theirs))
    names = [f.name for f in ordering.staged.files]
    return {one.id: _reason(one, versions.get(one.id, ()), names) for one in found}


def _reason(one: Difference, versions: Sequence[tuple[int, str, bool]], names: Sequence[str]) -> Explanation:
    if not versions:
        return Explanation(f"{UNEXPLAINED}: no staged file has this key")
    file, operation, _ = versions[-1]
    same = [f for f, o, equal in versions[:-1] if equal and o != "D"]
    if one.kind == "missing" and operation == "D":
        brief = f"{UNEXPLAINED}: the staged files end with a delete of the key"
        return Explanation(f"{brief} ({names[file]})", names[file], brief=brief)
    if one.kind == "extra":
        return Explanation(f"{UNEXPLAINED}: no staged file deletes the key")
    if same:
        brief = f"{UNEXPLAINED}: the source has values that a later change replaced"
        return Explanation(f"{brief} (those of {names[same[-1]]}, replaced by {names[file]})", names[file], brief=brief)
    return Explanation(f"{UNEXPLAINED}: no staged row has the source's values")


__all__ = ["SourceHop"]
