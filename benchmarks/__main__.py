"""`python -m benchmarks [NAME ...]`: prints Markdown."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile

# Importing Airflow writes its configuration into AIRFLOW_HOME: not into the home of whoever measures.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="ringevents-bench-"))


def main() -> int:
    from benchmarks import download, imports

    benchmarks = {"imports": imports.report, "download": download.report}
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", default=list(benchmarks), help=f"which of {', '.join(benchmarks)}")
    names = parser.parse_args().names
    if unknown := [name for name in names if name not in benchmarks]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(benchmarks)}")
    load = os.getloadavg()[0]
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} CPUs, load {load:.1f}")
    for name in names:
        print(f"\n## {name}\n\n{benchmarks[name]()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
