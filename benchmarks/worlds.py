"""Random replicated tables, damaged and not, held against pipelines played in plain Python: the long run.

    python benchmarks/worlds.py [worlds]

Runs tests/unit/test_cdc_worlds.py with 10,000 worlds in each of its six tests of explanations, and as many again, forty
to a table, through files on disk and `dk.cdc.expected`, and through `dk.cdc.validate`, plain Parquet and Hudi. Exits
with 1 when one of them is not as the oracle says. The tests run on every change with some thousands of worlds.

Last result: 8 x 10,000 worlds: as the oracle says, 998 s (two cores shared with other work)
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> int:
    worlds = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    command = [sys.executable, "-m", "pytest", "-q", "--timeout=3600", "-p", "no:cacheprovider"]
    begun = time.perf_counter()
    done = subprocess.run(
        [*command, "tests/unit/test_cdc_worlds.py"], cwd=ROOT, env=os.environ | {"DATALAKE_KIT_WORLDS": str(worlds)}
    )
    tests = f"8 x {worlds:,} worlds"
    verdict = "as the oracle says" if done.returncode == 0 else "NOT as the oracle says"
    print(f"{tests}: {verdict}, {time.perf_counter() - begun:.0f} s")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
