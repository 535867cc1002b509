"""The source against the state that the files lead to, or against the lake itself where there are no files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datalake_kit.cdc.canonical import Form, common_form
from datalake_kit.cdc.compare import CHANGED, EXTRA, MISSING, UNVERIFIED, Aligned, Comparison, Tolerances, align
from datalake_kit.cdc.cuts import shown
from datalake_kit.cdc.details import Difference, Side, changed_columns, differences
from datalake_kit.cdc.explain import UNEXPLAINED, Explanation
from datalake_kit.cdc.findings import Told, masked_key
from datalake_kit.cdc.moving import AS_IT_IS, DELETED_LATER, Cut, Stamp, When, moment_of, stamp_of
from datalake_kit.cdc.newest import newest_rows
from datalake_kit.cdc.ordering import Ordering, repeated_keys
from datalake_kit.cdc.relation import Part, Relation, of_files
from datalake_kit.cdc.source_digest import compare_in_database, lacked_by_source
from datalake_kit.cdc.source_reasons import newest_of, reasons, whole_rows
from datalake_kit.cdc.table_check import PAST_STAGING, TO_EXPECTED, TableCheck
from datalake_kit.cdc.workspace import Workspace, text_literal
from datalake_kit.sql import quote_identifier

if TYPE_CHECKING:
    from datalake_kit.cdc.options import Options
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
    changed_at : str, optional
        The source's column that says when a row was changed: rows changed after the cut are lag.
    until : str, datetime or date, optional
        The cut; without it the newest change on the other side.
    """

    work: Workspace
    check: TableCheck
    source: Source
    keys: Sequence[str]
    hop: str = TO_EXPECTED
    keys_only: bool = False
    tolerance: Tolerances = None
    mask: Collection[str] = ()
    changed_at: str | None = None
    until: When | None = None

    def __post_init__(self) -> None:
        files = self.source.local_parquet(self.work.folder / "source")
        self.relation: Relation | None = None if files is None else of_files(self.work, files)
        self.aligned: Aligned | None = None
        self.cut: Cut | None = None
        self.limit: str | None = None  # that no sequence of the lake up to the cut exceeds, where one was asked for
        self._rows: tuple[str, int, int] | None = None
        if self.until is not None and self.changed_at is None:
            self.check.notes.append(AS_IT_IS)

    @classmethod
    def asked(
        cls, work: Workspace, check: TableCheck, options: Options, keys: Sequence[str], hop: str, keys_only: bool
    ) -> SourceHop:
        """The hop as the options ask for it."""
        near, hidden = options.tolerance, options.mask
        return cls(work, check, options.source, keys, hop, keys_only, near, hidden, options.changed_at, options.until)

    @property
    def _hides_changed_at(self) -> bool:
        return str(self.changed_at).casefold() in {m.casefold() for m in self.mask}

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
        self._note_absent(self.relation, found.never_arrived, self.where, "the source")
        if not self.keys_only:
            lacking = lacked_by_source(self.relation.names, other.names)
            self._note_absent(other, lacking, "the source and cannot be compared", self.where)
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

    def check_rows(self, what: str, there: int | None) -> bool:
        """Hold the source's rows against the other side's; where the source may have moved, its keys say more."""
        ours = self.check.source_rows
        if ours == there or (self.changed_at is None and self.until is None):
            self.check.check(what, ours, there, passed=ours == there)
        else:
            self._rows = (what, int(ours or 0), int(there or 0))
        return ours == there

    def cut_at(self, newest: When | None, told: str) -> None:
        """Set the cut: the one that was asked for, else the newest change on the other side; none unless it counts."""
        if self.until is None and self.changed_at is None:
            return
        if self.until is not None:
            newest, told = self.until, "as asked for"
        if newest is not None and newest != "":
            self.cut = Cut(newest, told, self._hides_changed_at)
        if self.cut is None and self.changed_at is not None:
            self.check.notes.append(f"nothing says up to when {self.where} go: until= can say it")

    # --- against the files

    def compare_with_files(self, ordering: Ordering, staged_side: Side) -> bool:
        """Compare with the current state that the files lead to; whether they are equal."""
        self.cut_at(*newest_of(ordering))
        if self.aligned is None:
            return compare_in_database(self, whole_rows(ordering))
        keys = ", ".join(f"k{i} AS r{i}" for i, _ in enumerate(self.keys))
        near = "".join(f", u{i} AS t{i}" for i, _ in enumerate(self.aligned.near))
        self.work.run(f"CREATE VIEW source_found AS SELECT {keys}, seq, g AS h, file, pos{near} FROM current")
        later = self.cut is not None
        return self._compare(staged_side, lambda found: reasons(ordering, found, later=later), placed="found")

    # --- against the lake

    def compare_with_lake(self, lake: Relation, sequence: str | None, operation: str | None, *, current: bool) -> bool:
        """Compare with the lake's rows, of a historical table with the newest of each key; whether they are equal."""
        aligned = self.align(lake, self.forms(lake))
        if aligned is None:
            plain = [n for n in lake.names if n not in lake.twins]
            names = ", ".join(f"{{}} AS {quote_identifier(n)}" for n in plain)
            rows = newest_rows(
                lake,
                lambda part: names.format(*(part.column(n)[0] for n in plain)),
                [quote_identifier(lake.find(k) or k) for k in self.keys],
                sequence,
                operation,
                current=current,
                limit=self.limit,
            )
            return compare_in_database(self, f"(SELECT * EXCLUDE (dk_seq, dk_dead) FROM ({rows}))")

        def columns(part: Part) -> str:
            keys = ", ".join(f"{p.theirs(part)} AS r{i}" for i, p in enumerate(aligned.keys))
            near = "".join(f", {p.theirs(part)} AS t{i}" for i, p in enumerate(aligned.near))
            return f"{keys}, {aligned.number(part, ours=False)} AS h{near}"

        r = [f"r{i}" for i, _ in enumerate(self.keys)]
        rows = newest_rows(lake, columns, r, sequence, operation, current=current, limit=self.limit)
        self.work.run(f"CREATE TABLE source_found_rows AS SELECT *, dk_seq AS seq FROM ({rows})")
        self.work.run("CREATE VIEW source_found AS SELECT * FROM source_found_rows")
        return self._compare(None if current else Side(lake), lambda found: {}, placed="wanted")

    # --- the comparison

    def _compare(
        self, theirs: Side | None, told_of: Callable[[Sequence[Difference]], dict[int, Explanation]], *, placed: str
    ) -> bool:
        aligned, relation, check = self.aligned, self.relation, self.check
        if aligned is None or relation is None:
            raise AssertionError("a database compares itself")

        stamp = None
        if self.changed_at is not None and self.cut is not None:
            stamp = stamp_of(self.work, relation, relation.find(self.changed_at) or self.changed_at, self.cut)

        def columns(part: Part) -> str:
            keys = ", ".join(f"{p.ours(part)} AS r{i}" for i, p in enumerate(aligned.keys))
            near = "".join(f", {p.ours(part)} AS t{i}" for i, p in enumerate(aligned.near))
            changed = f", {stamp.write(part)} AS changed_at" if stamp is not None else ""
            return f"{keys}, {aligned.number(part, ours=True)} AS h{near}{changed}"

        self.work.run(f"CREATE VIEW source_rows AS SELECT *, '' AS seq FROM ({relation.select(columns)})")
        self._leave_out_unsure()
        comparison = Comparison(self.work, "origin", "source_rows", "source_found", len(self.keys), aligned.near)
        late = self._late(comparison, stamp)
        counts = comparison.counts - late
        many = sum(counts.values())
        check.counts += counts
        if not self.settled(many):
            return True
        found = differences(comparison, without="origin_late" if late else "")
        changed = {}
        if theirs is not None:
            changed = changed_columns(comparison, aligned, Side(relation), theirs, self.mask, placed=placed)
        why = told_of(found)
        told = Told(check, aligned, self.mask, has_sequence=False, hop=self.hop)
        for one in found:
            told.add(one, changed.get(one.id), why.get(one.id, Explanation(self.unexplained(one.kind))), None)
        check.note_left_out(many - len(found))
        return False

    def _late(self, comparison: Comparison, stamp: Stamp | None) -> Counter[str]:
        """Count the keys whose row was changed after the cut, in the source or in the lake: `origin_late`."""
        late = []
        if stamp is not None:
            kinds = f"d.kind IN ('{MISSING}', '{CHANGED}') AND w.changed_at > {stamp.limit}"
            late.append(
                f"SELECT d.id, w.changed_at, 1 AS ours FROM {{}} JOIN origin_wanted AS w USING (id) WHERE {kinds}"
            )
        if self.limit is not None:
            kinds = f"d.kind IN ('{EXTRA}', '{CHANGED}') AND f.seq > {text_literal(self.limit)}"
            late.append(
                f"SELECT d.id, NULL AS changed_at, 0 AS ours FROM {{}} JOIN origin_found AS f USING (id) WHERE {kinds}"
            )
        if self.until is not None and self.hop == TO_EXPECTED:
            late.append(_staged_later(comparison))
        if not late:
            return Counter()
        listed = " UNION ALL ".join(late).format(*[f"{comparison.differing} AS d"] * len(late))
        self.work.run(
            f"CREATE TABLE origin_late AS SELECT id, min(changed_at) AS changed_at, max(ours) AS ours FROM ({listed}) "
            "GROUP BY id"
        )
        rows = self.work.rows(
            "SELECT kind, ours, count(*), CAST(min(changed_at) AS VARCHAR) "
            f"FROM origin_late JOIN {comparison.differing} USING (id) GROUP BY kind, ours"
        )
        oldest = min((str(told) for *_, told in rows if told is not None), default=None)
        self.note_late(sum(n for _, ours, n, _ in rows if ours), oldest)
        self.note_late(sum(n for _, ours, n, _ in rows if not ours), None, "lake")
        found: Counter[str] = Counter()
        for kind, _, n, _ in rows:
            found[kind] += n
        return found

    def note_late(self, many: int, oldest: Any, where: str = "source") -> None:
        """Count lag, and say how much of it the source has, or the lake."""
        self.check.lag = (self.check.lag or 0) + many
        if not many:
            return
        keys = "key is" if many == 1 else "keys are"
        text = f"{many} {keys} newer in the {where} than the cut ({self.cut})"
        if oldest is not None:
            changed = shown(str(oldest))
            self.check.late_since = moment_of(changed)
            text += "" if self._hides_changed_at else f", the oldest by its change of {changed}"
        self.check.notes.append(text)

    def settled(self, many: int, *, equal: bool = True) -> int:
        """Add the checks of a comparison that found so many keys to differ, and give back how many."""
        what = "keys" if self.keys_only else "values"
        self.check.check(f"keys with other {what} ({self.hop})", 0, many, passed=equal and not many)
        if self._rows is not None:
            name, ours, there = self._rows
            self.check.check(name, ours, there, passed=equal and not many, tolerance="rows changed after the cut")
        return many

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

    def _note_absent(self, relation: Relation, names: Sequence[str], absent: str, where: str) -> None:
        """Say which columns of one side the other lacks, where they have values."""
        names = [n for n in names if n not in relation.twins]
        if not names or not relation.parts:
            return
        columns = ", ".join(f"count(c{i})" for i, _ in enumerate(names))
        rows = relation.select(
            lambda part: ", ".join(f"{part.column(n)[0]} IS NOT NULL OR NULL AS c{i}" for i, n in enumerate(names))
        )
        for name, filled in zip(names, self.work.rows(f"SELECT {columns} FROM ({rows})")[0], strict=True):
            if filled:
                has = "row has" if filled == 1 else "rows have"
                text = f"the column {name} is not in {absent}: {filled} {has} a value in {where}"
                self.check.note(UNVERIFIED, hop=self.hop, column=name, explanation=text)

    def unexplained(self, kind: str) -> str:
        """What is said of a key for which nothing else speaks."""
        later = kind == EXTRA and self.cut is not None
        return f"{UNEXPLAINED}: a delete that was lost, {DELETED_LATER}" if later else UNEXPLAINED


def _staged_later(comparison: Comparison) -> str:
    """Keys of which the source has what a staged change after the cut made of them."""
    key = " AND ".join(f"s.k{i} = d.r{i}" for i in range(comparison.keys))
    apart = [pair.differs(f"w.t{i}", f"s.u{i}") for i, pair in enumerate(comparison.near)]
    same = f"s.op <> 'D' AND s.g = w.h AND NOT ({' OR '.join(apart) or 'false'})"
    kinds = f"(d.kind IN ('{MISSING}', '{CHANGED}') AND {same}) OR (d.kind = '{EXTRA}' AND s.op = 'D')"
    return (
        "SELECT d.id, NULL AS changed_at, 1 AS ours FROM {} "
        f"JOIN (SELECT * FROM all_staged, cut WHERE op <> 'L' AND seq > until) AS s ON {key} "
        f"LEFT JOIN origin_wanted AS w ON w.id = d.id WHERE {kinds}"
    )


__all__ = ["SourceHop"]
