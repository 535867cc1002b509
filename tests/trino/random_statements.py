# ruff: noqa: E501 - tables and templates read better one a line
"""Random statements of Athena's SQL, typed, over small tables that hold NULL, extremes and clock changes.

Each is a question that an analyst could ask; most are valid, some are refused by Trino. A statement stands alone: its
tables are VALUES in WITH. `statements()` is a hypothesis strategy; `written(seed, number)` needs no hypothesis run.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

# The types of expressions, by what the tables' columns have.
INT, BIG, DEC, DBL, TXT, BOOL, DAY, TS, TZ, ARR, TARR, MAP, ROW = (
    *("int", "big", "dec", "dbl", "txt", "bool", "day", "ts", "tz", "arr", "tarr", "map", "row"),
)
NUMBERS = (INT, BIG, DEC, DBL)
_A = """(VALUES
 (1, 10, BIGINT '7', 1.50, 2.5e0, 'a', true, DATE '2026-03-29', TIMESTAMP '2026-03-29 01:30:00.000', ARRAY[1, 2, NULL], ARRAY['x', 'y'], MAP(ARRAY['k', 'l'], ARRAY[1, NULL]), CAST(ROW(1, 'p') AS ROW(n integer, s varchar))),
 (2, NULL, BIGINT '-9', 2.25, nan(), 'B-12', false, DATE '2024-02-29', TIMESTAMP '2026-10-25 02:30:00.500', ARRAY[], ARRAY['', NULL], MAP(), CAST(ROW(NULL, '') AS ROW(n integer, s varchar))),
 (3, -5, NULL, NULL, -1.5e0, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (4, 10, BIGINT '9007199254740993', -0.75, NULL, NULL, true, DATE '1969-12-31', TIMESTAMP '1969-12-31 23:59:59.999', ARRAY[-3], ARRAY['y'], MAP(ARRAY['k'], ARRAY[-7]), CAST(ROW(-2, 'q') AS ROW(n integer, s varchar))),
 (5, 0, BIGINT '0', 0.00, 1e10, 'ab, cd', false, DATE '2026-10-25', TIMESTAMP '2026-10-25 01:00:00.000', ARRAY[2, 2, 5], ARRAY['b', 'a', 'b'], MAP(ARRAY['l'], ARRAY[3]), CAST(ROW(3, NULL) AS ROW(n integer, s varchar))),
 (6, 2147483647, BIGINT '-1', 99999.99, -0.5e0, ' 5 ', NULL, DATE '2026-12-31', TIMESTAMP '2026-02-28 12:00:00.000', ARRAY[NULL], ARRAY['k'], MAP(ARRAY['m', 'k'], ARRAY[0, 1]), CAST(ROW(7, 'z') AS ROW(n integer, s varchar)))
) AS v(id, n, g, d, f, s, b, day, at, xs, ts, m, r)"""
_B = """(VALUES (1, 'a', 4, DATE '2026-03-29', -1.5e0), (2, 'B-12', NULL, DATE '2026-03-30', 2.5e0), (2, '', -4, NULL, NULL),
 (7, NULL, 10, DATE '2024-02-29', nan()), (NULL, 'zz', 0, DATE '2025-01-31', 0e0)) AS v(id, s, n, day, f)"""
WITH = f"WITH a AS (SELECT * FROM {_A}), c AS (SELECT * FROM {_B})".replace("\n", "")
# The same tables where a server can keep them, so that it need not read them in each statement.
TABLES = (f"CREATE TABLE IF NOT EXISTS a AS SELECT * FROM {_A}", f"CREATE TABLE IF NOT EXISTS c AS SELECT * FROM {_B}")
COLUMNS = {
    "a": {"id": INT, "n": INT, "g": BIG, "d": DEC, "f": DBL, "s": TXT, "b": BOOL, "day": DAY, "at": TS, "xs": ARR,
          "ts": TARR, "m": MAP, "r": ROW},
    "c": {"id": INT, "s": TXT, "n": INT, "day": DAY, "f": DBL},
}  # fmt: skip
_ZONES = ("Europe/Berlin", "UTC", "America/New_York", "+05:30")
_UNITS = ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
_ORDERED = (INT, BIG, DEC, TXT, DAY, TS)  # whose extremes and order are worth asking for
_NAMES = {
    INT: "integer", BIG: "bigint", DEC: "decimal(12, 3)", DBL: "double", TXT: "varchar", BOOL: "boolean", DAY: "date",
    TS: "timestamp",
}  # fmt: skip
_LITERALS = {
    INT: ("0", "1", "2", "-3", "7", "10", "4", "-1", "25", "CAST(NULL AS integer)"),
    BIG: ("BIGINT '3'", "BIGINT '-8'", "9223372036854775807", "3000000000"),
    DEC: ("0.5", "-1.25", "10.00", "0.0", "3.14159", "100.1"),
    DBL: ("0e0", "-2.5e0", "1.5e0", "0.5e0", "1e3", "nan()", "infinity()", "-1e-3"),
    TXT: ("''", "'a'", "'B-12'", "','", "'ab'", "'é'", "'-7'", "'3.5'", "'2026-03-29'", "CAST(NULL AS varchar)"),
    BOOL: ("true", "false", "CAST(NULL AS boolean)"),
    DAY: ("DATE '2026-03-29'", "DATE '2026-10-25'", "DATE '2024-02-29'", "DATE '1969-12-31'", "CAST(NULL AS date)"),
    TS: ("TIMESTAMP '2026-03-29 02:30:00'", "TIMESTAMP '2026-10-25 02:30:00.250'", "TIMESTAMP '2025-12-31 23:59:59'"),
    TZ: ("with_timezone(TIMESTAMP '2026-10-25 01:30:00', 'Europe/Berlin')",
         "TIMESTAMP '2026-03-29 00:59:59 UTC'", "from_unixtime(1774746000)"),
    ARR: ("ARRAY[1, 2, 3]", "ARRAY[-1, NULL]", "CAST(ARRAY[] AS array(integer))"),
    TARR: ("ARRAY['a', 'b']", "ARRAY['', NULL, 'a']", "split('a,b,,c', ',')"),
    MAP: ("MAP(ARRAY['k'], ARRAY[5])", "map_filter(MAP(ARRAY['k'], ARRAY[5]), (k, v) -> false)"),
    ROW: ("CAST(ROW(1, 'w') AS ROW(n integer, s varchar))",),
}  # fmt: skip
# Templates of expressions: {int} is an expression of that type, {=unit} one of a list of words.
_TEMPLATES: dict[str, tuple[str, ...]] = {
    INT: (
        "{int} + {int}", "{int} - {int}", "{int} * {int}", "{int} / {int}", "{int} / 3", "{int} % 3", "{int} % -2", "{int} % {int}", "-({int})", "abs({int})",
        "sign({int})", "coalesce({int}, {int})", "nullif({int}, {int})", "if({bool}, {int}, {int})",
        "CASE WHEN {bool} THEN {int} WHEN {bool} THEN {int} ELSE {int} END", "CASE {int} WHEN 10 THEN 1 WHEN {int} "
        "THEN 2 END", "greatest({int}, {int})", "least({int}, {int}, 3)", "CAST({dec} AS integer)",
        "CAST({dbl} AS integer)", "try(CAST({dbl} AS integer))", "TRY_CAST({dbl} AS integer)", "TRY_CAST({txt} AS integer)", "try({int} / {int})", "element_at({arr}, {=nonzero})",
        "element_at({map}, {=key})", "({row}).n", "array_max({arr})", "array_min({arr})", "mod({int}, {int})",
        "reduce({arr}, 0, (q, x) -> q + coalesce(x, 0), q -> q)", "CAST({bool} AS integer)", "try({arr}[1])",
        "bitwise_and({int}, 6)", "truncate({int})",
    ),
    BIG: (
        "{big} + {int}", "{big} / {int}", "{big} % {int}", "length({txt})", "cardinality({arr})", "cardinality({map})",
        "strpos({txt}, {txt})", "date_diff({=unit}, {ts}, {ts})", "date_diff({=dayunit}, {day}, {day})",
        "date_diff({=unit}, {tz}, {tz})", "year({day})", "month({day})", "day({ts})", "hour({ts})", "minute({tz})",
        "second({ts})", "hour({tz})", "extract(dow FROM {day})", "extract(week FROM {day})", "day_of_year({day})",
        "year_of_week({day})", "quarter({ts})", "array_position({arr}, {int})", "CAST({dbl} AS bigint)",
        "CAST({dec} AS bigint)", "TRY_CAST({txt} AS bigint)", "round({big})", "CAST(to_unixtime({tz}) AS bigint)",
        "regexp_count({txt}, {=regex})", "json_array_length(json_format(CAST({arr} AS json)))", "millisecond({ts})",
        "levenshtein_distance({txt}, {txt})", "bitwise_xor({big}, {int})", "bit_count({int}, 64)", "day_of_month({day})",
    ),
    DEC: (
        "{dec} + {dec}", "{dec} - {int}", "{dec} * {dec}", "{dec} / {dec}", "{dec} / {int}", "{dec} % {dec}", "-({dec})",
        "abs({dec})", "round({dec})", "round({dec}, 1)", "floor({dec})", "ceil({dec})", "truncate({dec})",
        "coalesce({dec}, {dec})", "TRY_CAST({dbl} AS decimal(12, 3))", "CAST({int} AS decimal(12, 2))",
        "TRY_CAST({txt} AS decimal(8, 2))", "if({bool}, {dec}, {int})", "greatest({dec}, {dec})", "nullif({dec}, {dec})",
        "CAST({dec} AS decimal(10, 1))",
    ),
    DBL: (
        "{dbl} + {dbl}", "{dbl} * {int}", "{dbl} / {dbl}", "{dbl} / {int}", "{dbl} - {dec}", "{dbl} % {dbl}", "abs({dbl})",
        "round({dbl})", "round({dbl}, 1)", "floor({dbl})", "ceil({dbl})", "CAST({int} AS double) / {int}", "sqrt({int})",
        "to_unixtime({ts})", "to_unixtime({tz})", "TRY_CAST({txt} AS double)", "coalesce({dbl}, {int})",
        "nullif({dbl}, {dbl})", "CAST({dec} AS double)", "if({bool}, {dbl}, {int})", "power({int}, 2)", "sign({dbl})",
        "ln({int})", "truncate({dbl})", "exp({int} / 100000000)",
    ),
    TXT: (
        "lower({txt})", "upper({txt})", "trim({txt})", "ltrim({txt})", "reverse({txt})", "{txt} || {txt}",
        "concat({txt}, {txt}, '!')", "substr({txt}, {=index})", "substr({txt}, {=index}, {=index})",
        "substring({txt}, 2)", "split_part({txt}, {=sep}, {=positive})", "replace({txt}, {txt}, 'z')",
        "replace({txt}, 'a')", "lpad({txt}, 4, '*')", "rpad({txt}, 3, 'xy')", "coalesce({txt}, {txt})",
        "nullif({txt}, {txt})", "CAST({int} AS varchar)", "CAST({dec} AS varchar)", "CAST({day} AS varchar)",
        "CAST({bool} AS varchar)", "CAST({big} AS varchar)", "regexp_extract({txt}, {=regex})",
        "regexp_extract({txt}, '([a-z])-?(\\d*)', 1)", "regexp_replace({txt}, {=regex}, '<$0>')",
        "date_format({ts}, {=format})", "date_format({day}, '%d.%m.%y')", "date_format({tz}, '%Y-%m-%d %H:%i')",
        "element_at({tarr}, {=nonzero})", "({row}).s", "array_join({tarr}, {=sep})", "array_join({arr}, '|', '?')",
        "json_extract_scalar({=json}, {=path})", "json_format(CAST({arr} AS json))", "to_hex(to_utf8({txt}))",
        "CASE WHEN {bool} THEN {txt} ELSE {txt} END", "if({bool}, {txt})", "format('%s/%d', {txt}, {int})",
        "to_hex(md5(to_utf8({txt})))", "chr(64 + id)", "concat_ws('-', {txt}, {txt})", "translate({txt}, 'ab', 'xy')",
        "greatest({txt}, {txt})", "array_max({tarr})", "to_iso8601({day})", "CAST({txt} AS varchar(2))",
    ),
    BOOL: (
        "{int} {=compare} {int}", "{dbl} {=compare} {dbl}", "{dec} {=compare} {int}", "{txt} {=compare} {txt}",
        "{day} {=compare} {day}", "{ts} {=compare} {day}", "{tz} {=compare} {tz}", "{big} {=compare} {dbl}",
        "NOT ({bool})", "{bool} AND {bool}", "{bool} OR {bool}", "{int} IS NULL", "{txt} IS NOT NULL",
        "{int} IN (1, {int}, NULL)", "{txt} IN ('a', {txt})", "{int} NOT IN ({int}, 10)", "{int} BETWEEN {int} AND {int}",
        "{day} BETWEEN {day} AND {day}", "{txt} LIKE 'a%'", "{txt} LIKE '_-%' ESCAPE '!'", "{txt} NOT LIKE {txt}",
        "regexp_like({txt}, {=regex})", "contains({arr}, {int})", "contains({tarr}, {txt})", "starts_with({txt}, {txt})",
        "any_match({arr}, x -> x > {=index})", "all_match({arr}, x -> x > 0)", "none_match({tarr}, x -> x = 'a')",
        "arrays_overlap({arr}, {arr})", "is_nan({dbl})", "is_finite({dbl})", "{int} IS DISTINCT FROM {int}",
        "{txt} IS NOT DISTINCT FROM {txt}", "{dbl} IN (2.5e0, {int}, 1e0)", "{arr} = {arr}", "coalesce({bool}, {bool})",
        "{dbl} BETWEEN -1e0 AND {int}", "{dbl} IS DISTINCT FROM {dbl}", "TRY_CAST({txt} AS boolean)",
        "EXISTS (SELECT 1 FROM c WHERE c.n > {=index})", "{int} IN (SELECT n FROM c)", "{txt} NOT IN (SELECT s FROM c)",
        "{bool} = {bool}", "CAST({int} AS boolean)", "{row} = {row}",
    ),
    DAY: (
        "{day} + INTERVAL '1' DAY", "{day} - INTERVAL '2' MONTH", "date_add({=dayunit}, {=index}, {day})",
        "date_trunc({=dayunit}, {day})", "CAST({ts} AS date)", "CAST({tz} AS date)", "date({ts})",
        "last_day_of_month({day})", "coalesce({day}, {day})", "TRY_CAST({txt} AS date)", "greatest({day}, {day})",
        "if({bool}, {day}, {day})", "nullif({day}, {day})", "{day} + INTERVAL '1' YEAR",
        "element_at(sequence({day}, {day} + INTERVAL '3' DAY), 2)",
    ),
    TS: (
        "{ts} + INTERVAL '1' HOUR", "{ts} - INTERVAL '1' MONTH", "{ts} + INTERVAL '90' MINUTE",
        "date_add({=unit}, {=index}, {ts})", "date_trunc({=unit}, {ts})", "CAST({day} AS timestamp)",
        "coalesce({ts}, {ts})", "if({bool}, {ts}, {ts})", "date_parse(date_format({ts}, '%Y-%m-%d %H:%i:%s'), "
        "'%Y-%m-%d %H:%i:%s')", "TRY_CAST({txt} AS timestamp)", "coalesce({ts}, {day})",
    ),
    TZ: (
        "with_timezone({ts}, {=zone})", "at_timezone({tz}, {=zone})", "at_timezone(with_timezone({ts}, 'UTC'), {=zone})",
        "date_trunc({=unit}, {tz})", "date_add({=unit}, {=index}, {tz})", "{tz} + INTERVAL '1' DAY",
        "{tz} + INTERVAL '1' HOUR", "{tz} - INTERVAL '1' MONTH", "from_unixtime({int} * 1000)", "{tz} AT TIME ZONE {=zone}",
        "from_iso8601_timestamp(date_format({ts}, '%Y-%m-%dT%H:%i:%sZ'))", "coalesce({tz}, {tz})",
    ),
    ARR: (
        "array_distinct({arr})", "array_sort({arr})", "slice({arr}, {=nonzero}, {=positive})", "{arr} || {arr}",
        "transform({arr}, x -> x * 2)", "filter({arr}, x -> x > 1)", "array_union({arr}, {arr})", "{arr} || {int}",
        "array_intersect({arr}, {arr})", "array_except({arr}, {arr})", "array_remove({arr}, {int})", "reverse({arr})",
        "ARRAY[{int}, {int}]", "coalesce({arr}, {arr})", "map_values({map})", "repeat({int}, 2)",
        "zip_with({arr}, {arr}, (x, y) -> x + y)", "flatten(ARRAY[{arr}, {arr}])", "sequence(1, {=positive})",
        "transform({arr}, x -> coalesce(x, {int}))",
    ),
    TARR: (
        "split({txt}, {=sep})", "array_distinct({tarr})", "array_sort({tarr})", "transform({tarr}, x -> upper(x))",
        "map_keys({map})", "{tarr} || {tarr}", "filter({tarr}, x -> x <> '')", "ARRAY[{txt}, {txt}]",
        "regexp_extract_all({txt}, {=regex})", "slice({tarr}, 1, {=positive})", "array_except({tarr}, {tarr})",
    ),
    MAP: (
        "map_filter({map}, (k, v) -> v > 0)", "transform_values({map}, (k, v) -> v + 1)", "map_concat({map}, {map})",
        "coalesce({map}, {map})", "transform_keys({map}, (k, v) -> concat(k, '_'))", "MAP(ARRAY['k', 'x'], ARRAY[{int}, {int}])",
    ),
    ROW: ("if({bool}, {row}, {row})", "coalesce({row}, {row})"),
}  # fmt: skip
_WORDS: dict[str, tuple[str, ...]] = {
    "unit": tuple(f"'{u}'" for u in _UNITS),
    "dayunit": tuple(f"'{u}'" for u in _UNITS[3:]),
    "zone": tuple(f"'{z}'" for z in _ZONES),
    "index": ("1", "2", "-1", "3", "0", "9", "-4"),
    "nonzero": ("1", "2", "-1", "3", "9", "-4"),
    "positive": ("1", "2", "3", "7"),
    "key": ("'k'", "'l'", "''", "'zz'"),
    "sep": ("','", "'-'", "' '", "', '"),
    "compare": ("=", "<>", "<", "<=", ">", ">="),
    "regex": ("'\\d+'", "'^[a-z]+'", "'[A-Z]-'", "'b'", "'-?\\d+$'", "'\\s'", "'(a|b)'"),
    "format": ("'%Y-%m-%d %H:%i:%s'", "'%Y-%m'", "'%W %e %M'", "'%T'", "'%j'", "'%h %p'"),
    "json": ('\'{{"a": 1, "b": [true, null], "c": ""}}\'', "concat('{{\"a\": \"', s, '\"}}')", "s"),
    "path": ("'$.a'", "'$.b[0]'", "'$.b[1]'", "'$.c'", "'$.zz'", "'$'"),
}
_AGGREGATES = (
    "count(*)", "count({int})", "count(DISTINCT {txt})", "sum({int})", "sum({dec})", "avg({int})", "avg({dec})",
    "sum({big})", "min({dbl})", "max({dbl})", "avg({dbl})", "count_if({bool})", "bool_and({bool})", "bool_or({bool})",
    "sum({int}) FILTER (WHERE {bool})", "array_agg({int} ORDER BY id)", "array_agg({txt} ORDER BY id DESC)",
    "max_by({txt}, id)", "min_by({int}, id)", "sum(DISTINCT {int})", "stddev({int})", "approx_distinct({int}) > 0",
    "listagg({txt}, ',') WITHIN GROUP (ORDER BY id)", "array_agg(DISTINCT n ORDER BY n)", "var_pop({int})",
    "map_agg(CAST(id AS varchar), {int})", "histogram({bool})", "cardinality(array_agg({int}))", "every({bool})",
    "sum({int}) / count(*)", "count(*) FILTER (WHERE {bool})", "corr({dbl}, id)", "max({int}) - min({int})",
)  # fmt: skip
_WINDOWS = (
    "row_number() OVER (ORDER BY id)", "rank() OVER (ORDER BY {order})", "dense_rank() OVER (ORDER BY {order} DESC)",
    "lag({int}) OVER (ORDER BY id)", "lead({txt}, 1, '-') OVER (ORDER BY id)", "sum({int}) OVER (ORDER BY id)",
    "sum({dec}) OVER (PARTITION BY {group} ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
    "avg({int}) OVER (PARTITION BY {group})", "first_value({int}) OVER (PARTITION BY {group} ORDER BY id)",
    "last_value({txt}) IGNORE NULLS OVER (ORDER BY id)", "count(*) OVER (PARTITION BY {group})",
    "max({dbl}) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING)", "ntile(3) OVER (ORDER BY id)",
    "nth_value({int}, 2) OVER (ORDER BY id)", "percent_rank() OVER (ORDER BY {order})", "cume_dist() OVER (ORDER BY id)",
    "sum({int}) OVER (ORDER BY n RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)", "min({day}) OVER (ORDER BY id)",
    "lag({int}, 2) IGNORE NULLS OVER (ORDER BY id)", "count_if({bool}) OVER (ORDER BY id)",
    "sum({dbl}) OVER (ORDER BY id)", "array_agg({int}) OVER (ORDER BY id)",
)  # fmt: skip


class Writer:
    """Writes statements; `pick` chooses one of a sequence, so that hypothesis or a seeded generator decides."""

    def __init__(self, pick: Callable[[int], int]) -> None:
        self._pick = pick
        self.columns = dict(COLUMNS["a"])

    def of(self, choices: tuple[str, ...] | list[str]) -> str:
        """Return one of the choices."""
        return choices[self._pick(len(choices))]

    def chance(self, one_in: int) -> bool:
        """Return true once in so many times."""
        return self._pick(one_in) == 0

    def expression(self, type_: str, depth: int) -> str:
        """Return an expression of a type."""
        if depth <= 0 or self.chance(4):
            fitting = [name for name, t in self.columns.items() if t == type_]
            return self.of(fitting) if fitting and not self.chance(4) else self.of(_LITERALS[type_])
        return self.filled(self.of(_TEMPLATES[type_]), depth - 1)

    def filled(self, template: str, depth: int) -> str:
        """Return a template with its places filled."""
        out, rest = [], template
        while "{" in rest:
            before, _, after = rest.partition("{")
            name, _, rest = after.partition("}")
            out += [before, self._place(name, depth)]
        return "".join([*out, rest])

    def _place(self, name: str, depth: int) -> str:
        if name.startswith("="):
            return self.of(_WORDS[name[1:]]).replace("{{", "{").replace("}}", "}")
        if name in ("order", "group"):
            return self.expression(self.of([INT, TXT, DAY] if name == "group" else list(_ORDERED)), min(depth, 1))
        inner = self.expression(name, depth)
        plain = inner.isidentifier() or (inner.endswith(")") and inner[0].isalpha() and inner.count("(") == 1)
        return inner if plain else f"({inner})"

    # ---------------------------------------------------------------- statements

    def statement(self) -> str:
        """Return a statement."""
        kinds = [self.plain, self.plain, self.grouped, self.sets, self.windowed, self.joined, self.united, self.nested,
                 self.unnested, self.distinct, self.lateral]  # fmt: skip
        self.columns = dict(COLUMNS["a"])
        return f"{WITH} {kinds[self._pick(len(kinds))]()}"

    def _some(self, depth: int, *, most: int = 4, types: tuple[str, ...] = tuple(_TEMPLATES)) -> list[str]:
        return [self.expression(self.of(types), depth) for _ in range(1 + self._pick(most))]

    def _where(self) -> str:
        return f" WHERE {self.expression(BOOL, 2)}" if self.chance(2) else ""

    def _order(self) -> str:
        if self.chance(3):
            return ""
        key = self.expression(self.of(_ORDERED), 1)
        if not any(c.isalpha() for c in key):
            key = "n"  # a number alone means a column of the select list
        limit = f" LIMIT {self._pick(5)}" if self.chance(3) else ""
        offset = f" OFFSET {self._pick(3)}" if self.chance(6) else ""
        return f" ORDER BY {key}{self.of(['', ' DESC', ' NULLS FIRST', ' DESC NULLS LAST'])}, id{offset}{limit}"

    def plain(self) -> str:
        """Expressions over the rows of a table."""
        items = ", ".join(f"{e} AS c{i}" for i, e in enumerate(self._some(3)))
        return f"SELECT id, {items} FROM a{self._where()}{self._order()}"

    def distinct(self) -> str:
        """Distinct rows."""
        items = ", ".join(f"{e} AS c{i}" for i, e in enumerate(self._some(2, most=2)))
        return f"SELECT DISTINCT {items} FROM a{self._where()}"

    def _totals(self) -> list[str]:
        return [f"{self.filled(self.of(_AGGREGATES), 1)} AS t{i}" for i in range(1 + self._pick(3))]

    def grouped(self) -> str:
        """Totals, by no key or some."""
        keys = self._some(1, most=2, types=(INT, TXT, BOOL, DAY, DEC)) if not self.chance(4) else []
        keys = [k for k in keys if any(c in k.replace("(", " ").replace(")", " ").split() for c in self.columns)]
        named = [f"{k} AS k{i}" for i, k in enumerate(keys)]
        having = f" HAVING count(*) > {self._pick(3)}" if self.chance(4) else ""
        by = f" GROUP BY {', '.join(keys)}" if keys else ""
        return f"SELECT {', '.join([*named, *self._totals()])} FROM a{self._where()}{by}{having}"

    def sets(self) -> str:
        """GROUPING SETS, ROLLUP, CUBE."""
        by = self.of(["GROUPING SETS ((b, s), (b), ())", "ROLLUP (b, s)", "CUBE (b, s)", "GROUPING SETS ((b), (s))",
                      "b, ROLLUP (s)"])  # fmt: skip
        return f"SELECT b, s, grouping(b, s) AS gr, {', '.join(self._totals())} FROM a{self._where()} GROUP BY {by}"

    def windowed(self) -> str:
        """Window functions."""
        items = ", ".join(f"{self.filled(self.of(_WINDOWS), 1)} AS w{i}" for i in range(1 + self._pick(3)))
        return f"SELECT id, {items} FROM a{self._where()}{self._order()}"

    def joined(self) -> str:
        """Two tables."""
        how = self.of(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"])
        on = self.of(["a.id = c.id", "a.s = c.s", "a.n > c.n", "a.f = c.f", "a.day = c.day AND a.id = c.id",
                      "a.id = c.id AND c.n IS NOT NULL"])  # fmt: skip
        self.columns = {f"a.{k}": t for k, t in COLUMNS["a"].items()} | {f"c.{k}": t for k, t in COLUMNS["c"].items()}
        items = ", ".join(f"{e} AS c{i}" for i, e in enumerate(self._some(2)))
        using = self.chance(6) and how != "CROSS JOIN"
        if using:
            return f"SELECT id, a.n AS x, c.n AS y FROM a {how} c USING (id)"
        condition = "" if how == "CROSS JOIN" else f" ON {on}"
        return f"SELECT a.id AS i, c.id AS j, {items} FROM a {how} c{condition}{self._where()}"

    def united(self) -> str:
        """Set operations."""
        types = [self.of([INT, BIG, DEC, DBL, TXT, DAY, TS]) for _ in range(1 + self._pick(2))]
        left = ", ".join(f"{self.expression(t, 1)} AS c{i}" for i, t in enumerate(types))
        other = {INT: BIG, BIG: DEC, DEC: INT, DBL: INT, DAY: TS}
        right = ", ".join(self.expression(other.get(t, t) if self.chance(3) else t, 1) for t in types)
        word = self.of(["UNION", "UNION ALL", "INTERSECT", "EXCEPT"])
        return f"SELECT {left} FROM a{self._where()} {word} SELECT {right} FROM a{self._where()}"

    def nested(self) -> str:
        """Subqueries in FROM, as values and with correlation."""
        inner = ", ".join(f"{e} AS c{i}" for i, e in enumerate(self._some(2, most=2, types=(INT, TXT, DBL, DAY))))
        value = self.of(["(SELECT max(n) FROM c)", "(SELECT count(*) FROM c WHERE c.id = q.id)",
                         "(SELECT sum(c.n) FROM c WHERE c.s = q.k)", "q.id IN (SELECT c.id FROM c)",
                         "EXISTS (SELECT 1 FROM c WHERE c.n > q.id)", "(SELECT min(day) FROM c)"])  # fmt: skip
        return f"SELECT q.*, {value} AS v FROM (SELECT id, s AS k, {inner} FROM a{self._where()}) AS q"

    def unnested(self) -> str:
        """Arrays and maps as rows."""
        form = self.of([
            "CROSS JOIN UNNEST({arr}) AS u(x)", "LEFT JOIN UNNEST({arr}) AS u(x) ON true",
            "CROSS JOIN UNNEST({tarr}) WITH ORDINALITY AS u(x, o)", "CROSS JOIN UNNEST({map}) AS u(x, y)",
            "CROSS JOIN UNNEST({arr}, {tarr}) AS u(x, y)", "CROSS JOIN UNNEST(split(s, ',')) AS u(x)",
        ])  # fmt: skip
        text = self.filled(form, 1)
        names = text[text.rindex("u(") + 2 : text.index(")", text.rindex("u("))]
        return f"SELECT id, {names} FROM a {text}{self._where()}"

    def lateral(self) -> str:
        """A query over a query with totals."""
        self.columns = dict(COLUMNS["a"])
        key = self.of(["s", "b", "n", "day", "date_trunc('month', day)", "d"])
        inner = f"SELECT {key} AS k, {', '.join(self._totals())} FROM a GROUP BY {key}"
        return f"SELECT k, t0, row_number() OVER (ORDER BY k) AS r FROM ({inner}) AS q ORDER BY k NULLS FIRST"


def written(seed: int, number: int) -> Iterator[str]:
    """Yield so many different statements, the same ones for the same seed."""
    generator = random.Random(seed)
    writer = Writer(generator.randrange)
    seen: set[str] = set()
    while len(seen) < number:
        statement = writer.statement()
        if statement not in seen:
            seen.add(statement)
            yield statement
