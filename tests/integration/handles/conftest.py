"""One real Handle server for the tests of this folder; without it they are skipped, and only then."""

from collections.abc import Iterator

import pytest

from b2stream.handles.connection import Tls
from b2stream.handles.rest import Login, RestHandles
from b2stream.sandbox.handle import HandleServer

PREFIXES = ("21.T99999", "21.T99998")
PASSWORD = "a-password-of-this-test"


@pytest.fixture(scope="session")
def handle_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HandleServer]:
    pytest.importorskip("cryptography")
    folder = tmp_path_factory.mktemp("handle")
    secret = folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(PASSWORD)
    server = HandleServer(folder / "handle", secret, prefixes=PREFIXES)
    server.start()
    yield server
    server.stop()


def service_at(server: HandleServer, password: str = PASSWORD) -> RestHandles:
    return RestHandles(server.url, Login(server.user, password), Tls(str(server.ca_file)), timeout_s=60)


@pytest.fixture
def service(handle_server: HandleServer) -> Iterator[RestHandles]:
    service = service_at(handle_server)
    yield service
    service.close()
