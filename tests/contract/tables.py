"""The tables that the contract suite asks about, the same for every engine."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

ORDERS = pa.table(
    {
        "order_id": pa.array([1, 2, 3, 4], pa.int64()),
        "Customer": pa.array(["Ada", "", None, "O'Neil; -- :x"], pa.string()),
        "amount": pa.array([Decimal("10.50"), Decimal("-0.01"), None, Decimal("99999999.99")], pa.decimal128(10, 2)),
        "weight": pa.array([1.5, -0.0, None, 1e-7], pa.float64()),
        "paid": pa.array([True, False, None, True], pa.bool_()),
        "placed_at": pa.array(
            [
                dt.datetime(2026, 3, 1, 9, 0, 0, 1),
                dt.datetime(2026, 3, 29, 1, 30),
                None,
                dt.datetime(1969, 12, 31, 23, 59, 59),
            ],
            pa.timestamp("us"),
        ),
        "due": pa.array([dt.date(2026, 3, 1), dt.date(1970, 1, 1), None, dt.date(9999, 12, 31)], pa.date32()),
        "pieces": pa.array([2**62, -7, None, 0], pa.int64()),
        "day": pa.array(["2026-03-01", "2026-03-02", "2026-03-02", "2026-03-02"], pa.string()),
    }
)
CUSTOMERS = pa.table({"name": pa.array(["Ada", "Grace"]), "since": pa.array([2019, 2021], pa.int32())})


def write_lake(root: Path) -> Path:
    """Write both tables as a lake folder: shop.orders partitioned by day, shop.customers flat."""
    ds.write_dataset(
        ORDERS,
        root / "shop" / "orders",
        format="parquet",
        partitioning=ds.partitioning(pa.schema([("day", pa.string())]), flavor="hive"),
    )
    (root / "shop" / "customers").mkdir(parents=True)
    pq.write_table(CUSTOMERS, root / "shop" / "customers" / "part-0.parquet")
    return root
