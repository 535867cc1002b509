"""What only a change of the code would have shown: logs that completed late, files that were exchanged."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datalake_kit.errors import UnreadableFileError
from datalake_kit.hudi import open_snapshot
from datalake_kit.hudi.base_files import footers
from datalake_kit.hudi.rows import read_snapshot
from tests.hudi_logs import MorTable, data_block
from tests.replication import lake_of, odp_table

T = [f"2026010100000{n}000" for n in range(10)]


def _values(table: MorTable) -> dict[str, str]:
    return {r["id"]: r["v"] for r in read_snapshot(open_snapshot(table.folder)).to_pylist()}


def test_a_log_that_completed_after_a_base_file_was_begun_lies_over_it(tmp_path: Path) -> None:
    """From version 8 on a commit may be begun before a compaction and complete after it: its rows are not in there."""
    table = MorTable(tmp_path, version=8)
    table.put_base(T[0], [{"id": "a", "seq": 1, "v": "old"}, {"id": "b", "seq": 1, "v": "b"}])
    table.put_log(T[1], data_block(T[1], [{"id": "a", "seq": 2, "v": "from the log"}]))
    table.put_base(T[2], [{"id": "a", "seq": 1, "v": "compacted"}, {"id": "b", "seq": 1, "v": "b"}])
    assert _values(table)["a"] == "compacted"
    before = next(table.timeline.glob(f"{T[1]}_*"))
    before.rename(before.with_name(f"{T[1]}_{T[3]}.deltacommit"))
    assert _values(table) == {"a": "from the log", "b": "b"}


def test_a_base_file_that_was_exchanged_is_looked_at_anew(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": [1, 2]}), file)
    assert footers([file])[0].rows == 2
    pq.write_table(pa.table({"key": ["x"]}), file)
    assert footers([file])[0].rows == 1
    assert footers([file])[0].schema.names == ["key"]


@pytest.mark.parametrize("name", ["tables/v6_table_1", "tables/v8_table_1"])
def test_a_base_file_that_grew_is_noticed(name: str, tmp_path: Path) -> None:
    folder = lake_of(tmp_path, {"t": odp_table(name)}) / "taxi" / "t"
    file = open_snapshot(folder).all_files[0]
    Path(str(file)).write_bytes(b"more" + file.read_bytes())
    with pytest.raises(UnreadableFileError, match="bytes instead of"):
        open_snapshot(folder)
