"""`python -m benchmarks [NAME ...]`: prints Markdown."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable

NAMES = ("imports", "download", "collections")

# Importing Airflow writes its configuration into AIRFLOW_HOME: not into the home of whoever measures.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="ringevents-bench-"))


def main() -> int:
    from benchmarks import collections, download, imports

    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", default=list(NAMES), help=f"which of {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="collections: without the million rows, one run each")
    parser.add_argument("--write", action="store_true", help="collections: tables and plot into docs/, too")
    arguments = parser.parse_args()
    benchmarks: dict[str, Callable[[], str]] = {
        "imports": imports.report,
        "download": download.report,
        "collections": lambda: collections.report(full=not arguments.quick, write=arguments.write),
    }
    if unknown := [name for name in arguments.names if name not in benchmarks]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    load = os.getloadavg()[0]
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} CPUs, load {load:.1f}")
    for name in arguments.names:
        print(f"\n## {name}\n\n{benchmarks[name]()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
