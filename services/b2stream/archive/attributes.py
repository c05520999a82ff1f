"""Attributes of an object (AVUs, attribute-value-unit triples) as every store keeps them: texts by name, without a unit."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

LONGEST_CHARACTERS = 2_700
"""Of a name or a value in iRODS; one more is refused."""

_BREAKS = re.compile(r"\r\n?")
# After a control character nobody can read the object's attributes any more: the answer is no XML (measured on iRODS 5.0.2).
_UNSAFE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a centre says of one object beside its bytes: values by attribute name, and the resources that hold its replicas."""

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    resources: tuple[str, ...] = ()

    def lacks(self, wanted: Mapping[str, str]) -> bool:
        """Whether setting these would change anything."""
        return any(self.values.get(name) != (value,) for name, value in clean(wanted).items())


def clean(attributes: Mapping[str, str]) -> dict[str, str]:
    """The attributes as a centre can keep them: line ends are newlines, control characters are �, empty ones are left out."""
    safe = {name: _UNSAFE.sub("�", _BREAKS.sub("\n", value))[:LONGEST_CHARACTERS] for name, value in attributes.items()}
    return {name: value for name, value in safe.items() if value}


def changes(
    present: Iterable[tuple[str, str, str]], wanted: Mapping[str, str]
) -> tuple[list[tuple[str, str, str]], list[tuple[str, str]]]:
    """What to remove, (name, value, unit), and what to add, (name, value), so that each wanted name has its one value."""
    present = list(present)
    keep = {(name, value, "") for name, value in wanted.items()}
    remove = [triple for triple in present if triple[0] in wanted and triple not in keep]
    add = [(name, value) for name, value in wanted.items() if (name, value, "") not in present]
    return remove, add
