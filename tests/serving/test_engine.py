"""When a model is loaded, without one."""

import asyncio
import gc
import threading
from types import SimpleNamespace

import pytest

from custom_datasets.serving import engine as engines
from custom_datasets.serving.engine import LocalEngine
from custom_datasets.serving.limits import Service
from custom_datasets.serving.metrics import Metrics


@pytest.fixture
def loads(monkeypatch):
    """Stand in for loading, which waits for ``may`` and counts in ``versions``."""
    loads = SimpleNamespace(may=threading.Event(), versions=[])

    def load_model(service):
        loads.versions.append(f'model-{len(loads.versions)}')
        version = loads.versions[-1]
        loads.may.wait(10)
        return object(), SimpleNamespace(version=version)

    monkeypatch.setattr(engines, 'load_model', load_model)
    yield loads
    gc.unfreeze()


def run(loads, test):
    async def main():
        engine = LocalEngine(Service('model'), Metrics())
        starting = asyncio.create_task(engine.start())
        await asyncio.sleep(0)
        while not loads.versions:
            await asyncio.sleep(0.001)
        await test(engine)
        loads.may.set()
        await asyncio.wait_for(starting, 10)
        await engine.stop()
        return engine

    return asyncio.run(main())


def test_a_new_checkpoint_while_the_first_loads_is_loaded_next(loads):
    async def test(engine):
        await engine.reload()

    assert run(loads, test).facts.version == 'model-1'


def test_what_a_model_brings_is_no_garbage_to_look_through(loads):
    async def test(engine):
        gc.unfreeze()

    run(loads, test)
    assert gc.get_freeze_count() > 1000
