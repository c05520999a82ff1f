"""The check's own means, held against the pipeline's: canonical JSON, digests, row counts; and what it makes of events."""

import codecs
import gzip
import io
import zipfile
from dataclasses import replace
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from b2stream.batches import identity
from b2stream.formats.base import Station
from b2stream.formats.registry import read_file
from b2stream.sandbox.demo.check import canonical, history, rows
from b2stream.sandbox.demo.check.centres import Found
from b2stream.sandbox.demo.check.events import Events, only_of
from b2stream.sandbox.demo.check.findings import Findings
from b2stream.sandbox.demo.check.manifests import Batch
from b2stream.sandbox.demo.check.plan import Centre, Password
from b2stream.sandbox.demo.check.zone import Stored
from tests.unit.formats import samples

text = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_canonical_json_is_what_the_library_writes(value: Any) -> None:
    assert canonical.canonical(value).encode() == rfc8785.dumps(value)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (-0.0, "0"),
        (333333333.33333329, "333333333.3333333"),
        ('\u20ac$\x0f\nA\'B"\\\\"/', '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'),
        ({"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5}, '{"\\r":2,"1":4,"€":1,"😀":5,"\ufb33":3}'),
    ],
)
def test_canonical_json_of_the_standards_own_examples(value: Any, written: str) -> None:
    assert canonical.canonical(value) == written


@pytest.mark.parametrize("value", [2**53 + 1, float("nan"), float("inf"), b"bytes"])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"JSON|2\*\*53"):
        canonical.canonical(value)


@given(st.binary(min_size=32, max_size=32), text, text, text)
def test_identities_are_those_of_the_pipeline(digest: bytes, station: str, series: str, stem: str) -> None:
    sha256 = digest.hex()
    assert canonical.batch_id(station, series, stem, sha256) == identity.batch_id(station, series, stem, sha256)
    assert canonical.id24(sha256) == identity.id24(sha256)
    assert canonical.irods_checksum(sha256) == identity.irods_checksum(sha256)


def zipped(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("inside.csv", content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("input_format", "content", "counted"),
    [
        ("etc-eddy-covariance", b"U,V\n1,2\n3,4\n", 2),
        ("etc-eddy-covariance", b"U,V\nm/s,m/s\n1,2\n3,4", 2),
        ("etc-biomet", zipped(samples.biomet(rows=3)), 3),
        ("campbell-toa5", gzip.compress(b'"TOA5"\r\n"a"\r\n"s"\r\n"Smp"\r\n1\r\n2\r\n'), 2),
        ("picarro-datalog", b"DATE  TIME\r\n1 2\r\n", 1),
        ("atc-product", "# TITLE: µ\n#Site;Year\nA;1\nA;2\n".encode(), 2),
        ("otc-product", b'Date/Time,note\n1,"two\nlines"\n2,x\n', 2),
        ("opaque", b"anything\n", None),
        ("campbell-toa5", b"\x1f\x8b damaged", None),
    ],
)
def test_rows_are_counted_below_the_header(input_format: str, content: bytes, counted: int | None) -> None:
    assert rows.count(input_format, content) == counted


def biomet_below(*header: str) -> bytes:
    names, _, *rows = samples.biomet().splitlines(keepends=True)
    return names + b"".join(f"{line}\r\n".encode() for line in header) + b"".join(rows)


def eddy_covariance_with(second_line: bytes) -> bytes:
    names, _, *rows = samples.eddy_covariance().splitlines(keepends=True)
    return b"".join([names, second_line, *rows])


@pytest.mark.parametrize(
    ("name", "content", "held"),
    [
        (samples.BM_NAME, biomet_below(), 4),
        (samples.BM_NAME, biomet_below('"TS","RN","°C","W",""', '"","","Avg","Smp'), 4),
        (samples.ATC_NAME, codecs.BOM_UTF8 + samples.atc(rows=24), 24),
        (samples.EC_NAME, eddy_covariance_with(b",,,,\n"), 1800),
        (samples.EC_NAME, eddy_covariance_with(b"m/s,m/s,m/s,,\n"), 1799),
    ],
    ids=["biomet, names only", "biomet, three lines", "ATC with a mark", "EC, an empty row", "EC with units"],
)
def test_rows_are_counted_as_the_format_reads_them(name: str, content: bytes, held: int) -> None:
    read = read_file(name, content, Station())
    assert read.reading is not None
    assert rows.count(read.format, content) == read.reading.rows == held


BATCH = "b" * 64
PATH = "SE-Htm/EC/2026/07/x~1.csv"


def centre_with_one_batch(role: str) -> Found:
    centre = Centre(role, role, "/zone/root", "/zone/root/.staging", {}, Password(None, None, None), None, None, False)
    found = Found(centre)
    for path, sha256 in ((PATH, "d" * 64), (PATH + ".manifest.json", "e" * 64)):
        found.objects[path] = Stored(path, 1, 0.0, 0.0, [], 10, sha256)
    close = {"station": "SE-Htm", "series": "EC", "name": "x.csv", "rows": 5, "attempt": "a1", "supersedes": ["a0"]}
    found.batches[PATH] = Batch(PATH + ".manifest.json", {"batch": BATCH, "close": close})
    return found


def commit(**changed: Any) -> dict[str, Any]:
    return {
        "batch": BATCH, "station": "SE-Htm", "name": "x.csv", "stem": "x", "rows": 5,
        "path": PATH, "size_bytes": 10, "sha256": "d" * 64,
        "manifest_path": PATH + ".manifest.json", "manifest_size_bytes": 10, "manifest_sha256": "e" * 64,
    } | changed  # fmt: skip


def found_in(events: Events) -> list[str]:
    findings = Findings()
    history.check_events(events, centre_with_one_batch("first"), centre_with_one_batch("second"), {"SE-Htm"}, findings)
    assert findings.compared["I5", "batches looked for among commit events"] == 1
    return [str(one) for one in findings.found]


def test_I5_and_I7_hold_where_each_batch_has_true_events_also_repeated_ones() -> None:
    assert found_in(Events([commit(), commit()], [{"commit": commit()}])) == []


def test_I5_a_batch_without_a_commit_event_and_I7_one_without_a_replica_event_are_named() -> None:
    assert found_in(Events([commit()], [])) == [f"I7 SE-Htm x.csv at second {PATH}: the batch has no replica event"]
    assert found_in(Events([], [{"commit": commit()}])) == [
        f"I5 SE-Htm x.csv at first {PATH}: the batch has no commit event"
    ]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"sha256": "f" * 64}, "an event names other bytes than lie there"),
        ({"manifest_sha256": "f" * 64}, "an event names other bytes than lie there"),
        ({"size_bytes": 11}, "an event names other bytes than lie there"),
        ({"path": "SE-Htm/EC/2026/07/y~1.csv"}, "an event names this object, and it is not there"),
        ({"rows": 6}, "an event names another batch or other rows than the manifest"),
    ],
)
def test_I5_an_event_that_is_not_true_is_named(changed: dict[str, Any], told: str) -> None:
    (found,) = found_in(Events([commit(), commit(**changed)], [{"commit": commit()}]))
    assert found.startswith("I5 SE-Htm x.csv at first")
    assert told in found


@pytest.mark.parametrize(
    ("letter", "resolved"),
    [
        ({"batch": BATCH, "attempt": ""}, True),
        ({"batch": "", "attempt": "a1"}, True),
        ({"batch": "", "attempt": "a0"}, True),
        ({"batch": "c" * 64, "attempt": "a7"}, False),
    ],
)
def test_I1_a_dead_letter_counts_unless_a_committed_batch_resolves_it(letter: dict[str, str], resolved: bool) -> None:
    letters = [letter | {"station": "SE-Htm", "reason": "close_mismatch", "detail": "rows", "ce_id": "t/0/7"}]
    found = found_in(Events([commit()], [{"commit": commit()}], letters))
    assert found == ([] if resolved else ["I1 SE-Htm t/0/7: a dead letter, close_mismatch: rows"])


DEAD = f".dead/{'f' * 32}-8.avro"
LETTER = {"path": DEAD, "size_bytes": 10, "sha256": "d" * 64}


def dead_batch_at(role: str, letters: list[dict[str, Any]], *, shared: bool = False, trouble: str = "") -> Findings:
    """What is found where a dead batch lies at this centre and these letters stand for dead batches."""
    both = {each: centre_with_one_batch(each) for each in ("first", "second")}
    both[role].centre = replace(both[role].centre, shared=shared)
    both[role].dead[DEAD] = Stored(
        DEAD, 2, 0.0, 0.0, [], -1 if trouble else 10, "" if trouble else "d" * 64, trouble=trouble
    )
    findings = Findings()
    history.check_dead(both["first"], both["second"], letters, findings)
    return findings


def test_I1_a_dead_batch_that_a_letter_names_belongs_to_the_archive() -> None:
    findings = dead_batch_at("first", [LETTER])
    assert findings.found == []
    assert findings.compared.total() == 1


@pytest.mark.parametrize(
    ("role", "letters", "told"),
    [
        ("first", [], "no letter names it"),
        ("first", [LETTER | {"path": ".dead/another.avro"}], "no letter names it"),
        ("first", [LETTER | {"sha256": "e" * 64}], "its letter names other bytes"),
        ("first", [LETTER | {"size_bytes": 11}], "its letter names other bytes"),
        ("second", [LETTER], "no letter names it"),
    ],
)
def test_I1_a_dead_batch_that_no_letter_names_is_called_out(
    role: str, letters: list[dict[str, Any]], told: str
) -> None:
    findings = dead_batch_at(role, letters)
    assert [str(one) for one in findings.found] == [f"I1 archive at {role} {DEAD}: {told}"]
    assert findings.compared.total() == 0
    assert dead_batch_at(role, letters, shared=True).found == []


def test_I1_a_dead_batch_that_cannot_be_read_is_called_out() -> None:
    (found,) = dead_batch_at("first", [LETTER], trouble="cannot be read: refused").found
    assert found.what == "cannot be read: refused"


def test_where_topics_are_shared_only_events_of_these_centres_and_letters_of_this_run_count() -> None:
    account = {"host": "h", "port": 1247}
    first = Centre("first", "csc", "/z/a b", "/z/s", account, Password(None, None, None), None, None, True)
    here, there = {"url": "irods://h:1247/z/a%20b/x"}, {"url": "irods://h:1247/z/other/x"}
    elsewhere = {"url": "irods://h:1248/z/a%20b/x"}
    letters = [{"appended_s": "9.9"}, {"appended_s": "10.1"}]
    kept = only_of(Events([here, there, elsewhere], [there, here], letters), first, first, 10.0)
    assert (kept.commits, kept.replicas, kept.letters) == ([here], [here], letters[1:])
