"""Log lines: text for a person, one JSON object a line for a machine; facts stand in both."""

import json
import logging
import re
from collections.abc import Iterator

import pytest

from b2stream import logs


@pytest.fixture(autouse=True)
def handlers_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_json_is_one_object_a_line_with_facts(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info")
    facts = {"station": "Ny-Ålesund", "offset": 7, "path": object}
    logging.getLogger("b2stream.programs.processor").warning("batch %s\nwaits", "x", extra={"facts": facts})
    (line,) = said(capsys).splitlines()
    found = json.loads(line)
    assert (found["level"], found["program"], found["message"]) == ("warning", "programs.processor", "batch x\nwaits")
    assert (found["station"], found["offset"]) == ("Ny-Ålesund", 7)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", found["time"])


def test_facts_do_not_hide_what_a_line_is_about(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json", "info")
    logging.getLogger("x").error("the message", extra={"facts": {"message": "other", "level": "none"}})
    found = json.loads(said(capsys))
    assert (found["message"], found["level"]) == ("the message", "error")


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_exception_is_told_with_its_traceback(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(form, "info")
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("x").exception("it failed")
    text = said(capsys)
    assert "it failed" in text
    assert "ValueError: broken" in text
    if form == "json":
        assert "ValueError: broken" in json.loads(text)["traceback"]


def test_text_is_a_line_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("text", "info")
    logging.getLogger("x").info("batch committed", extra={"facts": {"station": "HTM", "rows": 3}})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ info    batch committed station=HTM rows=3\n", said(capsys))


def test_what_is_below_the_level_is_not_said_and_chatty_libraries_only_warn(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("text", "info")
    logging.getLogger("b2stream").debug("hidden")
    logging.getLogger("irods.connection").info("hidden too")
    logging.getLogger("aiokafka").warning("shown")
    assert said(capsys).endswith("warning shown\n")
    logs.configure("text", "error")
    logging.getLogger("faust").warning("hidden")
    assert said(capsys) == ""
