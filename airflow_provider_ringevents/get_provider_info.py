"""The provider's metadata. Airflow imports this module at every start, so it imports next to nothing."""

from __future__ import annotations

from typing import Any

_PACKAGE = "airflow_provider_ringevents"
_INTEGRATION = "RingCentral Events"
_OBJECT_STORAGE = "Common IO"
"""Airflow's name of the integration of object storage, which the provider ``common.io`` defines."""
_ASSET_URIS = [
    {
        "schemes": ["ringevents"],
        "handler": f"{_PACKAGE}.observability.assets.sanitize_uri",
        "to_openlineage_converter": f"{_PACKAGE}.observability.assets.convert_asset_to_openlineage",
    }
]


def _modules(room: str, *names: str) -> list[dict[str, Any]]:
    return [{"integration-name": _INTEGRATION, "python-modules": [f"{_PACKAGE}.{room}.{name}" for name in names]}]


def _transfers(source: str, target: str, *names: str) -> list[dict[str, str]]:
    return [
        {
            "source-integration-name": source,
            "target-integration-name": target,
            "python-module": f"{_PACKAGE}.transfers.{name}",
        }
        for name in names
    ]


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata in Airflow's schema."""
    from airflow_provider_ringevents import __version__
    from airflow_provider_ringevents.hooks import connection_form

    return {
        # A mismatch with the distribution's name breaks the discovery of all providers.
        "package-name": "airflow-provider-ringevents",
        "name": _INTEGRATION,
        "description": "Report exports, event provisioning and registration syncs for RingCentral Events.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://events.ringcentral.com",
                "tags": ["service"],
            }
        ],
        "hooks": _modules("hooks", "ringevents"),
        "operators": _modules(
            "operators", "data_subscriptions", "events", "magic_links", "registrations", "reports", "tickets"
        ),
        "sensors": _modules("sensors", "events", "reports"),
        "triggers": _modules("triggers", "events", "registrations", "reports"),
        "transfers": [
            *_transfers(_INTEGRATION, _OBJECT_STORAGE, "collection_to_object_storage", "report_to_object_storage"),
            *_transfers(
                _OBJECT_STORAGE, _INTEGRATION, "object_storage_to_magic_links", "object_storage_to_registrations"
            ),
        ],
        # For Airflow 3.2 and later, which loads it at every call of `airflow`.
        "cli": [f"{_PACKAGE}.cli.commands.get_ringevents_cli_commands"],
        "asset-uris": _ASSET_URIS,
        # The name of the same key in Airflow 2.
        "dataset-uris": _ASSET_URIS,
        "extra-links": [f"{_PACKAGE}.observability.links.EventLink", f"{_PACKAGE}.observability.links.ObjectLink"],
        "connection-types": [
            {
                "connection-type": "ringevents",
                "hook-name": _INTEGRATION,
                "hook-class-name": f"{_PACKAGE}.hooks.ringevents.RingEventsHook",
                "conn-fields": connection_form.conn_fields(),
                "ui-field-behaviour": {
                    "hidden-fields": connection_form.HIDDEN,
                    "relabeling": connection_form.RELABELED,
                    "placeholders": connection_form.PLACEHOLDERS,
                },
            }
        ],
    }
