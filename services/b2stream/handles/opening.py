"""The Handle server and the prefixes of a deployment's settings."""

from b2stream.errors import ConfigurationError
from b2stream.handles.connection import Tls
from b2stream.handles.records import Prefixes
from b2stream.handles.rest import Login, RestHandles
from b2stream.handles.service import HandleService
from b2stream.settings import Settings
from b2stream.settings.handle import Handle
from b2stream.settings.passwords import password_of


def open_handles(settings: Handle) -> HandleService:
    """The Handle server of the settings; nothing is connected yet. Raises ConfigurationError."""
    if not settings.url:
        raise ConfigurationError("handle.url: the registrar needs a Handle server")
    password = password_of("handle", settings.password_file) or ""
    if not settings.certificate_file and not (settings.user and password):
        raise ConfigurationError("handle.user with its password, or handle.certificate_file: nobody may write without")
    return RestHandles(
        settings.url,
        Login(settings.user, password),
        Tls(settings.ca_file, settings.certificate_file, settings.key_file),
        timeout_s=settings.timeout_s,
    )


def prefixes_from(settings: Settings) -> Prefixes:
    """Under which prefixes is registered. Raises ConfigurationError."""
    prefixes = Prefixes(
        settings.first.prefix, settings.second.prefix, settings.handle.community_prefix, settings.handle.administrator
    )
    if not prefixes.first:
        raise ConfigurationError("first.prefix: the registrar needs the first centre's own handle prefix")
    if prefixes.community in (prefixes.first, prefixes.second) and prefixes.community:
        raise ConfigurationError("handle.community_prefix is a centre's own: the community's portal overwrites its own")
    if prefixes.first == prefixes.second:
        raise ConfigurationError("first.prefix and second.prefix are one: a copy cannot have the PID of its original")
    return prefixes
