"""Splitting a data set: stratified, grouped, and the same on every machine."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence

from custom_datasets.errors import UserError

Labels = Mapping[str, Mapping[str, int]]


def split_by_class(
    labels: Labels,
    ratios: Mapping[str, float],
    groups: Mapping[str, Hashable] | None = None,
    seed: int = 0,
) -> dict[str, list[str]]:
    """Divide items into parts so that each class is in proportion.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas, "On the
    stratification of multi-label data", ECML PKDD 2011): the class with the
    fewest items left goes first, each of its items to the part that lacks
    most of that class. Here the unit is a group, which is never divided, and
    ties are broken by a hash of names and seed rather than by a generator.

    Args:
        labels: For each item the number of units of each class in it; an item
            may be empty.
        ratios: The share of each part, in any unit.
        groups: The group of each item; an item that is absent is its own.
        seed: Another seed gives another split.

    Returns:
        For each part its items, sorted.

    Raises:
        UserError: There are no items, a ratio is not positive, or a class
            is in fewer groups than there are parts.
    """
    if not labels:
        raise UserError('nothing to split: no item was found')
    if not ratios or min(ratios.values()) <= 0:
        raise UserError(f'every part needs a positive share, not {dict(ratios)}')
    members: dict[Hashable, list[str]] = defaultdict(list)
    for item in sorted(labels):
        members[(groups or {}).get(item, item)].append(item)
    counts = {
        group: sum((Counter(labels[i]) for i in items), Counter())
        for group, items in members.items()
    }
    _require_enough(counts, len(ratios))
    order = sorted(members, key=lambda group: _hash(seed, members[group][0]))
    part_of = _assign(order, counts, {g: len(m) for g, m in members.items()}, ratios)
    parts: dict[str, list[str]] = {name: [] for name in ratios}
    for group, part in part_of.items():
        parts[part] += members[group]
    return {name: sorted(items) for name, items in parts.items()}


def class_table(labels: Labels, parts: Mapping[str, Sequence[str]]) -> str:
    """Draw a table of items and of each class's units in each part."""
    totals = {
        p: sum((Counter(labels[i]) for i in v), Counter()) for p, v in parts.items()
    }
    classes = sorted({name for total in totals.values() for name in total})
    rows = [['', *parts], ['images', *(str(len(items)) for items in parts.values())]]
    rows += [[name, *(str(totals[part][name]) for part in parts)] for name in classes]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return '\n'.join(
        '  '.join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def file_digest(path: str) -> str:
    """Return a digest that is equal for byte-identical files.

    Raises:
        UserError: The file can't be read.
    """
    try:
        with open(path, 'rb') as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror})') from error


def _assign(
    order: Sequence[Hashable],
    counts: Mapping[Hashable, Counter[str]],
    sizes: Mapping[Hashable, int],
    ratios: Mapping[str, float],
) -> dict[Hashable, str]:
    total = sum(ratios.values())
    share = {part: ratio / total for part, ratio in ratios.items()}
    left = sum(counts.values(), Counter())
    lack = {p: {c: n * share[p] for c, n in left.items()} for p in ratios}
    room = {p: sum(sizes.values()) * share[p] for p in ratios}
    todo = list(order)
    part_of: dict[Hashable, str] = {}
    while todo:
        present = {name: n for name, n in left.items() if n > 0}
        rarest = min(present, key=lambda name: (present[name], name), default='')
        batch = [g for g in todo if not rarest or counts[g][rarest]]
        batch.sort(key=lambda g: -counts[g][rarest])
        for group in batch:
            part = max(
                ratios,
                key=lambda p: (round(lack[p].get(rarest, 0.0), 9), round(room[p], 9)),
            )
            part_of[group] = part
            room[part] -= sizes[group]
            left -= counts[group]
            for name, count in counts[group].items():
                lack[part][name] -= count
        done = set(batch)
        todo = [group for group in todo if group not in done]
    return part_of


def _require_enough(counts: Mapping[Hashable, Counter[str]], parts: int) -> None:
    spread = Counter(name for count in counts.values() for name in count)
    for name, groups in sorted(spread.items()):
        if groups < parts:
            raise UserError(
                f'class {name} is in {groups} separate image(s), too few for '
                f'{parts} parts'
            )


def _hash(seed: int, name: str) -> bytes:
    return hashlib.sha256(f'{seed}/{name}'.encode()).digest()
