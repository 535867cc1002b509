"""Run every benchmark, each in a process of its own; worlds.py, which measures no speed, is left out.

python benchmarks/run_all.py
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Print each command and what it says."""
    here = Path(__file__).parent
    for file in sorted(here.glob("*.py")):
        if file.name not in (Path(__file__).name, "worlds.py"):  # which takes a quarter of an hour
            print(f"\n$ python benchmarks/{file.name}", flush=True)
            subprocess.run([sys.executable, str(file)], check=True)


if __name__ == "__main__":
    main()
