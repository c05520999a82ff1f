"""id24 by the Carbon Portal's rule, compared with the values that the README beside the real ICOS files lists."""

import hashlib
import re
from pathlib import Path

from b2stream.batches.identity import id24
from b2stream.batches.paths import is_safe_name, split_name

ID24 = re.compile(r"`([A-Za-z0-9_-]{24})`")


def listed(readme: str) -> dict[str, str]:
    """id24 by file name, from the rows of the README's tables."""
    found: dict[str, str] = {}
    for line in readme.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        names = re.findall(r"`([^`]+)`", cells[1]) if len(cells) > 4 else []
        ids = ID24.findall(cells[4]) if len(cells) > 4 else []
        found.update(zip(names, ids, strict=False))
    return found


def test_id24_of_every_file_that_the_readme_lists(icos_data: Path) -> None:
    expected = listed((icos_data / "README.md").read_text(encoding="utf-8"))
    assert len(expected) >= 18
    found = {name: id24(hashlib.sha256((icos_data / name).read_bytes()).hexdigest()) for name in expected}
    assert found == expected


def test_every_real_file_name_has_a_safe_stem(icos_data: Path) -> None:
    for path in icos_data.iterdir():
        stem, extension = split_name(path.name)
        assert is_safe_name(stem)
        assert stem + extension == path.name, "real names need no escape"
