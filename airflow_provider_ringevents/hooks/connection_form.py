"""The connection form, declared once: Airflow 3.2 and later reads it as metadata, older versions ask the hook."""

from __future__ import annotations

from typing import Any

from airflow_provider_ringevents.client import defaults

_FIELDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "organization_id": (
        "Organization ID",
        "Default for tasks that work on an organization and name none.",
        {"type": ["string", "null"]},
    ),
    "auth_scheme": (
        "Authorization scheme",
        f"The word before the key in the Authorization header; default {defaults.AUTH_SCHEME}.",
        {"type": ["string", "null"]},
    ),
    "timeout": (
        "Timeout (seconds)",
        f"Silence after which a request is given up; default {defaults.READ_TIMEOUT:g}.",
        {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": defaults.MAX_TIMEOUT},
    ),
    "request_timeout": (
        "Request timeout (seconds)",
        f"The most for a whole response, from the first byte sent; default {defaults.REQUEST_TIMEOUT:g}, and"
        f" {defaults.PAGE_TIMEOUT:g} for pages of lists.",
        {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": defaults.MAX_TIMEOUT},
    ),
    "transfer_timeout": (
        "Transfer timeout (seconds)",
        f"The most for a whole download, with all retries; default {defaults.TRANSFER_TIMEOUT:g}.",
        {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": defaults.MAX_TRANSFER_TIMEOUT},
    ),
    "max_attempts": (
        "Attempts",
        f"Requests per call, the first one included; default {defaults.MAX_ATTEMPTS}.",
        {"type": ["integer", "null"], "minimum": 1, "maximum": 20},
    ),
    "per_page": (
        "Rows per page",
        f"Asked for when reading lists; default {defaults.PER_PAGE}.",
        {"type": ["integer", "null"], "minimum": 1, "maximum": defaults.MAX_PAGE_ROWS},
    ),
    "concurrency": (
        "Pages in flight",
        f"Requests at the same time when reading a list; default {defaults.CONCURRENCY}.",
        {"type": ["integer", "null"], "minimum": 1, "maximum": defaults.MAX_CONCURRENCY},
    ),
    "rate_limit": (
        "Rate limit (requests per second)",
        "Of one task; in the triggerer, of all its waits together. Empty: no limit besides the service's own.",
        {"type": ["number", "null"], "minimum": defaults.MIN_RATE, "maximum": defaults.MAX_RATE},
    ),
    "verify": (
        "Verify certificates",
        "true, false, or the path of a CA bundle; default true.",
        {"type": ["string", "null"]},
    ),
    "proxy": (
        "Proxy",
        "URL of a proxy; empty: the environment's, except for a base URL on loopback.",
        {"type": ["string", "null"], "format": "password"},
    ),
    "trust_count": (
        "Trust the count of lists",
        "false where it includes rows that the key cannot see; default true.",
        {"type": ["string", "null"]},
    ),
    "allow_private_links": (
        "Allow private links",
        "true: follow redirects and signed links to private, loopback and link-local addresses; default false.",
        {"type": ["string", "null"]},
    ),
}
HIDDEN = ["login"]
RELABELED = {"password": "API key", "host": "Base URL", "schema": "Scheme"}
PLACEHOLDERS = {
    "host": defaults.BASE_URL,
    "password": "from Organization settings > API",
    # Airflow 3.3.1 and 3.3.2 refuse to test a connection without one; their page then says "Bad Request" and no more.
    "port": "443 (Test in Airflow 3.3.1 and 3.3.2 needs one)",
    "schema": "https (when the base URL is a bare host name)",
}


def conn_fields() -> dict[str, Any]:
    """Return the extra fields as provider metadata."""
    return {
        name: {"label": label, "description": description, "schema": schema}
        for name, (label, description, schema) in _FIELDS.items()
    }


def widgets() -> dict[str, Any]:
    """Return the extra fields as WTForms widgets; a plain Airflow 3 has no WTForms, so it is imported here."""
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from wtforms import PasswordField, StringField

    made = {}
    for name, (label, description, schema) in _FIELDS.items():
        secret = schema.get("format") == "password"
        field, widget = (PasswordField, BS3PasswordFieldWidget) if secret else (StringField, BS3TextFieldWidget)
        made[name] = field(label, widget=widget(), description=description)
    return made


def field_behaviour() -> dict[str, Any]:
    """Return labels and placeholders of the standard fields, for Airflow before 3.2."""
    return {"hidden_fields": HIDDEN, "relabeling": RELABELED, "placeholders": PLACEHOLDERS}
