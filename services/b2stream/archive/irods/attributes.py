"""AVUs of one object in iRODS: read with two queries, set with one atomic call.

Atomic because a record in parts would mislead whoever reads it; it also saves a round trip for each AVU on a long way. Adding
what is there and removing what is not are no errors then (measured), so two registrars at once end at the same.
"""

from collections.abc import Mapping
from typing import Any

from irods.meta import AVUOperation, iRODSMeta
from irods.models import Collection, DataObject, DataObjectMeta

from b2stream.archive.attributes import Attributes, changes, clean
from b2stream.archive.irods import messages
from b2stream.archive.irods.catalogue import Catalogue, equal
from b2stream.archive.irods.session import Links
from b2stream.errors import B2streamError, MissingObject

Triple = tuple[str, str, str]


class ObjectAttributes:
    """The AVUs of the objects of one zone; paths are absolute."""

    def __init__(self, links: Links, catalogue: Catalogue, elsewhere: str | None, centre: str) -> None:
        self._links = links
        self._catalogue = catalogue
        self._centre = centre
        place = (Collection.name, DataObject.name)
        meta = (*place, DataObjectMeta.name, DataObjectMeta.value, DataObjectMeta.units)
        self._triples = messages.Question([column.icat_id for column in meta], elsewhere)
        self._resources = messages.Question(
            [column.icat_id for column in (*place, DataObject.resource_name)], elsewhere
        )

    def read(self, path: str) -> Attributes:
        """Raises MissingObject."""
        resources = sorted({row[2] for row in self._rows(self._resources, path)})
        if not resources:
            raise MissingObject(f"{path} at {self._centre}")
        values: dict[str, list[str]] = {}
        for name, value, _ in self._present(path):
            values.setdefault(name, []).append(value)
        return Attributes({name: tuple(sorted(found)) for name, found in values.items()}, tuple(resources))

    def set(self, path: str, wanted: Mapping[str, str]) -> None:
        """Give each name this one value. Raises MissingObject, AccessRefused, LostReply."""
        remove, add = changes(self._present(path), clean(wanted))
        if not remove and not add:
            return
        operations = [AVUOperation(operation="remove", avu=iRODSMeta(*triple)) for triple in remove]
        operations += [AVUOperation(operation="add", avu=iRODSMeta(name, value)) for name, value in add]

        def order(session: Any) -> None:
            session.metadata.apply_atomic_operations(DataObject, path, *operations)

        try:
            self._links.of_this_thread().tell(f"setting attributes of {path} at {self._centre}", order)
        except B2streamError as error:
            if not self._rows(self._resources, path):  # the server says "invalid parameter" where there is no object
                raise MissingObject(f"{path} at {self._centre}") from error
            raise

    def _present(self, path: str) -> list[Triple]:
        return [(row[2], row[3], row[4]) for row in self._rows(self._triples, path)]

    def _rows(self, question: messages.Question, path: str) -> list[tuple[str, ...]]:
        collection, _, name = path.rpartition("/")
        conditions = (equal(Collection.name, collection), equal(DataObject.name, name))
        return [row for row in self._catalogue.rows(question, conditions) if row[:2] == (collection, name)]
