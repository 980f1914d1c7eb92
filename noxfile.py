"""All tests on every supported Airflow and Python: `make matrix`, or one of them: `nox -s "tests(3.1, 3.12)"`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["tests", "support"]

SUPPORTED = {
    "2.11": ("3.11", "3.12"),
    "3.0": ("3.11", "3.12"),
    "3.1": ("3.11", "3.12", "3.13"),
    "3.2": ("3.11", "3.12", "3.13"),
    "3.3": ("3.11", "3.12", "3.13"),
}
# In the matrix where the machine has the interpreter: not every Debian and Ubuntu has this one.
OPTIONAL = {"3.3": ("3.14",)}


def interpreter(version: str) -> str:
    """A Python of that version: from PATH, else pyenv's, whose shims are on PATH whether they lead anywhere or not."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"versions/{version}.*/bin/python"))]
    for candidate in filter(None, found):
        if subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:  # noqa: S603
            return str(candidate)
    return version


def combinations() -> list[tuple[str, str]]:
    """Each Airflow with each Python: those that every matrix has, and the optional ones that this machine has."""
    found = [(airflow, python) for airflow, pythons in SUPPORTED.items() for python in pythons]
    optional = [(airflow, python) for airflow, pythons in OPTIONAL.items() for python in pythons]
    return found + [(airflow, python) for airflow, python in optional if interpreter(python) != python]


RESULTS = Path(".nox") / "support"
_VERSION = "import platform; print(platform.python_version())"


@nox.session
@nox.parametrize(
    ("airflow", "python"),
    [nox.param(airflow, interpreter(python), id=f"{airflow}, {python}") for airflow, python in combinations()],
)
def tests(session: nox.Session, airflow: str) -> None:
    """The whole test suite; what stands behind `--` goes to pytest."""
    session.install(
        "--quiet",
        "--compile-bytecode",
        f"--constraint=constraints/airflow-{airflow}.txt",
        "--editable=.[amazon,emulator,parquet]",
        "--group=test",
    )
    python = str(session.run("python", "-c", _VERSION, silent=True)).strip()
    results = RESULTS / f"{airflow}-{python}.json"
    results.unlink(missing_ok=True)
    command = ["python", "-m", "pytest", "--numprocesses=4", "--dist=worksteal", "--quiet", *session.posargs]
    session.run(*command, env={"RINGEVENTS_SUPPORT": str(results)})


@nox.session(python=False)
def support(session: nox.Session) -> None:
    """The tables of the documentation, from the runs before."""
    pages = ("docs/generated/support.md", "docs/generated/behaviour.md")
    session.run("python", "scripts/support_table.py", str(RESULTS), *pages)
