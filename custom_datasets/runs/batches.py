"""What is in a batch, whatever the task."""

from collections.abc import Iterator, Mapping
from typing import Any


def count_images(batch: Any) -> int:
    """Count the images of a batch as a loader yields it, 0 if it tells none."""
    inputs = batch.get('inputs') if isinstance(batch, Mapping) else None
    if isinstance(inputs, Mapping):
        return sum(len(each) for each in inputs.values())
    return 0 if inputs is None else len(inputs)


def iter_samples(batch: Any) -> Iterator[Any]:
    """Yield the data samples of a batch: whatever has an ``img_path``."""
    if isinstance(getattr(batch, 'img_path', None), str):
        yield batch
    elif isinstance(batch, Mapping):
        for each in batch.values():
            yield from iter_samples(each)
    elif isinstance(batch, (list, tuple)):
        for each in batch:
            yield from iter_samples(each)
