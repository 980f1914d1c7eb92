"""The pytest fixtures for the tests of your own DAGs, available once the package is installed.

pytest loads this module at every start, so it imports pytest alone: your ``AIRFLOW_HOME`` and the time of your first
import of Airflow stay yours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_provider_ringevents.emulator import Emulator

MARKER = "ringevents_emulator"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(conn_id='ringevents_default', **settings): settings of the emulator that the fixture"
        " `ringevents_emulator` starts, and the id of the connection that leads to it",
    )


@pytest.fixture
def ringevents_emulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """Start an emulator of the Events API for one test, with the Airflow connection ``ringevents_default`` to it.

    It has the same content in every test, and reports are ready immediately. The marker ``ringevents_emulator`` changes
    its settings::

        @pytest.mark.ringevents_emulator(registrations=1000, report_seconds=2)
        def test_mine(ringevents_emulator): ...

    :returns: The running :class:`~airflow_provider_ringevents.emulator.Emulator`, with ``event_id``,
        ``organization_id``, ``template_id``, the received ``requests``, ``report_content(report_id)`` and
        ``fault("reset", ...)``.
    :raises ImportError: The extra ``emulator`` is not installed.
    """
    from airflow_provider_ringevents.emulator import Emulator

    settings: dict[str, Any] = {"seed": 1, "report_seconds": 0.0, "template_seconds": 0.0, "duplicate_seconds": 0.0}
    conn_id = "ringevents_default"
    for marker in reversed(list(request.node.iter_markers(MARKER))):
        given = dict(marker.kwargs)
        conn_id = given.pop("conn_id", conn_id)
        settings |= given
    with Emulator(**settings) as emulator:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", emulator.connection_json())
        yield emulator
