"""Ports for the sandbox's servers."""

import socket
from pathlib import Path

import pytest

from b2stream.sandbox.ports import free_port, free_ports, host_in, port_in, somebody_listens


def test_ports_are_different_and_can_be_bound() -> None:
    ports = [*free_ports(20), *free_ports(20)]
    assert len(set(ports)) == 40
    for port in ports:
        with socket.socket() as server:
            server.bind(("127.0.0.1", port))


def test_ports_lie_below_those_of_outgoing_connections() -> None:
    """A client that keeps connecting to a server which is down must not be given that server's port as its own."""
    bounds = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if not bounds.exists():
        pytest.skip("no Linux")
    assert max(free_ports(50)) < int(bounds.read_text().split()[0])


def test_a_port_on_which_somebody_listens_is_told_apart() -> None:
    port = free_port()
    assert not somebody_listens(port)
    with socket.create_server(("127.0.0.1", port)):
        assert somebody_listens(port)
        assert port not in free_ports(100)


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("127.0.0.1:9092", "127.0.0.1", 9092),
        ("redis://127.0.0.1:6379/0", "127.0.0.1", 6379),
        ("irods://rods@data.example.org:1247/cscZone/home/rods/icos", "data.example.org", 1247),
        ("http://127.0.0.1:8080", "127.0.0.1", 8080),
        ("redis://:secret@status.example.org/0", "status.example.org", 6379),
        ("irods://rods@data.example.org/cscZone/home/rods", "data.example.org", 1247),
        ("[::1]:9092", "::1", 9092),
    ],
)
def test_host_and_port_are_found_in_every_kind_of_address(address: str, host: str, port: int) -> None:
    assert (host_in(address), port_in(address)) == (host, port)
