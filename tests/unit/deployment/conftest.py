"""What a cluster would get of the base and of the overlay."""

import pytest

from tests.unit.deployment import kustomize
from tests.unit.deployment.kustomize import Document
from tests.unit.deployment.manifests import BASE, PRODUCTION


@pytest.fixture(params=[BASE, PRODUCTION], ids=["base", "production"])
def documents(request: pytest.FixtureRequest) -> list[Document]:
    return kustomize.render(request.param)
