"""Addresses of servers that a user runs already; nobody is at any of them."""

from b2stream.sandbox.given import Given

ALL_GIVEN = Given(
    kafka="broker.example.org:9092",
    redis="redis://status.example.org:6379/0",
    first="irods://b2stream@one.example.org:1247/oneZone/home/b2stream/icos",
    second="irods://b2stream@two.example.org:1247/twoZone/home/b2stream/icos",
    handle="https://hdl.example.org:8000",
    handle_prefix="21.T12345",
)
