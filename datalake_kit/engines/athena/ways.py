"""By which way the rows of a statement come: the rule, from the statement's text alone.

The ordinary result at once, because it is small or because UNLOAD does not take the statement:

- everything but SELECT, WITH and VALUES;
- VALUES; SELECT without FROM; a LIMIT of 10,000 rows or less; aggregates such as count and sum without GROUP BY; and
  whatever may be answered by an earlier result (those of UNLOAD may not). If there is an array, a map or a row in it
  after all, the statement is run a second time, by UNLOAD.

For the others the columns are asked for first, which reads no data and costs nothing (`SELECT * FROM (...) WHERE
false`). Then: UNLOAD, unless the statement orders its rows: files written side by side keep no order. Arrays, maps and
rows come by UNLOAD in any case; where the rows are ordered, they are numbered there and put in that order here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datalake_kit.engines.dialect import is_read_only, statement_kind
from datalake_kit.engines.dialect.parsing import parse
from datalake_kit.errors import SqlError, UnsupportedSqlError

SMALL_LIMIT = 10_000
_SMALL = """
    count sum avg min max count_if bool_and bool_or every stddev stddev_pop stddev_samp variance var_pop var_samp
    approx_distinct approx_percentile corr covar_pop covar_samp checksum geometric_mean skewness kurtosis
"""
_SMALL_AGGREGATES = frozenset(_SMALL.split())
_NESTING = """
    array_agg map_agg multimap_agg map_union histogram numeric_histogram approx_most_frequent min_by max_by
    arbitrary any_value set_agg set_union row
"""
_NESTING_CALLS = frozenset(_NESTING.split())


@dataclass(frozen=True)
class Shape:
    """What the text of a statement tells.

    Attributes
    ----------
    is_query
        Whether UNLOAD takes it.
    is_small
        Whether it gives few rows, whatever the data.
    order
        How it orders its rows; empty where it does not.
    """

    is_query: bool
    is_small: bool
    order: tuple[Any, ...] = ()
    selected: tuple[Any, ...] = ()

    def order_by(self, names: Sequence[str]) -> str:
        """Write the order by the columns c0, c1, ... of the result.

        Raises
        ------
        UnsupportedSqlError
            The rows are ordered by what is no column of the result.
        """
        return ", ".join(self._key(item, [n.lower() for n in names]) for item in self.order)

    def _key(self, item: Any, names: list[str]) -> str:
        place = self._place(item.this, names)
        if place is None:
            raise UnsupportedSqlError(
                f"The result comes by UNLOAD, where rows keep the order of columns of the result only, and "
                f"ORDER BY {item.this.sql('trino')} is none of them. Select it as a column of its own name, and order "
                "by that name."
            )
        nulls = "FIRST" if item.args.get("nulls_first") else "LAST"
        return f"c{place} {'DESC' if item.args.get('desc') else 'ASC'} NULLS {nulls}"

    def _place(self, key: Any, names: list[str]) -> int | None:
        from sqlglot import exp

        if isinstance(key, exp.Literal) and not key.is_string and 1 <= int(key.this) <= len(names):
            return int(key.this) - 1
        if isinstance(key, exp.Column) and not key.table and names.count(key.name.lower()) == 1:
            return names.index(key.name.lower())
        same = [i for i, selected in enumerate(self.selected) if selected.unalias() == key]
        starred = any(selected.is_star for selected in self.selected)
        return same[0] if same and not starred and len(self.selected) == len(names) else None


ORDINARY = Shape(is_query=False, is_small=True)


def shape_of(text: str) -> Shape:
    """Return what the text of a statement tells about its result.

    Examples
    --------
    >>> shape_of("SELECT count(*) AS n FROM taxi.table_1").is_small
    True
    >>> shape_of("SELECT fare FROM taxi.table_1 ORDER BY fare DESC").order_by(["fare"])
    'c0 DESC NULLS LAST'
    """
    from sqlglot import exp

    if not is_read_only(text) or statement_kind(text) not in ("SELECT", "WITH", "VALUES", "TABLE", "("):
        return ORDINARY
    try:
        tree = parse(text)
    except SqlError:
        return ORDINARY  # Athena says what is wrong with it
    if isinstance(tree, exp.Values):
        return Shape(is_query=True, is_small=True)
    if not isinstance(tree, exp.Query):
        return ORDINARY
    order = tree.args.get("order")
    selected = tuple(tree.expressions) if isinstance(tree, exp.Select) else ()
    small = _limited(tree) or _aggregated(tree) or (isinstance(tree, exp.Select) and _from_nothing(tree))
    return Shape(True, small, tuple(order.expressions) if order else (), selected)


def _from_nothing(tree: Any) -> bool:
    return not any(tree.args.get(word) for word in ("from", "from_", "joins", "laterals"))


def _limited(tree: Any) -> bool:
    limit = tree.args.get("limit")
    count = None if limit is None else limit.args.get("expression") or limit.args.get("count")
    return count is not None and str(count.name).isdecimal() and int(count.name) <= SMALL_LIMIT


def _aggregated(tree: Any) -> bool:
    """Whether every column is made of aggregates that give one number, over all rows, or is a constant beside them."""
    from sqlglot import exp

    if not isinstance(tree, exp.Select) or tree.args.get("group"):
        return False
    others = [selected for selected in tree.expressions if not _is_aggregate(selected)]
    return len(others) < len(tree.expressions) and all(_is_constant(selected) for selected in others)


def _is_constant(selected: Any) -> bool:
    from sqlglot import exp

    return selected.find(exp.Column, exp.Star, exp.Array, exp.Subquery, exp.Func) is None


def _is_aggregate(selected: Any) -> bool:
    from sqlglot import exp

    calls = [str(call.name).lower() for call in selected.find_all(exp.Func)]
    if any(selected.find_all(exp.Window, exp.Array, exp.Subquery)) or _NESTING_CALLS & set(calls):
        return False
    return bool(_SMALL_AGGREGATES & set(calls))
