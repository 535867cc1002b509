"""What queries on Athena cost, and the sum over a session.

Athena bills the bytes that a query reads, rounded up to a megabyte, 10 MB at least. Statements that define things
(DDL), failed queries and results that are given again are free; a cancelled query is billed for what it read. A
terabyte is taken as 2**40 bytes and a megabyte as 2**20.

Source: Amazon Athena pricing, https://aws.amazon.com/athena/pricing/ (per-query billing).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

MEGABYTE = 2**20
TERABYTE = 2**40
LEAST_MEGABYTES = 10


def cost_of(
    bytes_scanned: int | None,
    price_per_tb: float,
    *,
    state: str = "SUCCEEDED",
    statement_type: str = "DML",
    reused: bool = False,
) -> float:
    """Return US dollars for one query.

    Parameters
    ----------
    bytes_scanned
        Bytes read, as Athena says; None counts as 0.
    price_per_tb
        US dollars for a terabyte.
    state
        The query's state; a failed one is free.
    statement_type
        "DML", "DDL" or "UTILITY"; what reads nothing is free unless it is DML, where the least amount counts.
    reused
        Whether an earlier result was given again, which is free.

    Examples
    --------
    >>> cost_of(2**40, 5.0), cost_of(1, 5.0) == cost_of(10 * 2**20, 5.0)
    (5.0, True)
    """
    read = bytes_scanned or 0
    nothing = read == 0 and (statement_type != "DML" or state != "SUCCEEDED")
    if reused or state == "FAILED" or nothing:
        return 0.0
    return max(LEAST_MEGABYTES, math.ceil(read / MEGABYTE)) * MEGABYTE / TERABYTE * price_per_tb


@dataclass(frozen=True)
class QueryCost:
    """One query that Athena ran for this session; a statement may take several."""

    query_id: str
    state: str
    seconds: float
    bytes_scanned: int
    cost: float
    reused: bool = False
    file: str | None = None


@dataclass
class Costs:
    """What the queries of a session read and cost, those that failed or were cancelled included.

    `lake.costs.frame()` has one row a query.
    """

    each: list[QueryCost] = field(default_factory=list, repr=False)

    def add(self, query: QueryCost) -> None:
        """Count one query more."""
        self.each.append(query)

    @property
    def queries(self) -> int:
        """Number of queries that Athena ran."""
        return len(self.each)

    @property
    def bytes_scanned(self) -> int:
        """Bytes read by all of them."""
        return sum(q.bytes_scanned for q in self.each)

    @property
    def cost(self) -> float:
        """US dollars for all of them."""
        return math.fsum(q.cost for q in self.each)

    @property
    def seconds(self) -> float:
        """Seconds from start to end, summed."""
        return math.fsum(q.seconds for q in self.each)

    def frame(self) -> Any:
        """Return one row a query: query_id, state, seconds, bytes_scanned, cost, reused, file."""
        import pandas as pd

        return pd.DataFrame([vars(q) for q in self.each], columns=list(QueryCost.__dataclass_fields__))

    def __str__(self) -> str:
        read = shown_bytes(self.bytes_scanned)
        return f"{self.queries} queries, {read} read, {self.cost:.4f} USD, {self.seconds:.1f} s"

    def _repr_html_(self) -> str:
        return f"<p>{self}</p>{self.frame().to_html(index=False, escape=True)}"


def shown_bytes(number: float) -> str:
    """Write a number of bytes for people.

    >>> shown_bytes(0), shown_bytes(1_500_000), shown_bytes(10**13)
    ('0 B', '1.5 MB', '10.0 TB')
    """
    units = ["B", "kB", "MB", "GB", "TB"]
    power = 0 if number < 1 else min(len(units) - 1, int(math.log(number, 1000) + 1e-9))
    return f"{number:.0f} B" if power == 0 else f"{number / 1000**power:.1f} {units[power]}"
