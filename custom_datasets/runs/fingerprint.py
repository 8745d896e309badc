"""What data a run saw: counts, and a hash that other data do not have."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Fingerprint = dict[str, Any]


def fingerprint(dataset: Any) -> Fingerprint:
    """Describe the images and annotations of a data set.

    The hash covers the class names, and each image's path below the folder
    that all images share, its size where that is known, its labels and boxes
    (to 1/1000 of a pixel), whether they are to be ignored, and masks. So it
    is the same wherever the data lie, in whatever order they are listed, and
    however often a wrapper repeats them; pixels are not read.

    Args:
        dataset: A data set of mmengine's kind, or a wrapper of some.

    Returns:
        ``dataset`` (its type), ``classes``, ``list`` (its annotation file below
        the data root), ``images``, ``samples`` (what an epoch draws from),
        ``objects`` (of each class; images of each in classification),
        ``sha256`` and ``why``, which says what stands in the way where these
        are None.
    """
    metainfo = getattr(dataset, 'metainfo', None) or {}
    classes = metainfo.get('classes')
    found: Fingerprint = {
        'dataset': type_names(dataset),
        'classes': list(classes) if classes is not None else None,
        'list': _list_name(innermost(dataset)),
        'images': None,
        'samples': len(dataset),
        'objects': None,
        'sha256': None,
        'why': None,
    }
    if not callable(getattr(dataset, 'get_data_info', None)):
        kind = type(dataset).__name__
        return {**found, 'why': f'{kind} lists no images (it has no get_data_info)'}
    infos: dict[str, Mapping[str, Any]] = {}
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        path = info.get('img_path')
        if not isinstance(path, str):
            return {**found, 'why': f'sample {index} has no img_path'}
        infos.setdefault(os.path.abspath(path), info)
    found['images'] = len(infos)
    found['objects'] = count_objects(infos.values(), classes)
    found['sha256'] = _digest(infos, classes)
    return found


def innermost(dataset: Any) -> Any:
    """Return the (first) data set inside of wrappers."""
    while True:
        inner = getattr(dataset, 'dataset', None)
        if inner is None:
            several = getattr(dataset, 'datasets', None)
            inner = several[0] if several else None
        if inner is None:
            return dataset
        dataset = inner


def type_names(dataset: Any) -> str:
    """Name a data set's type, with those of the wrappers around it."""
    inner = innermost(dataset)
    if inner is dataset:
        return type(dataset).__name__
    return f'{type(dataset).__name__} of {type(inner).__name__}'


def count_objects(infos: Any, classes: Sequence[str] | None) -> dict[str, int]:
    """Count the objects of each class, or the images in classification."""
    counts: Counter[int] = Counter()
    for info in infos:
        counts.update(_labels(info))
    names = dict(enumerate(classes or ()))
    known = {name: counts.pop(label, 0) for label, name in names.items()}
    return {**known, **{str(label): count for label, count in sorted(counts.items())}}


def _labels(info: Mapping[str, Any]) -> list[int]:
    if 'gt_label' in info:
        return [int(label) for label in np.ravel(info['gt_label'])]
    instances = info.get('instances') or ()
    return [int(one['bbox_label']) for one in instances if 'bbox_label' in one]


def _digest(
    infos: Mapping[str, Mapping[str, Any]], classes: Sequence[str] | None
) -> str:
    digest = hashlib.sha256(json.dumps(list(classes or ())).encode())
    shared = os.path.commonpath([os.path.dirname(path) for path in infos] or ['/'])
    for path, info in sorted(
        (os.path.relpath(path, shared).replace(os.sep, '/'), info)
        for path, info in infos.items()
    ):
        size = [info.get('height'), info.get('width')]
        digest.update(json.dumps([path, *size, *_content(info)]).encode())
    return digest.hexdigest()


def _content(info: Mapping[str, Any]) -> list[Any]:
    """Return an image's annotations in an order of their own."""
    if 'gt_label' in info:
        return [sorted(_labels(info))]
    objects = [
        [
            one.get('bbox_label'),
            [round(float(edge), 3) for edge in one.get('bbox', ())],
            int(one.get('ignore_flag') or 0),
            str(one.get('mask', '')),
        ]
        for one in info.get('instances') or ()
    ]
    return sorted(objects, key=str)


def _list_name(dataset: Any) -> str | None:
    path, root = (getattr(dataset, key, None) for key in ('ann_file', 'data_root'))
    if not path:
        return None
    return str(os.path.relpath(path, root) if root else os.path.basename(path))
