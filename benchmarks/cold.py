"""What the package costs where it does nothing yet, or little: parsing a DAG file, one task's memory, the wheel.

Other providers may have an environment of their own: `BENCH_PEERS_PYTHON` is its interpreter.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import certificate, download
from benchmarks.machine import ROOT, Written, environment, interpreter

MIB = 2**20
TASKS = 100
_HEAD = """
from datetime import datetime
from airflow.sdk import DAG
{imported}
with DAG("many", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    for number in range({tasks}):
        {task}
"""
FILES = {
    "**ours**: `RingEventsReportToObjectStorageOperator`": (
        "from airflow_provider_ringevents.transfers.report_to_object_storage import"
        " RingEventsReportToObjectStorageOperator as Task",
        'Task(task_id=f"export_{number}", event_id="e", report_type="registrations",'
        ' destination=f"s3://aws@bucket/{number}.csv")',
    ),
    "`HttpOperator`": (
        "from airflow.providers.http.operators.http import HttpOperator as Task",
        'Task(task_id=f"export_{number}", method="POST", endpoint=f"v1/events/{number}/reports/registrations")',
    ),
    "`EmptyOperator` (what a DAG of so many tasks costs anyhow)": (
        "from airflow.providers.standard.operators.empty import EmptyOperator as Task",
        'Task(task_id=f"export_{number}")',
    ),
}
_PARSE = """
import json, runpy, sys, time
import airflow.sdk
from airflow.serialization.serialized_objects import DagSerialization
started, cpu = time.perf_counter(), time.process_time()
found = runpy.run_path(sys.argv[1])
parsed, used = time.perf_counter() - started, time.process_time() - cpu
cpu = time.process_time()
DagSerialization.to_dict(found["dag"])
print("result", json.dumps([parsed, used, time.process_time() - cpu]))
"""
_TASK = """
import json, os, re, sys
from types import SimpleNamespace
kind, bucket = sys.argv[1], "exports"

def memory(name):
    return int(re.search(rf"^{name}:\\s+(\\d+) kB", open("/proc/self/status").read(), re.MULTILINE)[1]) * 1024

def ours(connection, name):
    from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsDownloadReportOperator
    return RingEventsDownloadReportOperator(
        task_id="export", report_id="1", ringevents_conn_id=connection, destination=f"s3://aws@{bucket}/{name}"
    )

def http(connection, name):
    from airflow.providers.amazon.aws.transfers.http_to_s3 import HttpToS3Operator
    headers = {"Authorization": "Bearer " + json.loads(os.environ["AIRFLOW_CONN_" + connection.upper()])["password"]}
    return HttpToS3Operator(
        task_id="export", http_conn_id=connection + "_http", endpoint="v1/reports/1/download", headers=headers,
        s3_bucket=bucket, s3_key=name, aws_conn_id="aws", replace=True,
    )

def export(connection, name):
    task = {"ours": ours, "http": http}[kind](connection, f"{kind}-{name}")
    task.execute({"ti": SimpleNamespace(xcom_push=lambda **_: None), "task": task})

export("small", "small")  # what is imported and opened once is not counted
before = memory("VmRSS")
export("large", "large")
print("result", json.dumps([memory("VmHWM") - before, memory("VmHWM")]))
"""


def _printed(command: list[str], more: dict[str, str]) -> Any:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=ROOT, env={**environment(), **more})
    if done.returncode:
        raise RuntimeError(" ".join(done.stderr.strip().splitlines()[-1:]))
    # Airflow 2 logs to the standard output.
    (result,) = (line for line in done.stdout.splitlines() if line.startswith("result "))
    return json.loads(result.removeprefix("result "))


def parsing(runs: int) -> str:
    """Parsing a file of a hundred tasks in a new process, with `airflow.sdk` there already, as in the DAG processor."""
    lines = [
        f"| a DAG file of {TASKS} tasks | ms to parse | of these CPU | times ours | ms of CPU to serialize |",
        "|---|---:|---:|---:|---:|",
    ]
    first = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for label, (imported, task) in FILES.items():
            python = interpreter("airflow.providers.http") if "Http" in label else sys.executable
            if python is None:
                lines.append(f"| {label} | skipped: not installed | | | |")
                continue
            file = Path(folder) / "many.py"
            file.write_text(_HEAD.format(imported=imported, tasks=TASKS, task=task))
            samples = [_printed([python, "-c", _PARSE, str(file)], {}) for _ in range(runs + 1)]
            # The first one writes byte code.
            wall, cpu, packed = (statistics.median(column) * 1000 for column in zip(*samples[1:], strict=True))
            first = first or cpu
            lines.append(f"| {label} | {wall:.0f} | {cpu:.0f} | {cpu / first:.1f} | {packed:.0f} |")
    return "\n".join(lines)


def memory(sizes: tuple[int, ...]) -> str:
    """One task that writes a report to S3: peak memory over what it has after a small one."""
    # The tests are no package that is installed.
    sys.path.append(str(ROOT / "tests"))
    s3_server = importlib.import_module("s3_server")

    ways = {"ours": "**ours**: `RingEventsDownloadReportOperator`", "http": "`HttpToS3Operator`"}
    lines = [
        "| one report over TLS to S3 | size, MiB | peak memory over the baseline, MiB | of the process, MiB |",
        "|---|---:|---:|---:|",
    ]
    for size in sizes:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR"))))
            file = stack.enter_context(certificate.trusted())
            store = stack.enter_context(s3_server.S3Server(folder, certificate=file))
            store.make_bucket("exports")
            sizes_served = {"small": 1000, "large": size}
            servers = {name: stack.enter_context(download.serve(file, each)) for name, each in sizes_served.items()}
            told = {"AIRFLOW_CONN_AWS": json.dumps(store.airflow_connection())}
            # Over TLS, the checksum of an object would follow its body, which this server does not understand.
            told["AWS_REQUEST_CHECKSUM_CALCULATION"] = "when_required"
            for name, connection in servers.items():
                told[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps({"conn_type": "ringevents", **connection})
                plain = {"conn_type": "http", "host": connection["host"]}
                told[f"AIRFLOW_CONN_{name.upper()}_HTTP"] = json.dumps(plain)
            for kind, label in ways.items():
                python = sys.executable if kind == "ours" else interpreter("airflow.providers.amazon")
                if python is None:
                    lines.append(f"| {label} | skipped: not installed | | |")
                    continue
                grown, whole = _printed([python, "-c", _TASK, kind], told)
                written = (store.data_dir / "exports" / f"{kind}-large").stat().st_size
                if written != size:
                    raise RuntimeError(f"{kind} wrote {written} bytes instead of {size}")
                lines.append(f"| {label} | {size // MIB:,} | {grown / MIB:.0f} | {whole / MIB:.0f} |")
    return "\n".join(lines)


def wheel() -> str:
    """How large the package is."""
    uv = shutil.which("uv", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    if uv is None:
        return "The wheel was not built: there is no uv on this machine."
    with tempfile.TemporaryDirectory() as folder:
        command = [uv, "build", "--quiet", "--wheel", "--out-dir", folder]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            return f"The wheel was not built: {' '.join(done.stderr.strip().splitlines()[-1:])}"
        built = next(Path(folder).glob("*.whl"))
        with zipfile.ZipFile(built) as packed:
            unpacked = sum(entry.file_size for entry in packed.infolist())
            files = len(packed.infolist())
        size = built.stat().st_size
    return "\n".join(
        [
            "| the wheel | |",
            "|---|---:|",
            f"| size, KiB | {size / 1024:.0f} |",
            f"| unpacked, KiB | {unpacked / 1024:.0f} |",
            f"| files | {files} |",
        ]
    )


def report(*, full: bool = True) -> Written:
    """Three Markdown tables.

    :param full: a report of 512 MiB, too, which `HttpToS3Operator` takes a gigabyte for.
    """
    parsed = parsing(7 if full else 1)
    grown = memory((64 * MIB, 512 * MIB) if full else (16 * MIB,))
    return Written("\n\n".join([parsed, grown, wheel()]))
