"""How time and memory of a validation grow with the rows: 0.1, 1 and 10 million, every value compared.

    python benchmarks/cdc_growth.py [rows ...]

Full load + 100,000 changes -> expected -> lake, once with nothing wrong and once with one change file of ten never
processed. Each run is a process of its own; memory is the peak of the whole process, imports and all. There is no peer.
Memory must not follow the rows: a hundred times the rows may take twice the memory.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from generate_taxi import WITHHELD, generate

ROWS = (100_000, 1_000_000, 10_000_000)
MOST_GROWTH = 2.0
CODE = """
import resource, time
import pandas, pyarrow.parquet, duckdb, datalake_kit as dk, datalake_kit.cdc.validation
begun = time.perf_counter()
with dk.connect({folder!r}) as lake:
    check = dk.cdc.validate(lake, ["taxi.table_1"], keys="PK_ID", level="values")
assert check.ok == {sound}, check.sentence
print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, len(check.findings))
"""


def main() -> None:
    """Make each table, validate it, and hold the memory of the largest against that of the smallest."""
    sizes = [int(a) for a in sys.argv[1:]] or list(ROWS)
    peaks: dict[bool, list[float]] = {True: [], False: []}
    for rows in sizes:
        for withheld in (None, WITHHELD):
            sound = withheld is None
            with tempfile.TemporaryDirectory() as folder:
                generate(Path(folder), rows, withheld=withheld)
                seconds, megabytes, found = _run(folder, sound)
            peaks[sound].append(megabytes)
            what = "nothing wrong" if sound else f"{found} keys differ"
            print(f"{rows:>11,} rows, {what}: {seconds:.2f} s, {megabytes:.0f} MB", flush=True)
    if len(sizes) > 1:
        for sound, found_peaks in peaks.items():
            growth = found_peaks[-1] / found_peaks[0]
            verdict = "within" if growth <= MOST_GROWTH else "ABOVE"
            name = "nothing wrong" if sound else "one file withheld"
            print(f"{name}: {sizes[-1] / sizes[0]:.0f} times the rows take {growth:.2f} times the memory; {verdict} "
                  f"{MOST_GROWTH:g}")  # fmt: skip


def _run(folder: str, sound: bool) -> tuple[float, float, int]:
    code = CODE.format(folder=folder, sound=sound)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    seconds, megabytes, found = done.stdout.split()
    return float(seconds), float(megabytes), int(found)


if __name__ == "__main__":
    main()
