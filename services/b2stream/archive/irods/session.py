"""One python-irodsclient session per thread: how it is made, mended after an error, and never shared.

Facts of client 3.3.0 behind this (measured against iRODS 5.0.2): `session.cleanup()` closes every connection of the session,
so threads must not share one; after a server's restart each idle connection costs one failure; an `open` or `close` that
raises leaves its connection in `pool.active` for ever, with a server agent behind it; `put` overwrites by default.
"""

import contextlib
import logging
import os
import ssl
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

from irods import keywords, password_obfuscation
from irods.session import iRODSSession

from b2stream.archive.irods import messages
from b2stream.archive.irods.errors import connection_is_lost, translate, translate_connecting
from b2stream.archive.irods.exchange import Wire
from b2stream.archive.irods.transfer import Handle
from b2stream.archive.location import IrodsLocation
from b2stream.errors import ConfigurationError
from b2stream.settings.passwords import read_password_file

T = TypeVar("T")

IDLE_LIMIT_S = 300.0
"""A connection that was idle for longer is not trusted: firewalls forget it in silence, and asking it costs the whole timeout."""

# At level DEBUG the client logs each message whole, passwords of PAM and megabytes of data included; what it says at other
# levels comes as an error as well.
logging.getLogger("irods").setLevel(logging.CRITICAL + 1)


class Link:
    """The session of one thread with one zone."""

    def __init__(self, location: IrodsLocation, timeout_s: float) -> None:
        self._location = location
        self._timeout_s = timeout_s
        self._session: Any = None
        self._used_s = time.monotonic()
        self._wires: dict[Any, Wire] = {}  # by connection
        self._unknown_size = -1
        self.busy: set[Any] = set()  # connections of open handles

    def ask(self, about: str, question: Callable[[Any], T]) -> T:
        """A call that changes nothing. Tried again once on a fresh connection: the old one may be from before a restart."""
        for again in (True, False):
            session = self.connected(about)
            try:
                return question(session)
            except Exception as error:
                self.mend(error)
                if not (again and connection_is_lost(error)):
                    raise translate(error, about, changes=False) from error
        raise AssertionError("unreachable")

    def tell(self, about: str, order: Callable[[Any], T]) -> T:
        """A call that changes something: done once; LostReply where nobody knows whether it was."""
        session = self.connected(about)
        try:
            return order(session)
        except Exception as error:
            self.mend(error)
            raise translate(error, about, changes=True) from error

    def connected(self, about: str) -> Any:
        """The session, with an idle connection, so that a failure to connect is never taken for a lost reply."""
        if time.monotonic() - self._used_s > IDLE_LIMIT_S and not self.busy:
            self.close()
        self._used_s = time.monotonic()
        try:
            if self._session is None:
                self._session = self._new_session()
            if not self._session.pool.idle:
                connection = self._session.pool.get_connection()
                self._unknown_size = -1 if connection.server_version >= (4, 3, 1) else 0  # as the client's `open`
                connection.release()
        except Exception as error:
            self.mend(error)
            raise translate_connecting(error, about) from error
        return self._session

    def open(self, about: str, path: str, mode: str, **options: str) -> Handle:
        """Open a data object, mode `r` or `w`. `w` truncates what is there, so only names that were never used may be opened."""
        if self._location.resource:
            options[keywords.DEST_RESC_NAME_KW] = self._location.resource

        def order(session: Any) -> Handle:
            wire = self.take(session)
            size_bytes = int(options.get(keywords.DATA_SIZE_KW, self._unknown_size))
            return Handle(
                self, wire, wire.answer(messages.opening(path, mode, size_bytes, options)).info, options, about
            )

        return self.tell(about, order) if mode == "w" else self.ask(about, order)

    def rename(self, about: str, source: str, target: str) -> None:
        """Move a data object; only ever creates.

        The client's `move` first asks twice whether the target is a collection, and then moves *into* it.
        """

        def order(session: Any) -> None:
            wire = self.take(session)
            wire.answer(messages.renaming(source, target))
            self.give_back(wire)

        self.tell(about, order)

    def take(self, session: Any) -> Wire:
        """An idle connection, for as many requests as belong together; `give_back` ends that, or `mend` after an error.

        The client's own way takes locks, the time and four log messages, for sessions that threads share.
        """
        pool = session.pool
        connection = pool.idle.pop() if pool.idle else pool.get_connection()
        pool.active.add(connection)
        wire = self._wires.get(connection)
        if wire is None:
            wire = self._wires[connection] = Wire(connection)
        wire.wait_at_most(self._timeout_s)
        return wire

    def give_back(self, wire: Wire) -> None:
        """It may be taken again."""
        session = self._session
        if session is not None and wire.connection in session.pool.active:
            session.pool.active.discard(wire.connection)
            session.pool.idle.add(wire.connection)

    def mend(self, error: BaseException) -> None:
        """After an error: close everything if the connection is lost, else give back what the client leaked."""
        if self._session is None:
            return
        if connection_is_lost(error):
            self.close()
            return
        pool = self._session.pool
        for connection in list(pool.active - self.busy):
            connection.release()
        while len(pool.idle) > 1:  # one is enough, and a cursor of a query lives on one connection
            self.disconnect(pool.idle.pop())

    def disconnect(self, connection: Any) -> None:
        """Close one connection for good."""
        self.busy.discard(connection)
        self._wires.pop(connection, None)
        with contextlib.suppress(Exception):
            connection.release(True)
        with contextlib.suppress(Exception):
            connection.disconnect()

    def close(self) -> None:
        """Close all connections; the next call makes a new session."""
        session, self._session = self._session, None
        self.busy.clear()
        self._wires.clear()
        if session is not None:
            for connection in list(session.pool.active | session.pool.idle):
                self.disconnect(connection)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # the client's session is in a cycle and would keep its socket for a while
            self.close()

    def _new_session(self) -> Any:
        location = self._location
        password, auth = _password(location)
        account: dict[str, Any] = {
            "host": location.host,
            "port": location.port,
            "user": location.user,
            "zone": location.user_zone,
            "password": password,
            "irods_authentication_scheme": auth,
        }
        if location.resource:
            account["irods_default_resource"] = location.resource
        if location.tls:
            account |= {
                "irods_client_server_negotiation": "request_server_negotiation",
                "irods_client_server_policy": "CS_NEG_REQUIRE",
                "irods_encryption_algorithm": "AES-256-CBC",
                "irods_encryption_key_size": 32,
                "irods_encryption_num_hash_rounds": 16,
                "irods_encryption_salt_size": 8,
                "ssl_context": tls_context(location),
            }
        return iRODSSession(connection_timeout=self._timeout_s, application_name="b2stream", **account)


_of_the_parent: list[Link] = []


class Links:
    """The links of all threads of a store. A link ends with its thread, or with the process that made it."""

    def __init__(self, location: IrodsLocation, timeout_s: float) -> None:
        self._location = location
        self._timeout_s = timeout_s
        self._local = threading.local()
        self._all: weakref.WeakSet[Link] = weakref.WeakSet()
        self._lock = threading.Lock()

    def of_this_thread(self) -> Link:
        """This thread's link; after a fork a new one, because parent and child must not share a socket."""
        if getattr(self._local, "process", None) != os.getpid():
            if hasattr(self._local, "link"):
                # Never closed here: a goodbye would end the parent's connection.
                _of_the_parent.append(self._local.link)
            link = Link(self._location, self._timeout_s)
            with self._lock:
                self._all.add(link)
            self._local.link, self._local.process = link, os.getpid()
        result: Link = self._local.link
        return result

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            links = list(self._all)
        for link in links:
            link.close()


def tls_context(location: IrodsLocation) -> ssl.SSLContext:
    """A context that verifies. The client's own does not when no CA file is named; ours then trusts the system's."""
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=location.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"the CA file {location.ca_file} cannot be used: {error}") from error
    context.check_hostname = location.verify == "hostname"
    context.verify_mode = ssl.CERT_NONE if location.verify == "none" else ssl.CERT_REQUIRED
    return context


def _password(location: IrodsLocation) -> tuple[str | None, str]:
    """The password and the scheme to use it with. `.irodsA` holds one for native authentication, also where PAM made it."""
    secret = location.secret
    if secret.value is not None:
        return secret.value, location.auth
    if secret.file is not None:
        return read_password_file(secret.file), location.auth
    if secret.irods_a is not None:
        try:
            return password_obfuscation.decode(secret.irods_a.read_text().rstrip("\n")), "native"
        except (OSError, ValueError, IndexError) as error:
            raise ConfigurationError(f"{secret.irods_a} cannot be read ({error}): run iinit again") from error
    if location.user == "anonymous":
        return "", location.auth
    raise ConfigurationError(
        f"no password for {location.user} at {location.address}: set password_file, or B2STREAM_FIRST_PASSWORD or"
        " B2STREAM_SECOND_PASSWORD, or run iinit"
    )
