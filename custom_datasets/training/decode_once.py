"""``cache=ram`` and ``cache=disk``: images are decoded once, for all epochs.

Pixels stay the same, bit for bit: what is kept is what the stock steps made. Where a
pipeline begins by resizing to a fixed size, that is done once as well.
"""

import copy
import marshal
import mmap
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from mmcv.transforms import LoadAnnotations, LoadImageFromFile, Resize
from mmengine.dist import get_local_size
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from numpy.typing import NDArray

from custom_datasets.data.images import image_size
from custom_datasets.errors import UserError
from custom_datasets.training.surroundings import free_memory

MEMORY_SHARE = 0.25
"""Of the memory that is free, as much may be taken."""

DISK_SHARE = 0.5
"""The same of the disk that holds the work directory."""

_NOTE = 512
_LOADED = ('img_shape', 'ori_shape')
_RESIZED = ('img_shape', 'scale_factor', 'keep_ratio')

Pixels = NDArray[np.uint8]
Results = dict[str, Any]


@HOOKS.register_module()
class DecodeOnceHook(Hook):  # type: ignore[misc]
    """Let the images of training and validation be decoded once.

    What does not fit, or can't be shared with loader workers, is said and decoded each
    time, as without the hook.
    """

    def __init__(self, place: str) -> None:
        """Keep pixels in ``ram`` or on ``disk``, in the work directory."""
        self.place = place

    def before_train(self, runner: Any) -> None:
        """Make room before the first loader worker is forked."""
        loaders = {'train': runner.train_dataloader}
        if runner.val_loop:
            loaders['val'] = runner.val_dataloader
        folder = None
        room = MEMORY_SHARE * free_memory()
        if self.place == 'disk':
            folder = runner.work_dir
            room = DISK_SHARE * shutil.disk_usage(folder).free
        room /= get_local_size()
        for name, loader in loaders.items():
            what = f'cache={self.place}, {name}'
            try:
                images, size = keep_images(loader, folder, room)
            except (UserError, OSError) as error:
                runner.logger.warning(f'{what}: {error}; decoded in each epoch')
            else:
                room -= size
                runner.logger.info(
                    f'{what}: {images} images are decoded once, {size / 1e6:.1f} MB'
                )


def keep_images(loader: Any, folder: str | None, room: float) -> tuple[int, int]:
    """Let a loader's images be decoded once, and return their number and bytes.

    Args:
        loader: Its workers have not been started.
        folder: Where the file with the pixels will be; None keeps them in memory.
        room: Bytes that may be taken.

    Raises:
        UserError: They do not fit, or the data set's pipeline or the way in which
            workers are started does not allow it.
        OSError: The file can't be made.
    """
    if loader.num_workers and multiprocessing.get_start_method() != 'fork':
        raise UserError('loader workers are not forked, and could not share pixels')
    planned = []
    for dataset in _parts(loader.dataset):
        beginning = _beginning(dataset)
        infos = (dataset.get_data_info(index) for index in range(len(dataset)))
        sizes = {i['img_path']: _most_bytes(i, beginning.resize) for i in infos}
        planned.append((dataset, beginning, sizes))
    images = sum(len(sizes) for _, _, sizes in planned)
    total = sum(sum(sizes.values()) for _, _, sizes in planned) + _NOTE * images
    if total > room:
        raise UserError(
            f'{images} images need {total / 1e6:.1f} MB, and {room / 1e6:.1f} MB may '
            'be taken'
        )
    for dataset, beginning, sizes in planned:
        store = PixelStore(sizes, folder)
        steps = dataset.pipeline.transforms
        steps[: len(beginning.steps)] = [DecodeOnce(beginning, store)]
    return images, total


class Beginning(NamedTuple):
    """The first steps of a pipeline, which do the same in each epoch."""

    load: Callable[[Results], Results | None]
    annotate: Sequence[Callable[[Results], Results | None]]
    resize: Resize | None

    @property
    def steps(self) -> list[Any]:
        """All of them."""
        return [self.load, *self.annotate, *filter(None, [self.resize])]


class PixelStore:
    """Pixels of images by path, in memory that forked processes share.

    It is reserved, but takes real memory or disk only as it is filled. Under each path
    there is room for its number of bytes; more is not kept.
    """

    def __init__(self, sizes: Mapping[str, int], folder: str | None) -> None:
        """Reserve; an OSError says that the disk has no room."""
        self._places: dict[str, tuple[int, int]] = {}
        end = 0
        for path, size in sizes.items():
            self._places[path] = end, size
            end += _NOTE + size
        self._memory: mmap.mmap | None
        if folder is None:
            self._memory = mmap.mmap(-1, max(end, 1))
            return
        # It has no name, so that it is gone with the last process.
        with tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, 'posix_fallocate'):
                os.posix_fallocate(file.fileno(), 0, max(end, 1))
            file.truncate(max(end, 1))
            self._memory = mmap.mmap(file.fileno(), max(end, 1))

    def get(self, path: str) -> tuple[Pixels, list[Any]] | None:
        """Return a copy of an image's pixels, and what was noted with them."""
        place = self._places.get(path)
        if self._memory is None or place is None:
            return None
        start, _ = place
        length = int.from_bytes(self._memory[start : start + 4], 'little')
        if not length:
            return None
        shape, note = marshal.loads(self._memory[start + 4 : start + 4 + length])
        pixels = np.frombuffer(
            self._memory, np.uint8, int(np.prod(shape)), start + _NOTE
        )
        return pixels.reshape(shape).copy(), note

    def put(self, path: str, pixels: Any, note: list[Any]) -> None:
        """Keep an image, where it has a place that it fits into."""
        place = self._places.get(path)
        if self._memory is None or place is None or pixels.dtype != np.uint8:
            return
        start, size = place
        text = marshal.dumps((pixels.shape, note))
        if pixels.nbytes > size or len(text) > _NOTE - 4:
            return
        data = start + _NOTE
        self._memory[data : data + pixels.nbytes] = pixels.tobytes()
        self._memory[start + 4 : start + 4 + len(text)] = text
        # Last, since another process may read meanwhile.
        self._memory[start : start + 4] = len(text).to_bytes(4, 'little')

    def __getstate__(self) -> dict[str, Any]:
        """Leave the memory out: it can be forked, but not sent."""
        return {'_places': {}, '_memory': None}


class DecodeOnce:
    """A step in the place of a pipeline's beginning: does it once for each image."""

    def __init__(self, beginning: Beginning, store: PixelStore) -> None:
        """Replace the stock steps, which do what is not kept."""
        self._load, self._annotate, resize = beginning
        self._store = store
        self._resize = resize
        # It resizes boxes and masks as ever, and takes the pixels from the store.
        self._resize_rest = copy.copy(resize)
        if self._resize_rest is not None:
            self._resize_rest._resize_img = _nothing

    def __call__(self, results: Results) -> Results | None:
        """Return what the stock steps would have made."""
        kept = self._store.get(results['img_path'])
        if kept is None:
            return self._make(results)
        results['img'], (loaded, resized) = kept
        results.update(loaded)
        later: Results | None = results
        for step in self._annotate:
            later = later and step(later)
        if later is None or self._resize_rest is None:
            return later
        later.update(resized)
        made: Results = self._resize_rest(later)
        return made

    def __repr__(self) -> str:
        """Show the steps."""
        return f'DecodeOnce({self._load}, {self._annotate}, {self._resize})'

    def _make(self, results: Results) -> Results | None:
        path = results['img_path']
        later = self._load(results)
        loaded = {key: (later or {}).get(key) for key in _LOADED}
        for step in self._annotate:
            later = later and step(later)
        if later is not None and self._resize is not None:
            later = self._resize(later)
        if later is not None:
            resized = {key: later[key] for key in _RESIZED if self._resize}
            self._store.put(path, later['img'], [loaded, resized])
        return later


def _nothing(results: Results) -> None:
    """Resize no pixels."""


def _parts(dataset: Any) -> Iterator[Any]:
    """Yield the data sets that read images, inside of wrappers."""
    inner = getattr(dataset, 'datasets', None)
    if inner is None:
        inner = [dataset.dataset] if hasattr(dataset, 'dataset') else None
    if inner is None:
        yield dataset
    for each in inner or ():
        yield from _parts(each)


def _beginning(dataset: Any) -> Beginning:
    steps = list(getattr(dataset.pipeline, 'transforms', ()))
    if not steps or type(steps[0]) is not LoadImageFromFile:
        raise UserError(
            f'the pipeline of {type(dataset).__name__} does not begin with '
            'LoadImageFromFile'
        )
    annotate = []
    for step in steps[1:]:
        if isinstance(step, LoadAnnotations):
            annotate.append(step)
        elif isinstance(step, Resize) and type(step).__name__ == 'Resize':
            if step.scale:
                return Beginning(steps[0], annotate, step)
            break
        else:
            break
    return Beginning(steps[0], [], None)


def _most_bytes(info: Mapping[str, Any], resize: Resize | None) -> int:
    """Return what an image takes at most; what an annotation claims may be too little.

    Then the image is decoded in each epoch.
    """
    if resize is not None:
        width, height = resize.scale
    elif info.get('width') and info.get('height'):
        width, height = info['width'], info['height']
    else:
        try:
            width, height = image_size(info['img_path'])
        except UserError:
            return 0  # The loader will say so.
    return 3 * int(width) * int(height)
