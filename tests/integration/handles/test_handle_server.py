"""The real Handle.Net server: the conformance suite, what it refuses, restarts, redirects, and that pyhandle reads our records."""

import http.client
import ssl
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from b2stream.errors import AccessRefused, ConfigurationError, Refused, Retryable
from b2stream.handles.answers import RecordRefused
from b2stream.handles.records import Prefixes, first_record, second_record
from b2stream.handles.registering import Registered, create_or_rewrite
from b2stream.handles.rest import Login, RestHandles
from b2stream.sandbox.handle import HandleServer
from tests.conformance.handles import HandlesConformance, record
from tests.integration.handles.conftest import PASSWORD, PREFIXES, service_at
from tests.unit.handles.events import commit, replicated

PREFIX, SECOND_PREFIX = PREFIXES


class TestRealServer(HandlesConformance):
    @pytest.fixture
    def prefix(self) -> str:
        return PREFIX


def test_the_whole_profile_is_kept_under_both_prefixes_and_the_redirect_leads_to_the_object(
    handle_server: HandleServer, service: RestHandles
) -> None:
    event = replicated(commit(b"of this test"))
    prefixes = Prefixes(PREFIX, SECOND_PREFIX, "11676")
    first, second = first_record(event.commit, prefixes, event), second_record(event, prefixes)
    assert second is not None
    for ours in (first, second):
        assert create_or_rewrite(service, ours)[0] is Registered.CREATED
        assert service.read(ours.handle) == ours
    context = ssl.create_default_context(cafile=str(handle_server.ca_file))
    connection = http.client.HTTPSConnection("127.0.0.1", handle_server.port, timeout=60, context=context)
    connection.request("GET", f"/{first.handle}")
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Location")) == (302, event.commit.url)
    connection.close()


def test_what_the_server_refuses_is_told_apart(handle_server: HandleServer, service: RestHandles) -> None:
    with pytest.raises(Refused, match=r"handle\.user"):  # 401 with an empty body
        service_at(handle_server, "wrong").create(record(PREFIX))
    with pytest.raises(RecordRefused, match="response code 301"):
        service.create(record("21.T88888"))
    ours = record(PREFIX)
    service.create(replace(ours, values=ours.values[:2]))
    with pytest.raises(AccessRefused, match="response code 400"):  # without a HS_ADMIN nobody may change it
        service.rewrite(ours)


def test_a_ca_that_is_not_the_servers_is_refused(handle_server: HandleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever bundle the environment names: only the setting counts."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(handle_server.ca_file))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(ConfigurationError, match=r"handle\.ca_file"):
        RestHandles(handle_server.url, Login(handle_server.user, PASSWORD)).read(f"{PREFIX}/x")


def test_records_survive_a_killed_server_and_a_client_finds_it_again(
    handle_server: HandleServer, service: RestHandles
) -> None:
    ours = record(PREFIX)
    assert service.create(ours)
    handle_server.kill()
    with pytest.raises(Retryable):
        service.read(ours.handle)
    assert handle_server.start() == handle_server.url
    assert service.read(ours.handle) == ours
    assert not service.create(ours)


def test_pyhandle_reads_what_we_wrote(
    handle_server: HandleServer, service: RestHandles, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = pytest.importorskip("pyhandle.handleclient")
    event = replicated(commit(b"for pyhandle"))
    ours = first_record(event.commit, Prefixes(PREFIX), event)
    service.create(ours)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(handle_server.ca_file))  # it wins over its own setting
    reader = client.PyHandleClient("rest").instantiate_for_read_access(handle_server_url=handle_server.url)
    found = reader.retrieve_handle_record(ours.handle)
    assert {kind: found[kind] for kind in found if kind != "HS_ADMIN"} == {
        value.type: value.value for value in ours.values if value.type != "HS_ADMIN"
    }
    assert urlsplit(found["URL"]).scheme == "irods"
