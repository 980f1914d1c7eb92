"""`python -m benchmarks [NAME ...]`: prints Markdown."""

from __future__ import annotations

import argparse
import atexit
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable

from benchmarks.machine import Written, write

NAMES = ("imports", "cold", "download", "collections", "lookup", "bulk", "fleet")

# Importing Airflow writes its configuration into AIRFLOW_HOME: not into the home of whoever measures.
if "AIRFLOW_HOME" not in os.environ:
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="ringevents-bench-")
    atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)


def main() -> int:
    from benchmarks import bulk, cold, collections, download, fleet, imports, lookup, scale

    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", default=["all"], help=f"which of {', '.join(NAMES)}; default: all")
    parser.add_argument("--quick", action="store_true", help="small sizes, one run each: to see that they run")
    parser.add_argument("--write", action="store_true", help="tables and plots into docs/, too")
    arguments = parser.parse_args()
    full = not arguments.quick
    benchmarks: dict[str, Callable[[], Written]] = {
        "imports": lambda: imports.report(7 if full else 1),
        "cold": lambda: cold.report(full=full),
        "download": lambda: download.report() if full else download.report(16 * download.MIB, 1),
        "collections": lambda: collections.report(full=full),
        "lookup": lambda: lookup.report(full=full),
        "bulk": lambda: bulk.report(full=full),
        "fleet": lambda: fleet.report(full=full),
    }
    names = list(NAMES) if "all" in arguments.names else arguments.names
    if unknown := [name for name in names if name not in benchmarks]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}, and all")
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} CPUs")
    for name in names:
        load = os.getloadavg()[0]
        print(f"\n## {name} (load {load:.1f})\n", flush=True)
        found = benchmarks[name]()
        print(found.text, flush=True)
        if arguments.write:
            write(name, found, load, " ".join(sys.argv[1:]))
    if arguments.write:
        scale.PAGE.write_text(scale.text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
