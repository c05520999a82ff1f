"""A second centre that gets a handle prefix later: audit names each copy without a PID, repair registers it at the real Handle server."""

from collections.abc import Iterator

import pytest

from b2stream.handles.service import HandleRecord
from b2stream.programs.audit.auditing import Plan, Report
from b2stream.programs.audit.cli import run
from b2stream.programs.audit.repair.cli import apply, make_plan
from b2stream.sandbox.handle import HandleServer
from b2stream.settings import Settings, load, variable
from tests.integration.audit.archive import RestingArchive
from tests.integration.audit.test_mutations import named


@pytest.fixture
def settings(archive: RestingArchive) -> Iterator[Settings]:
    """Settings with a prefix for the second centre; the records are put back."""
    server = archive.deployment.servers.get("handle")
    if not isinstance(server, HandleServer) or len(server.prefixes) < 2:
        pytest.skip("the Handle server is not to be had")
    first, second = server.prefixes[:2]
    handles = archive.handles()
    before = [record for handle in handles.list(first) if (record := handles.read(handle)) is not None]
    given = {variable("second", "prefix"): second}
    yield load(archive.deployment.settings_file, environment=given).settings
    for handle in [handle for handle in handles.list(second) if _is_of_content(handles.read(handle))]:
        handles.delete(handle)
    for record in filter(_is_of_content, before):
        handles.rewrite(record)
    handles.close()


def _is_of_content(record: HandleRecord | None) -> bool:
    return record is not None and record.text("EUDAT/CHECKSUM") is not None


def audit(settings: Settings) -> Report:
    return run(settings, Plan(grace_s=0.0))


def test_I6_copies_without_pids_of_their_own_are_named_registered_and_then_audited(
    archive: RestingArchive, settings: Settings
) -> None:
    second = settings.second.prefix
    count = len(archive.data_objects())
    found = named(audit(settings))
    assert {(kind, path.partition("/")[0]) for kind, path, _ in found} == {
        ("misregistered", settings.first.prefix),
        ("unregistered", second),
    }
    assert len(found) == 2 * count
    assert not [done.trouble for done in apply(settings, make_plan(settings, Plan(grace_s=0.0))) if done.trouble]
    assert named(audit(settings)) == set()
    lost = next(handle for handle in archive.handles().list(second) if _is_of_content(archive.handles().read(handle)))
    archive.handles().delete(lost)
    ((kind, path, _),) = named(audit(settings))
    assert (kind, path.casefold()) == ("unregistered", lost.casefold())
    first = f"{settings.first.prefix}/{path.partition('/')[2]}"
    assert named(archive.audit(recompute=False)) == {("misregistered", first, "")}, (
        "without that prefix the original names a PID that has no record"
    )
