"""What a query costs, and the sum of a session."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalake_kit.engines.athena.costs import LEAST_MEGABYTES, MEGABYTE, TERABYTE, Costs, QueryCost, cost_of

LEAST = LEAST_MEGABYTES * MEGABYTE / TERABYTE * 5


@pytest.mark.parametrize(
    ("read", "megabytes"),
    [(0, 10), (1, 10), (10 * MEGABYTE, 10), (10 * MEGABYTE + 1, 11), (12 * MEGABYTE - 1, 12), (TERABYTE, 2**20)],
)
def test_bytes_are_rounded_up_to_a_megabyte_ten_at_least(read: int, megabytes: int) -> None:
    assert cost_of(read, 5.0) == pytest.approx(megabytes * MEGABYTE / TERABYTE * 5)


@pytest.mark.parametrize(
    ("state", "kind", "reused", "read", "cost"),
    [
        ("SUCCEEDED", "DML", True, 0, 0.0),
        ("SUCCEEDED", "DML", True, TERABYTE, 0.0),
        ("FAILED", "DML", False, TERABYTE, 0.0),
        ("CANCELLED", "DML", False, TERABYTE, 5.0),
        ("CANCELLED", "DML", False, 0, 0.0),
        ("SUCCEEDED", "DDL", False, 0, 0.0),
        ("SUCCEEDED", "UTILITY", False, 0, 0.0),
        ("SUCCEEDED", "DDL", False, 1, LEAST),  # CREATE TABLE AS reads
        ("RUNNING", "DML", False, TERABYTE, 5.0),
    ],
)
def test_what_is_free(state: str, kind: str, reused: bool, read: int, cost: float) -> None:
    assert cost_of(read, 5.0, state=state, statement_type=kind, reused=reused) == pytest.approx(cost)


@given(st.integers(0, 10**16), st.integers(0, 10**9), st.floats(0, 1000))
def test_more_bytes_never_cost_less_and_never_less_than_their_share(read: int, more: int, price: float) -> None:
    assert cost_of(read + more, price) >= cost_of(read, price) >= read / TERABYTE * price * (1 - 1e-12)


def test_a_session_sums() -> None:
    costs = Costs()
    assert (costs.queries, costs.bytes_scanned, costs.cost, costs.seconds) == (0, 0, 0.0, 0.0)
    assert list(costs.frame().columns) == ["query_id", "state", "seconds", "bytes_scanned", "cost", "reused", "file"]
    costs.add(QueryCost("a", "SUCCEEDED", 1.5, 10, 0.1))
    costs.add(QueryCost("b", "FAILED", 0.5, 5, 0.0, file="<b>.sql"))
    assert (costs.queries, costs.bytes_scanned, costs.cost, costs.seconds) == (2, 15, 0.1, 2.0)
    assert costs.frame()["query_id"].tolist() == ["a", "b"]
    assert "<b>.sql" not in costs._repr_html_()
    assert "2 queries, 15 B read, 0.1000 USD, 2.0 s" in costs._repr_html_()
