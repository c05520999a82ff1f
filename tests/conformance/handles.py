"""What every PID service must do, whatever lies behind it. A test class inherits this and gives `service` and `prefix`.

Each test uses handles of its own, so that one real server serves all of them. Only the interface is used.
"""

import secrets
import threading
from dataclasses import replace

import pytest

from b2stream.handles.service import Administrator, HandleRecord, HandleService, HandleValue

ADMINISTRATOR_INDEX = 100


def record(prefix: str, suffix: str = "", url: str = "irods://csc/a", checksum: str = "sha2:AAAA") -> HandleRecord:
    """A record under a new suffix, unless one is given."""
    values = (
        HandleValue(1, "URL", url),
        HandleValue(2, "EUDAT/CHECKSUM", checksum),
        HandleValue(ADMINISTRATOR_INDEX, "HS_ADMIN", Administrator(f"0.NA/{prefix}", 200, "011111110011")),
    )
    return HandleRecord(f"{prefix}/{suffix or 'aB' + secrets.token_hex(11)}", values)


class HandlesConformance:
    """Inherited by one test class per implementation."""

    def test_a_record_comes_back_as_it_was_written(self, service: HandleService, prefix: str) -> None:
        ours = record(prefix)
        assert service.create(ours) is True
        assert service.read(ours.handle) == ours

    def test_what_is_not_there_is_none(self, service: HandleService, prefix: str) -> None:
        assert service.read(record(prefix).handle) is None

    def test_creating_never_overwrites_in_any_letter_case(self, service: HandleService, prefix: str) -> None:
        ours = record(prefix)
        service.create(ours)
        other = record(prefix, ours.handle.partition("/")[2], url="irods://elsewhere")
        assert service.create(other) is False
        assert service.create(replace(other, handle=other.handle.upper())) is False
        found = service.read(ours.handle.upper())
        assert found is not None
        assert found.says_the_same(ours)

    def test_rewriting_replaces_the_whole_record(self, service: HandleService, prefix: str) -> None:
        ours = record(prefix)
        more = HandleValue(9, "EUDAT/REPLICA", "irods://fzj/a")
        service.create(replace(ours, values=(*ours.values[:2], more, ours.values[2])))
        changed = record(prefix, ours.handle.partition("/")[2], url="irods://csc/b")
        service.rewrite(changed)
        assert service.read(ours.handle) == changed, "what it had besides is gone"

    def test_rewriting_makes_what_is_not_there(self, service: HandleService, prefix: str) -> None:
        ours = record(prefix)
        service.rewrite(ours)
        assert service.read(ours.handle) == ours

    def test_a_deleted_handle_is_gone_and_deleting_it_again_is_no_error(
        self, service: HandleService, prefix: str
    ) -> None:
        ours = record(prefix)
        service.create(ours)
        for _ in range(2):
            service.delete(ours.handle)
            assert service.read(ours.handle) is None
        assert service.create(ours) is True

    def test_the_handles_of_a_prefix_are_listed(self, service: HandleService, prefix: str) -> None:
        handles = {record(prefix).handle for _ in range(3)}
        for handle in handles:
            service.create(record(prefix, handle.partition("/")[2]))
        listed = [handle.casefold() for handle in service.list(prefix)]
        assert {handle.casefold() for handle in handles} <= set(listed)
        assert len(listed) == len(set(listed))

    @pytest.mark.parametrize("text", ["it's <b>&amp; 100 %", "räksmörgås 北", 'say "x"\\', "irods://csc/a%20b~c"])
    def test_any_text_is_kept(self, service: HandleService, prefix: str, text: str) -> None:
        ours = record(prefix, url=text)
        service.create(ours)
        assert service.read(ours.handle) == ours

    def test_of_several_racing_creators_exactly_one_wins(self, service: HandleService, prefix: str) -> None:
        ours = record(prefix)
        results: list[bool] = []
        start = threading.Barrier(4)

        def make(number: int) -> None:
            start.wait()
            results.append(service.create(record(prefix, ours.handle.partition("/")[2], url=f"irods://csc/{number}")))

        threads = [threading.Thread(target=make, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == [False, False, False, True]

    def test_a_closed_service_may_be_used_again(self, service: HandleService, prefix: str) -> None:
        ours = record(prefix)
        service.create(ours)
        service.close()
        assert service.read(ours.handle) == ours
