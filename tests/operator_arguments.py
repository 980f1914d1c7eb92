"""All operators and sensors of the package, each with arguments that it accepts."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import Any, Final

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_ringevents.client import Client, endpoints

_TIMES: Final = {"time_start": "2027-05-01T09:00", "time_end": "2027-05-01T10:00", "timezone": "Europe/Berlin"}

ARGUMENTS: Final[dict[str, dict[str, Any]]] = {
    "RingEventsCollectionToObjectStorageOperator": {
        "collection": "registrations",
        "parent_id": "e1",
        "destination": "file:///tmp/x.jsonl",
    },
    "RingEventsCreateDataSubscriptionOperator": {
        "event_id": "e1",
        "configuration": {"url": "https://example.org", "expiresAt": "2027-06-01T00:00:00Z"},
        "signals": ["attendance"],
    },
    "RingEventsCreateEventFromTemplateOperator": {"template_id": "t1", "name": "Summit", **_TIMES},
    "RingEventsCreateEventOperator": {"name": "Summit", "currency": "EUR", **_TIMES},
    "RingEventsCreateMagicLinkOperator": {
        "ticket_id": "t1",
        "attendees": [{"email": "ada@example.org", "firstName": "Ada", "lastName": "Lovelace"}],
    },
    "RingEventsCreateRegistrationOperator": {
        "event_id": "e1",
        "ticket_id": "t1",
        "email": "ada@example.org",
        "first_name": "Ada",
        "last_name": "Lovelace",
    },
    "RingEventsCreateReportOperator": {"event_id": "e1", "report_type": "registrations"},
    "RingEventsCreateTicketOperator": {"event_id": "e1", "name": "VIP"},
    "RingEventsDeleteMagicLinkOperator": {"magic_link_id": "l1"},
    "RingEventsDownloadReportOperator": {"report_id": "r1", "destination": "file:///tmp/x.csv"},
    "RingEventsDuplicateEventOperator": {"event_id": "e1"},
    "RingEventsEventSensor": {"event_id": "e1"},
    "RingEventsObjectStorageToMagicLinksOperator": {
        "ticket_id": "t1",
        "source": "file:///tmp/people.csv",
        "results": "file:///tmp/results.csv",
    },
    "RingEventsObjectStorageToRegistrationsOperator": {
        "event_id": "e1",
        "source": "file:///tmp/people.csv",
        "results": "file:///tmp/results.csv",
    },
    "RingEventsReportSensor": {"report_id": "r1"},
    "RingEventsReportToObjectStorageOperator": {
        "event_id": "e1",
        "report_type": "registrations",
        "destination": "file:///tmp/x.csv",
    },
    "RingEventsUpdateRegistrationOperator": {"registration_id": "r1", "metadata": {"seat": "B2"}},
}


def public_operators() -> list[type[Any]]:
    """Return the public operators and sensors of all rooms, by name."""
    found = {}
    for room in ("operators", "sensors", "transfers"):
        package = importlib.import_module(f"airflow_provider_ringevents.{room}")
        for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for name, value in vars(importlib.import_module(info.name)).items():
                if inspect.isclass(value) and issubclass(value, BaseOperator) and name.startswith("RingEvents"):
                    found[name] = value
    return [cls for name, cls in sorted(found.items()) if "Base" not in name]


OPERATORS: Final = public_operators()


def make(operator: type[Any], **arguments: Any) -> Any:
    """Return a task with the accepted arguments of its operator; those given here win."""
    return operator(**{"task_id": "task", **ARGUMENTS[operator.__name__], **arguments})


def own_parameters(operator: type[Any]) -> dict[str, inspect.Parameter]:
    """Return the keyword parameters that the package adds to those of Airflow."""
    return {
        name: parameter
        for cls in operator.__mro__
        if cls.__module__.startswith("airflow_provider_ringevents")
        for name, parameter in inspect.signature(cls.__init__).parameters.items()
        if name != "self" and parameter.kind is parameter.KEYWORD_ONLY
    }


def working_arguments(emulator: Any, folder: Path) -> dict[str, dict[str, Any]]:
    """Return arguments for each operator with which its task succeeds on the emulator.

    :param emulator: an emulator whose reports are ready at once.
    :param folder: the folder for files.
    """
    event = emulator.state.events[emulator.event_id]
    ticket = next(iter(event.tickets))
    with Client(emulator.url, emulator.api_key) as client:
        registration = next(client.items(endpoints.list_registrations(event.id)))["id"]
        report = client.send(endpoints.create_report(event.id, "registrations"))["data"]["id"]
        guest = {"email": "guest@example.org", "firstName": "Guest", "lastName": "One"}
        link = client.send(endpoints.create_magic_link(ticket, guest))["data"]["id"]
    (folder / "people.csv").write_text("email,firstName,lastName\nbob@example.org,Bob,Builder\n")
    files = {"source": f"file://{folder}/people.csv", "results": f"file://{folder}/results.csv"}
    own: dict[str, dict[str, Any]] = {
        "RingEventsCollectionToObjectStorageOperator": {
            "parent_id": event.id,
            "destination": f"file://{folder}/registrations.jsonl",
        },
        "RingEventsCreateDataSubscriptionOperator": {"event_id": event.id},
        "RingEventsCreateEventFromTemplateOperator": {"template_id": emulator.template_id},
        "RingEventsCreateEventOperator": {},
        "RingEventsCreateMagicLinkOperator": {"ticket_id": ticket},
        "RingEventsCreateRegistrationOperator": {"event_id": event.id, "ticket_id": ticket},
        "RingEventsCreateReportOperator": {"event_id": event.id},
        "RingEventsCreateTicketOperator": {"event_id": event.id},
        "RingEventsDeleteMagicLinkOperator": {"magic_link_id": link},
        "RingEventsDownloadReportOperator": {"report_id": report, "destination": f"file://{folder}/downloaded.csv"},
        "RingEventsDuplicateEventOperator": {"event_id": event.id, "poll_interval": 0.1},
        "RingEventsEventSensor": {"event_id": event.id, "poke_interval": 0.1},
        "RingEventsObjectStorageToMagicLinksOperator": {"ticket_id": ticket, **files},
        "RingEventsObjectStorageToRegistrationsOperator": {"event_id": event.id, "ticket_id": ticket, **files},
        "RingEventsReportSensor": {"report_id": report, "poke_interval": 0.1},
        "RingEventsReportToObjectStorageOperator": {
            "event_id": event.id,
            "destination": f"file://{folder}/report.csv",
            "poll_interval": 0.1,
        },
        "RingEventsUpdateRegistrationOperator": {"registration_id": registration},
    }
    return {name: {**arguments, **own[name]} for name, arguments in ARGUMENTS.items()}
