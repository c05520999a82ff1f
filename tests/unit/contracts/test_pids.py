"""PIDs as people write them are one text in a close; what is none is never taken for one."""

import pytest

from b2stream.contracts.pids import LONGEST_PID, is_pid, read_pid


@pytest.mark.parametrize(
    ("written", "pid"),
    [
        ("11676/aBc-_0123456789012345", "11676/aBc-_0123456789012345"),
        ("21.T11148/x", "21.T11148/x"),
        ("hdl:11676/abc", "11676/abc"),
        ("HDL://11676/abc", "11676/abc"),
        ("doi:10.18160/RHKC-VP22", "10.18160/RHKC-VP22"),
        ("https://hdl.handle.net/11676/abc", "11676/abc"),
        ("http://HDL.handle.net/11676/a%20b%2Fc".replace("%20", "%2B"), "11676/a+b/c"),
        ("https://doi.org/10.18160/abc", "10.18160/abc"),
        ("https://dx.doi.org/10.1000/a(b)c;d", "10.1000/a(b)c;d"),
    ],
)
def test_every_usual_way_to_write_a_pid_is_read_as_the_same(written: str, pid: str) -> None:
    assert read_pid(written) == pid
    assert is_pid(pid)
    assert read_pid(pid) == pid


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "11676",
        "11676/",
        "/abc",
        "11676//abc",
        "11676/a b",
        "11676/a\tb",
        "11676/a\u202eb",
        "11..676/abc",
        "https://example.org/11676/abc",
        "https://hdl.handle.net/",
        "https://hdl.handle.net/11676/a%20b",
        "urn:11676/abc",
        "SE-Htm_EC_202401010000_L99_F01.csv",
        "11676/" + "a" * LONGEST_PID,
    ],
)
def test_what_is_no_pid_is_refused(text: str) -> None:
    assert read_pid(text) is None
    assert not is_pid(text)
