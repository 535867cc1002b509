"""Two copies of a table compared, and a table against its DMS files: time and memory, beside datacompy.

    python benchmarks/cdc_compare.py [--pandas] [--rows 1369769] [--folder KEPT]

1,369,769 rows x 20 columns, 100,000 changes, one change file of ten never processed. Every figure is the middle one of
three processes, without imports; memory is the peak of the whole process. The peers read the same Parquet files;
datacompy on Polars runs once, on pandas once and only when asked for (minutes).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from generate_taxi import ROWS, WITHHELD, generate

MEASURE = """
import resource, sys, time
{imports}
folder = {folder!r}
ours, theirs = f"{{folder}}/expected.parquet", f"{{folder}}/taxi/table_1"
begun = time.perf_counter()
{body}
print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, found)
"""
IMPORTS = "import pandas, pyarrow.parquet, duckdb, datalake_kit as dk, datalake_kit.cdc.validation"
KEYS = """
from pathlib import Path
from datalake_kit.cdc.copies import compare_copies
found = sum(compare_copies([Path(ours)], sorted(Path(theirs).iterdir()), ["PK_ID"]).counts.values())
"""
COLUMNS = """
from pathlib import Path
from datalake_kit.cdc.copies import compare_copies
copies = compare_copies([Path(ours)], sorted(Path(theirs).iterdir()), ["PK_ID"], columns=True)
found = sum(copies.counts.values()), sum(copies.by_column.values())
"""
THREE_WAY = """
with dk.connect(folder) as lake:
    check = dk.cdc.validate(lake, ["taxi.table_1"], keys="PK_ID", level="values")
assert check.findings["file"].nunique() == 1, check.sentence
found = len(check.findings)
"""
POLARS = """
one, other = pl.read_parquet(ours), pl.read_parquet(f"{theirs}/*.parquet")
compared = datacompy.PolarsCompare(one, other, join_columns="PK_ID")
found = len(compared.df1_unq_rows) + len(compared.df2_unq_rows), compared.matches()
"""
PANDAS = """
one, other = pd.read_parquet(ours), pd.read_parquet(theirs)
compare = getattr(datacompy, "PandasCompare", None) or datacompy.Compare
compared = compare(one, other, join_columns="PK_ID")
found = len(compared.df1_unq_rows) + len(compared.df2_unq_rows), compared.matches()
"""
JOBS = (
    ("keys and row hash of two copies", KEYS, 1.0, 300),
    ("which columns differ", COLUMNS, 2.0, 500),
    ("three-way: full load + changes -> expected -> lake, values", THREE_WAY, 5.0, 1200),
)


def main() -> None:
    """Make the table, and time each job in processes of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pandas", action="store_true")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(options.folder or scratch)
        if not (folder / "expected.parquet").exists():
            generate(folder, options.rows, withheld=WITHHELD)
        peer = _peers(folder, options.pandas)
        for name, body, seconds, megabytes in JOBS:
            took, peak, found = sorted(_run(folder, IMPORTS, body) for _ in range(3))[1]
            ratio = f", {peer / took:.1f} times as fast as datacompy on Polars" if peer else ""
            verdict = "within" if took <= seconds and peak <= megabytes else "ABOVE"
            print(f"{name}: {took:.2f} s, {peak:.0f} MB ({found}); {verdict} {seconds:g} s, {megabytes} MB{ratio}")


def _peers(folder: Path, pandas: bool) -> float | None:
    """Time the peers that are installed; return the seconds of datacompy on Polars."""
    first = None
    for name, imports, body, wanted in (
        ("datacompy on Polars", "import datacompy, polars as pl", POLARS, True),
        ("datacompy on pandas", "import datacompy, pandas as pd", PANDAS, pandas),
    ):
        if not wanted:
            continue
        try:
            took, peak, found = _run(folder, imports, body)
        except subprocess.CalledProcessError as problem:
            print(f"{name}: not measured ({problem.stderr.strip().splitlines()[-1]})")
            continue
        print(f"{name}: {took:.2f} s, {peak:.0f} MB ({found})")
        first = first or (took if "Polars" in name else None)
    return first


def _run(folder: Path, imports: str, body: str) -> tuple[float, float, str]:
    code = MEASURE.format(imports=imports, folder=str(folder), body=body)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    seconds, megabytes, found = done.stdout.splitlines()[-1].split(" ", 2)
    return float(seconds), float(megabytes), found


if __name__ == "__main__":
    main()
