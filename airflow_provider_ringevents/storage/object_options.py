"""The headers that stores keep with an object: content types, encryption, storage classes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from airflow_provider_ringevents.client.errors import invalid_argument
from airflow_provider_ringevents.storage.uri import AZURE_SCHEMES, GCS_SCHEMES, S3_SCHEMES

_CREDENTIALS: Final = ("key", "secret", "token", "password", "credential", "sas", "customer")


class _StoreOptions(NamedTuple):
    """The options of one kind of store.

    :ivar allowed: the type of the value of each option.
    :ivar arguments: translates a content type and options into arguments of the filesystem's ``open``.
    """

    name: str
    allowed: Mapping[str, type]
    arguments: Callable[[str, Mapping[str, Any]], dict[str, Any]]


def _s3_arguments(content_type: str, options: Mapping[str, Any]) -> dict[str, Any]:
    return {"ContentType": content_type, **options}


def _gcs_arguments(content_type: str, options: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in options.items() if name in ("acl", "metadata", "kms_key_name")}
    fixed = {name: value for name, value in options.items() if name not in own}
    return {"content_type": content_type, **own, **({"fixed_key_metadata": fixed} if fixed else {})}


def _azure_arguments(content_type: str, options: Mapping[str, Any]) -> dict[str, Any]:
    settings = {name: value for name, value in options.items() if name != "metadata"}
    # adlfs marks files so by default, and leaves the mark out where it is given other metadata.
    metadata = {"is_directory": "false", **options["metadata"]} if "metadata" in options else None
    return {
        "content_settings": {"content_type": content_type, **settings},
        **({"metadata": metadata} if metadata else {}),
    }


_S3 = _StoreOptions(
    "S3",
    {
        **dict.fromkeys(
            (
                "ACL",
                "CacheControl",
                "ContentDisposition",
                "ContentLanguage",
                "ExpectedBucketOwner",
                "ObjectLockLegalHoldStatus",
                "ObjectLockMode",
                "RequestPayer",
                "SSEKMSEncryptionContext",
                "SSEKMSKeyId",
                "ServerSideEncryption",
                "StorageClass",
                "Tagging",
            ),
            str,
        ),
        "BucketKeyEnabled": bool,
        "Metadata": dict,
        "ObjectLockRetainUntilDate": datetime,
    },
    _s3_arguments,
)
_GCS = _StoreOptions(
    "Google Cloud Storage",
    {
        **dict.fromkeys(
            ("acl", "cache_control", "content_disposition", "content_language", "custom_time", "kms_key_name"), str
        ),
        "metadata": dict,
    },
    _gcs_arguments,
)
_AZURE = _StoreOptions(
    "Azure",
    {**dict.fromkeys(("cache_control", "content_disposition", "content_language"), str), "metadata": dict},
    _azure_arguments,
)
_OTHER = _StoreOptions("this store", {}, lambda content_type, options: {})
_STORES: Final[dict[str, _StoreOptions]] = {
    **dict.fromkeys(S3_SCHEMES, _S3),
    **dict.fromkeys(GCS_SCHEMES, _GCS),
    **dict.fromkeys(AZURE_SCHEMES, _AZURE),
}


def allowed_options(scheme: str) -> tuple[str, ...]:
    """Return the names of the options that the store of a scheme takes, in alphabetical order."""
    return tuple(sorted(_STORES.get(scheme, _OTHER).allowed))


def validate_object_options(scheme: str, options: Any, parameter: str = "object_options") -> dict[str, Any]:
    """Return the options as a dict.

    :param scheme: the scheme of the destination, in lower case.
    :raises RingEventsConfigError: an option is unknown, holds a credential, or has a value of another type.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise invalid_argument(parameter, "a mapping of option names to values", options)
    store = _STORES.get(scheme, _OTHER)
    checked = {}
    for name, value in options.items():
        expected = store.allowed.get(name) if isinstance(name, str) else None
        if expected is None:
            hint = None
            if isinstance(name, str) and any(word in name.lower() for word in _CREDENTIALS):
                hint = "Credentials belong into the connection of the store."
            options_of = f"the options of {store.name} are {', '.join(allowed_options(scheme))}"
            allowed = options_of if store.allowed else f"{store.name} has no options"
            raise invalid_argument(f"{parameter}[{name}]", f"left out, since {allowed}", hint=hint)
        checked[name] = _validated(f"{parameter}[{name}]", expected, value)
    return checked


def _validated(parameter: str, expected: type, value: Any) -> Any:
    if expected is dict:
        texts = isinstance(value, Mapping) and all(isinstance(text, str) for pair in value.items() for text in pair)
        if not texts:
            raise invalid_argument(parameter, "a mapping of strings to strings", value)
        return dict(value)
    if expected is bool:
        if not isinstance(value, bool):
            raise invalid_argument(parameter, "True or False", value)
        return value
    if expected is datetime and isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not value.strip():
        raise invalid_argument(parameter, "a string that is not empty", value)
    return value


def open_arguments(scheme: str, content_type: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the filesystem's ``open`` that give an object its content type and its options."""
    return _STORES.get(scheme, _OTHER).arguments(content_type, options)
