"""`make dist`: builds the sdist and, from it, the wheel, and tries the wheel in an environment that has nothing else.

    python scripts/check_dist.py CONSTRAINTS [--tests]

``--tests`` runs the unit tests of the sdist as well, two minutes more.

The result is in ``dist/``. The environment is a temporary one; everything in it listens on 127.0.0.1 alone.
"""

from __future__ import annotations

import contextlib
import email
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
PACKAGE = "airflow_provider_ringevents"
LISTENING = "AIRFLOW_CONN_RINGEVENTS_DEFAULT="

USERS_TEST = """
def test_a_user_of_the_package(ringevents_emulator):
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

    with RingEventsHook() as hook:
        assert [each["id"] for each in hook.list_organizations()]
"""

TYPED_PROJECT = """
from collections.abc import Iterator
from typing import Any

from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsReportToObjectStorageOperator


def names(hook: RingEventsHook) -> Iterator[str]:
    for event in hook.list_events():
        yield str(event["name"])


def parameter(error: RingEventsConfigError) -> str | None:
    return error.parameter


def export(event_id: str) -> RingEventsReportToObjectStorageOperator:
    return RingEventsReportToObjectStorageOperator(
        task_id="export", event_id=event_id, report_type="registrations", destination="file:///tmp/r.csv"
    )


event: dict[str, Any] = RingEventsHook().get_event("id")
"""
MISTYPED_LINE = "number: int = RingEventsHook().get_event(3)\n"
PYRIGHT = "1.1.414"


class CheckFailedError(Exception):
    """Something is wrong with what was built."""


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """Run a program and return what it says; what it says is the error when it fails."""
    done = subprocess.run(  # noqa: S603 - our own programs and folders
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        raise CheckFailedError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def uv() -> str:
    """uv from PATH, else beside this Python."""
    for candidate in (shutil.which("uv"), str(Path(sys.executable).with_name("uv"))):
        # A pyenv shim is found on PATH even when nothing stands behind it.
        with contextlib.suppress(CheckFailedError, OSError):
            if candidate and run(candidate, "--version"):
                return candidate
    raise CheckFailedError("uv is neither on PATH nor beside this Python: pip install uv")


def build(constraints: Path) -> tuple[Path, Path]:
    """Build into an empty ``dist/``; the wheel is built from the sdist, which so is shown to suffice."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(uv(), "build", "--quiet", "--build-constraint", constraints, "--out-dir", DIST)
    sdists, wheels = list(DIST.glob("*.tar.gz")), list(DIST.glob("*.whl"))
    if len(sdists) != 1 or len(wheels) != 1:
        raise CheckFailedError(f"one sdist and one wheel were expected in {DIST}: {sorted(DIST.iterdir())}")
    return sdists[0], wheels[0]


def check_sdist(sdist: Path) -> None:
    """Everything that is tracked is in it, and nothing else."""
    listed = run("git", "ls-files", "-z").split("\0")
    tracked = {name for name in listed if name and (ROOT / name).is_file()}
    with tarfile.open(sdist) as archive:
        packed = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    if missing := sorted(tracked - packed):
        raise CheckFailedError(f"{sdist.name} lacks {', '.join(missing)}")
    if more := sorted(packed - tracked - {"PKG-INFO"}):
        raise CheckFailedError(f"{sdist.name} has what is not tracked: {', '.join(more)}")


def check_wheel(wheel: Path) -> None:
    """It holds the package, the marker of its types and its license, and declares what makes it a provider."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = next(name.partition("/")[0] for name in names if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(f"{info}/METADATA"))
        entry_points = archive.read(f"{info}/entry_points.txt").decode()
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / PACKAGE).rglob("*.py")}
    data = {f"{PACKAGE}/py.typed", f"{PACKAGE}/contract/openapi.json", f"{info}/licenses/LICENSE"}
    for name in sorted(data | modules):
        if name not in names:
            raise CheckFailedError(f"{wheel.name} lacks {name}")
    if strangers := {name.partition("/")[0] for name in names} - {PACKAGE, info}:
        raise CheckFailedError(f"{wheel.name} would install {', '.join(sorted(strangers))} as well")
    for group in ("[apache_airflow_provider]", "[pytest11]", "[console_scripts]"):
        if group not in entry_points:
            raise CheckFailedError(f"{wheel.name} declares no {group}")
    if "Framework :: Apache Airflow :: Provider" not in metadata.get_all("Classifier", []):
        raise CheckFailedError(f"{wheel.name} is not classified as a provider")


def try_emulator(programs: Path, environment: dict[str, str]) -> None:
    """It starts, the command line finds an organization on it, and it ends cleanly."""
    emulator = subprocess.Popen(  # noqa: S603 - our own programs and folders
        [programs / "ringevents", "emulator", "--port", "0"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = emulator.stdout.readline() if emulator.stdout else ""
        if not line.startswith(LISTENING):
            raise CheckFailedError(f"the emulator's first line is {line!r}")
        connected = environment | {"AIRFLOW_CONN_RINGEVENTS_DEFAULT": line.removeprefix(LISTENING).strip()}
        if "Northwind" not in run(programs / "ringevents", "organizations", "--output", "plain", env=connected):
            raise CheckFailedError("ringevents organizations does not list the emulator's first organization")
        host = json.loads(connected["AIRFLOW_CONN_RINGEVENTS_DEFAULT"])["host"]
        with urlopen(host) as page:  # noqa: S310 - our own server
            if b"RingCentral Events, emulated" not in page.read():
                raise CheckFailedError("the emulator does not serve its dashboard")
        emulator.send_signal(signal.SIGTERM)
        if code := emulator.wait(20):
            raise CheckFailedError(f"the emulator ended with {code}")
    finally:
        emulator.kill()
        emulator.wait()


def try_wheel(wheel: Path, constraints: Path, folder: Path) -> None:
    """Install it into an empty environment, far from the source, and use what it brings."""
    venv = folder / "venv"
    programs = venv / "bin"
    run(uv(), "venv", "--quiet", "--no-project", "--python", sys.executable, venv)
    run(
        *(uv(), "pip", "install", "--quiet", "--python", programs / "python", "--constraints", constraints),
        *(f"{wheel}[emulator]", "pytest"),
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
    environment |= {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "PYTHONWARNINGS": "ignore",
        "VIRTUAL_ENV": str(venv),
    }

    place = run(programs / "python", "-c", f"import {PACKAGE} as p; print(p.__file__)", cwd=folder, env=environment)
    if not place.startswith(str(venv)):
        raise CheckFailedError(f"the package comes from {place}, not from the wheel")
    if "export-report" not in run(programs / "ringevents", "--help", cwd=folder, env=environment):
        raise CheckFailedError("ringevents --help does not show its commands")
    providers = run(programs / "airflow", "providers", "list", "--output", "plain", cwd=folder, env=environment)
    if "airflow-provider-ringevents" not in providers:
        raise CheckFailedError(f"airflow providers list does not show the provider:\n{providers}")
    (folder / "test_user.py").write_text(USERS_TEST)
    run(programs / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", folder, cwd=folder, env=environment)
    try_emulator(programs, environment)


def check_types(folder: Path) -> None:
    """A project of a user that the wheel is installed for is checked by it: mypy and pyright read its types.

    A mistaken line has to be found, too: without ``py.typed`` everything would be Any.
    """
    python = folder / "venv" / "bin" / "python"
    project = folder / "project"
    project.mkdir()
    (project / "good.py").write_text(TYPED_PROJECT)
    (project / "mistaken.py").write_text(TYPED_PROJECT + MISTYPED_LINE)
    npm = ("npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", folder / "npm")
    run(*npm, f"pyright@{PYRIGHT}", cwd=project)
    pyright = folder / "npm" / "node_modules" / ".bin" / "pyright"
    mypy = (sys.executable, "-m", "mypy", "--strict", "--cache-dir", folder / "mypy", "--python-executable", python)
    for checker in ((*mypy, "--follow-imports=silent"), (pyright, "--pythonpath", python)):
        run(*checker, project / "good.py", cwd=project)
        try:
            run(*checker, project / "mistaken.py", cwd=project)
        except CheckFailedError as error:
            if "mistaken.py" not in str(error) or "int" not in str(error):
                raise
        else:
            raise CheckFailedError(f"{Path(checker[0]).name} finds nothing wrong with {MISTYPED_LINE.strip()!r}")


def try_sdist(sdist: Path, constraints: Path, folder: Path) -> None:
    """Run the unit tests of the sdist in an environment made from it, where there is no checkout."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    venv = folder / "source-venv"
    run(uv(), "venv", "--quiet", "--no-project", "--python", sys.executable, venv)
    python = venv / "bin" / "python"
    install = (uv(), "pip", "install", "--quiet", "--python", python, "--constraints", constraints)
    run(*install, "--editable", ".[amazon,emulator,parquet]", "--group", "test", cwd=source)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
    environment.pop("RINGEVENTS_NO_SKIP", None)
    run(python, "-m", "pytest", "-q", "-m", "unit", "--numprocesses=4", cwd=source, env=environment)


def check_extras(constraints: Path, folder: Path) -> None:
    """All extras can be installed together on the Airflow of the constraints. Nothing is: versions are chosen only.

    The other constraints do not count: they are of an environment without Google's provider, which holds some back.
    """
    pinned = folder / "airflow.txt"
    lines = constraints.read_text().splitlines()
    pinned.write_text(next(line for line in lines if line.startswith("apache-airflow==")))
    run(
        *(uv(), "pip", "compile", "--quiet", "--python", sys.executable, "--constraint", pinned),
        *("--extra", "all", ROOT / "pyproject.toml"),
    )


def main(constraints: Path, *, tests: bool = False) -> int:
    """Go through all steps, with the seconds of each."""

    def step(title: str, act: Callable[[], object]) -> None:
        started = time.monotonic()
        act()
        sys.stdout.write(f"  {title}: {time.monotonic() - started:.1f} s\n")
        sys.stdout.flush()

    try:
        with tempfile.TemporaryDirectory(prefix="ringevents-dist-") as folder, ThreadPoolExecutor() as pool:
            # It waits for the network most of the time.
            extras = pool.submit(check_extras, constraints, Path(folder))
            step("sdist and wheel built", lambda: build(constraints))
            sdist, wheel = next(DIST.glob("*.tar.gz")), next(DIST.glob("*.whl"))
            step("all tracked files in the sdist", lambda: check_sdist(sdist))
            step("package and declarations in the wheel", lambda: check_wheel(wheel))
            module = (sys.executable, "-m")
            step("twine check", lambda: run(*module, "twine", "--no-color", "check", "--strict", sdist, wheel))
            step("check-wheel-contents", lambda: run(*module, "check_wheel_contents", wheel))
            step("installed and tried", lambda: try_wheel(wheel, constraints, Path(folder)))
            step("types read by mypy and pyright", lambda: check_types(Path(folder)))
            if tests:
                step("unit tests of the sdist", lambda: try_sdist(sdist, constraints, Path(folder)))
            step("all extras fit together", extras.result)
    except CheckFailedError as e:
        sys.stderr.write(f"{e}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), tests="--tests" in sys.argv[2:]))
