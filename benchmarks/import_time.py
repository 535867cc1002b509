"""What `import datalake_kit` costs over starting Python alone.

    python benchmarks/import_time.py

Fresh processes in turn; medians. The limit is 0.2 s (a test holds the modules that are loaded, not the clock).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 15


def seconds(statement: str) -> float:
    """Wall seconds of a fresh Python that runs a statement."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Print the medians."""
    bare, ours, frames = zip(
        *((seconds("pass"), seconds("import datalake_kit"), seconds("import pandas")) for _ in range(RUNS)), strict=True
    )
    base = statistics.median(bare)
    print(f"python alone         {base:.3f} s")
    print(f"import datalake_kit  +{statistics.median(ours) - base:.3f} s")
    print(f"import pandas        +{statistics.median(frames) - base:.3f} s   (for comparison)")


if __name__ == "__main__":
    main()
