"""Provenance as lines and as a picture."""

from dataclasses import replace
from xml.etree import ElementTree

from b2stream.batches.history import history, joined
from b2stream.batches.provenance import acquisition_and_submission
from b2stream.programs.audit.history.drawing import as_lines, as_svg, steps
from tests.unit.batches.test_history import CLOSE, COMMIT, COMMITTED_US, REPLICA, event

WHOLE = joined(
    acquisition_and_submission(CLOSE, COMMIT.batch),
    history(COMMIT, [REPLICA], [event(COMMITTED_US + 90, "fail"), event(COMMITTED_US + 10)]),
)


def test_the_steps_come_in_order_of_time_from_the_instrument_to_the_last_check() -> None:
    labels = [step.label for step in steps(WHOLE)]
    assert labels == [
        f"acquisition of series {CLOSE.series}",
        "submission by the gateway",
        "commit at the first centre",
        "replication to fzj",
        "fixity check at fzj: success",
        "fixity check at fzj: fail",
    ]


def test_each_line_names_who_and_a_failure_stands_out() -> None:
    lines = as_lines(WHOLE)
    assert len(lines) == 6
    assert "b2stream-processor 0.1.0" in lines[2]
    assert "→ copy at csc" in lines[2]
    assert "✗ fixity check at fzj: fail" in lines[5]
    assert "someone@somewhere" in lines[5]


def test_the_picture_is_well_formed_and_shows_every_step_whatever_a_name_contains() -> None:
    picture = ElementTree.fromstring(as_svg(WHOLE, 'odd <name> & "quotes"'))
    texts = [element.text or "" for element in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert texts[0] == 'odd <name> & "quotes"'
    for step in steps(WHOLE):
        assert any(text.startswith(step.label) for text in texts)
    boxes = [element.get("class") for element in picture.iter("{http://www.w3.org/2000/svg}rect")]
    assert boxes.count("activity fail") == 1
    assert boxes.count("activity") == 5


def test_lines_and_picture_show_who_ran_commit_and_replication() -> None:
    commit = replace(COMMIT, who="b2stream@csc-1")
    document = history(commit, [replace(REPLICA, commit=commit, who="b2stream@fzj-1")])
    first, second = as_lines(document)
    assert first.endswith("; b2stream-processor 0.1.0, b2stream@csc-1")
    assert second.endswith("; b2stream-replicator 0.1.0, b2stream@fzj-1")
    picture = ElementTree.fromstring(as_svg(document, "who"))
    texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"b2stream@csc-1", "b2stream@fzj-1", "b2stream-processor 0.1.0"} <= set(texts), "not cut off"


def test_a_product_shows_what_it_was_made_from() -> None:
    product = replace(CLOSE, sources=("11676/one", "10.18160/two%20<x>", *(f"11676/{number}" for number in range(9))))
    document = acquisition_and_submission(product, COMMIT.batch)
    lines = as_lines(document)
    assert lines[0].endswith("made from 11676/one, 10.18160/two%20<x>, 11676/0, 11676/1, 11676/2 and 6 more")
    picture = ElementTree.fromstring(as_svg(document, "product"))
    texts = [element.text or "" for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert any(text.startswith("made from 11676/one, 10.18160/two%20<x>") for text in texts)
    assert not any("made from" in line for line in as_lines(WHOLE))
