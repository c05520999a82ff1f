"""The edge to a schema registry with Confluent's API: Confluent's own, Karapace, or Apicurio's `/apis/ccompat/v7`.

None is needed: see `framing_from`. Subjects are `<topic>-<record>` and are kept FULL compatible: readers and data of all
releases survive each other. What a registry hands out is only ever used to find the released schema of the same
fingerprint; containers hold the frozen text.
"""

import base64
import json
import logging
import threading
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from b2stream.contracts import topics
from b2stream.contracts.framing import Framing, UnknownSchemaId
from b2stream.contracts.schemas import Schema
from b2stream.errors import ConfigurationError, Refused, Retryable
from b2stream.settings import Settings
from b2stream.settings.passwords import password_of, without_password

_log = logging.getLogger(__name__)

TIMEOUT_S = 5.0
COMPATIBILITY = "FULL"
_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_UNKNOWN_SCHEMA = 40403
_MOST_BYTES = 4 << 20


def framing_from(settings: Settings) -> Framing:
    """The framing that every program uses: with the registry of `kafka.registry_url`, or without any where that is empty."""
    if not settings.kafka.registry_url:
        return Framing()
    kafka = settings.kafka
    if without_password(kafka.registry_url) != kafka.registry_url:
        _log.warning("kafka.registry_url holds a password: others can see it; use kafka.registry_password_file")
    password = password_of("kafka", kafka.registry_password_file, "registry_password")
    if password is not None and not kafka.registry_user and urlsplit(kafka.registry_url).username is None:
        raise ConfigurationError("the schema registry has a password but no user: set kafka.registry_user")
    registry = Registry(kafka.registry_url, settings.general.community, user=kafka.registry_user, password=password)
    return Framing(text_by_id=registry.text_by_id, id_of=registry.id_of)


class Registry:
    """A client that asks once for each id and each schema. Its calls block for `timeout_s` at most; threads may share it."""

    def __init__(
        self, url: str, community: str, timeout_s: float = TIMEOUT_S, *, user: str = "", password: str | None = None
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError("kafka.registry_url is not http://host:port or https://host:port")
        host = parts.netloc.rpartition("@")[2]
        self._url = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"  # without a password: it is named in errors
        self._community = community
        self._timeout_s = timeout_s
        self._headers = {"Accept": f"{_MEDIA_TYPE}, application/json", "Content-Type": _MEDIA_TYPE}
        user = user or unquote(parts.username or "")
        if user:
            given = unquote(parts.password) if parts.password is not None else password
            credentials = f"{user}:{given or ''}"
            self._headers["Authorization"] = "Basic " + base64.b64encode(credentials.encode()).decode("ascii")
        self._lock = threading.Lock()
        self._texts: dict[int, str] = {}
        self._ids: dict[str, int] = {}

    def text_by_id(self, number: int) -> str:
        """The text of a schema. Raises UnknownSchemaId where the registry itself says no, Retryable where nobody answers."""
        with self._lock:
            if number not in self._texts:
                self._texts[number] = _text(self._ask("GET", f"/schemas/ids/{number}"), "schema")
            return self._texts[number]

    def id_of(self, schema: Schema) -> int:
        """The id of a schema under its subject; registers it the first time. Raises ConfigurationError where it is refused."""
        with self._lock:
            if schema.fingerprint not in self._ids:
                self._ids[schema.fingerprint] = self._register(schema)
            return self._ids[schema.fingerprint]

    def _register(self, schema: Schema) -> int:
        subject = quote(self.subject(schema.name), safe="")
        was_there = self._keep_compatible(subject)
        answer = self._ask("POST", f"/subjects/{subject}/versions", {"schema": schema.text, "schemaType": "AVRO"})
        if not was_there:  # some registries know no setting of a subject that does not exist yet
            self._keep_compatible(subject)
        number = answer.get("id")
        if not isinstance(number, int) or not 0 <= number < 2**32:
            raise Retryable(f"schema registry at {self._url}: {answer!r:.200} has no id")
        _log.info("schema %s has id %d under %s", schema.name, number, subject)
        return number

    def _keep_compatible(self, subject: str) -> bool:
        """Set the subject's compatibility; False where there is no such subject yet."""
        try:
            self._ask("PUT", f"/config/{subject}", {"compatibility": COMPATIBILITY})
        except _NotThere:
            return False
        return True

    def subject(self, record: str) -> str:
        """`<topic>-<record>`; every record has one topic."""
        topic = next(topic for topic in topics.ALL if record in topic.records)
        return f"{topic.full_name(self._community)}-{record}"

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, self._headers, method=method)  # noqa: S310  # http(s) only
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:  # noqa: S310
                content = answer.read(_MOST_BYTES)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error, f"{method} {path}") from error
        except OSError as error:  # URLError, TimeoutError, a connection that broke
            raise Retryable(f"schema registry at {self._url}: {error}") from error
        return self._document(content)

    def _document(self, content: bytes) -> dict[str, Any]:
        try:
            document = json.loads(content)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise Retryable(f"schema registry at {self._url}: {content[:100]!r} is not its answer")
        return document

    def _refusal(self, error: urllib.error.HTTPError, what: str) -> Exception:
        """What a refusal means. Only the registry's own "unknown schema" is definite; a 404 of something between is not."""
        content = error.read(_MOST_BYTES)
        try:
            said = json.loads(content)
            code, text = int(said["error_code"]), str(said.get("message", ""))
        except (ValueError, KeyError, TypeError):
            code, text = 0, content[:100].decode("utf-8", "replace")
        detail = f"schema registry at {self._url}: {what}: HTTP {error.code}, {code}: {text:.200}"
        if code == _UNKNOWN_SCHEMA:
            return UnknownSchemaId(detail)
        if error.code in (401, 403):
            return Refused(detail)
        if error.code == 404:
            return _NotThere(f"{detail}; see whether kafka.registry_url is right")
        if error.code in (409, 422):
            return ConfigurationError(f"{detail}; the registry refuses this schema")
        return Retryable(detail)


class _NotThere(Retryable):
    """There is nothing at this address of the schema registry: see whether its address is right; this is tried again by itself."""


def _text(answer: dict[str, Any], name: str) -> str:
    text = answer.get(name)
    if not isinstance(text, str):
        raise Retryable(f"the schema registry's answer has no {name}: {answer!r:.200}")
    return text
