"""An application around a detector, and one around a classifier."""

import pytest
from starlette.testclient import TestClient

from custom_datasets.serving.app import create_app
from custom_datasets.serving.engine import LocalEngine
from custom_datasets.serving.limits import Limits, Service
from custom_datasets.serving.metrics import Metrics
from tests.predicting.conftest import (  # noqa: F401
    LEAF,
    WASTE,
    classifier,
    detector,
    photo,
)


def build(service):
    """Return an application with its engine; loading ends before a client enters."""
    metrics = Metrics()
    engine = LocalEngine(service, metrics)
    return create_app(service, engine, metrics), engine


@pytest.fixture(scope='session')
def service(detector):  # noqa: F811
    return Service(str(LEAF), detector, load_first=True, limits=Limits(images=4))


@pytest.fixture(scope='session')
def client(service):
    with TestClient(build(service)[0]) as client:
        yield client


@pytest.fixture(scope='session')
def classifying(classifier):  # noqa: F811
    service = Service(str(WASTE), classifier, load_first=True)
    with TestClient(build(service)[0]) as client:
        yield client
