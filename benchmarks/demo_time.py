"""How long the demo takes after installation: build the lake, run every notebook, write the report.

    python benchmarks/demo_time.py

The limit is 180 s on 2 cores.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Run the demo in a temporary folder; its own lines give each stage."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).parent / "datalake-kit"), "demo", f"{folder}/lake"]
        started = time.perf_counter()
        subprocess.run([*command, "--report", f"{folder}/report"], check=True)
        print(f"demo, from nothing to the report: {time.perf_counter() - started:.0f} s (limit 180 s)")


if __name__ == "__main__":
    main()
