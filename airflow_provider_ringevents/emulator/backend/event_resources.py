"""Booths, stages, sessions, schedule items and tags, computed from the number of their event."""

from __future__ import annotations

from typing import Any, Final

from airflow_provider_ringevents.emulator.backend import sample_data
from airflow_provider_ringevents.emulator.backend.clock import iso
from airflow_provider_ringevents.emulator.backend.ids import Ids, ResourceKey, ResourceType, SeededValues

_HOUR: Final = 3_600_000
_TAGS: Final = ("AI", "Données", "クラウド", "Security & Privacy", "Beginner", "Q&A", "Hands-on")
_AREAS: Final = ("stage", "session", "expo", "reception")
# Number of resources of each type in an event with content.
COUNTS: Final = {ResourceType.BOOTH: 6, ResourceType.STAGE: 3, ResourceType.SESSION: 5, ResourceType.SCHEDULE_ITEM: 9}
TAGS_PER_PARENT: Final = 16
"""Indexes reserved for the tags of one parent."""


class EventResources:
    """The computed resources of all events."""

    def __init__(self, ids: Ids, values: SeededValues) -> None:
        self._ids = ids
        self._values = values

    def attributes(self, kind: ResourceType, event: int, index: int, created: int, start: int) -> dict[str, Any]:
        """Return the attributes of one resource; ``kind`` is a key of :data:`COUNTS`."""
        value = self._values.value(kind, event, index)
        base = {
            "id": self._ids.encode(kind, event, index),
            "createdAt": iso(created + index * 60_000),
            "updatedAt": iso(created + index * 60_000 + value % 5 * _HOUR),
        }
        if kind is ResourceType.BOOTH:
            return base | _booth(index, value)
        if kind is ResourceType.SCHEDULE_ITEM:
            return base | self._schedule_item(event, index, value, start)
        word = "Stage" if kind is ResourceType.STAGE else "Session"
        return base | {"name": f"{word} {index + 1} {('· Ελλάδα', '', '(EN/日本語)')[value % 3]}".strip()}

    def _schedule_item(self, event: int, index: int, value: int, start: int) -> dict[str, Any]:
        area = _AREAS[value % len(_AREAS)]
        kind = {"stage": ResourceType.STAGE, "session": ResourceType.SESSION}.get(area)
        place = value % COUNTS[kind] if kind else 0
        first, last = (names[value % len(names)][0] for names in (sample_data.FIRST_NAMES, sample_data.LAST_NAMES))
        begins = start + index * _HOUR
        return {
            "area": area,
            "areaId": self._ids.encode(kind, event, place) if kind else None,
            "areaName": f"{area.title()} {place + 1}" if kind else None,
            "description": "Bring questions." if value >> 8 & 1 else None,
            "name": f"Talk {index + 1}: {sample_data.COMPANIES[value % len(sample_data.COMPANIES)].splitlines()[0]}",
            "speakers": [{"firstName": first, "lastName": last}] if value >> 9 & 1 else [],
            "timeEnd": iso(begins + 45 * 60_000),
            "timeStart": iso(begins),
        }

    def tags(self, kind: ResourceType, parent: ResourceKey) -> list[dict[str, Any]]:
        """Return the tags of a booth or a schedule item, three at most."""
        number = self._values.value(kind, parent.parent, parent.index) % 4
        first = parent.index * TAGS_PER_PARENT
        return [
            {
                "id": self._ids.encode(kind, parent.parent, first + place),
                "name": _TAGS[(parent.index + place * 3) % len(_TAGS)],
            }
            for place in range(number)
        ]


def _booth(index: int, value: int) -> dict[str, Any]:
    company = sample_data.COMPANIES[(index + value % 3) % len(sample_data.COMPANIES)]
    return {
        "about": f"{company} shows what is new." if value & 1 else None,
        "boothSize": ("small", "medium", "large")[value % 3],
        "email": f"booth{index}@example.org" if value & 2 else None,
        "facebook": f"https://facebook.example/booth{index}" if value & 4 else None,
        "headline": "Free coffee ☕" if value & 8 else None,
        "instagram": f"@booth{index}" if value & 16 else None,
        "linkedin": f"https://linkedin.example/company/booth{index}" if value & 32 else None,
        "name": company,
        "priority": index + 1,
        "twitter": f"@booth{index}" if value & 64 else None,
        "website": f"https://booth{index}.example" if value & 128 else None,
    }
