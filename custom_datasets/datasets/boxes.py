"""What data sets of boxes share when they load: a filter, and one report."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.logging import print_log

from custom_datasets.errors import AnnotationError, ConfigError


def require_filter(filter_cfg: Mapping[str, Any] | None) -> None:
    """Stop at a filter that would do nothing.

    Raises:
        ConfigError: ``filter_cfg`` has another key than ``filter_empty_gt`` and
            ``min_size``.
    """
    for key in set(filter_cfg or {}) - {'filter_empty_gt', 'min_size'}:
        raise ConfigError(
            f'filter_cfg: no {key!r} here, only filter_empty_gt and min_size'
        )


def passes_filter(info: Mapping[str, Any], filter_cfg: Mapping[str, Any]) -> bool:
    """Say whether an image is kept for training.

    Args:
        info: With ``width`` and ``height`` in pixels and its ``instances``.
        filter_cfg: ``filter_empty_gt``, whether images without objects go, and
            ``min_size``, the least of width and height, in pixels.
    """
    if filter_cfg.get('filter_empty_gt') and not info['instances']:
        return False
    smaller = min(info['width'], info['height'])
    return bool(smaller >= filter_cfg.get('min_size', 0))


def report_loading(
    where: str,
    ann_file: str,
    classes: Sequence[str],
    data_list: Sequence[Mapping[str, Any]],
    counts: Counter[str],
    problems: Sequence[str],
    test_mode: bool,
) -> None:
    """Raise all problems of a data set together, or log one line on it.

    Args:
        where: The data set's class and list.
        ann_file: Its list or file of annotations.
        classes: Names, in the order that numbers them.
        data_list: What was loaded.
        counts: What was dropped, clipped or ignored, by what it is called.
        problems: What is wrong, a sentence each.
        test_mode: Whether a class may have no box.

    Raises:
        AnnotationError: There are problems, or a class has no box.
    """
    labels = [i['bbox_label'] for info in data_list for i in info['instances']]
    boxes = {name: labels.count(label) for label, name in enumerate(classes)}
    absent = [name for name, count in boxes.items() if not count]
    problems = list(problems)
    if test_mode and absent:
        counts[f'classes without a box ({", ".join(absent)})'] = len(absent)
    elif data_list or not problems:
        problems += [f'{ann_file}: no box of class {name}' for name in absent]
    if problems:
        raise AnnotationError(where, problems)
    counts['images without objects'] = sum(not i['instances'] for i in data_list)
    table = ', '.join(f'{name} {count}' for name, count in boxes.items())
    notes = ', '.join(f'{n} {what}' for what, n in counts.items() if n)
    print_log(
        f'{where}: {len(data_list)} images, {len(labels)} boxes ({table}); '
        f'{notes or "all clean"}',
        logger='current',
    )
