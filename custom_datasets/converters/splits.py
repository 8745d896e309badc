"""Splitting a data set: stratified, grouped, and the same on every machine."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence

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
    stratification of multi-label data", ECML PKDD 2011): the rarest class goes
    first. Here the unit is a group, which is never divided. Groups with most
    of the class go first, each to the part that is furthest behind its share
    of what was given out so far; thus crowded and sparse groups are spread
    alike. The last groups of a class go to parts that have none of it. Ties
    are broken by a hash of names and seed, not by a generator.

    Args:
        labels: For each item the number of units of each class in it; an item
            may be empty.
        ratios: The share of each part, in any unit.
        groups: The group of each item; an item that is absent is its own.
        seed: Another seed gives another split.

    Returns:
        For each part its items, sorted. Every class is in every part.

    Raises:
        UserError: There are no items, a ratio is not positive, or a class is
            in too few groups to be in every part.
    """
    members = group_items(labels, groups)
    counts = {
        group: sum((Counter(labels[i]) for i in items), Counter())
        for group, items in members.items()
    }
    part_of = stratify(members, counts, ratios, seed)
    require_complete(part_of, counts, ratios)
    return gather_parts(part_of, members, ratios)


def group_items(
    items: Iterable[str], groups: Mapping[str, Hashable] | None = None
) -> dict[Hashable, list[str]]:
    """Return the items of each group, sorted; an item may be its own group."""
    members: dict[Hashable, list[str]] = defaultdict(list)
    for item in sorted(items):
        members[(groups or {}).get(item, item)].append(item)
    return dict(members)


def gather_parts(
    part_of: Mapping[Hashable, str],
    members: Mapping[Hashable, Sequence[str]],
    parts: Iterable[str],
) -> dict[str, list[str]]:
    """Return the items of each part, sorted."""
    gathered: dict[str, list[str]] = {part: [] for part in parts}
    for group, part in part_of.items():
        gathered[part] += members[group]
    return {part: sorted(items) for part, items in gathered.items()}


def seeded_order(
    members: Mapping[Hashable, Sequence[str]], seed: int
) -> list[Hashable]:
    """Return the groups in an order that only names and seed decide."""
    return sorted(members, key=lambda group: _hash(seed, members[group][0]))


def stratify(
    members: Mapping[Hashable, Sequence[str]],
    counts: Mapping[Hashable, Counter[str]],
    ratios: Mapping[str, float],
    seed: int,
) -> dict[Hashable, str]:
    """Give each group to a part, as :func:`split_by_class` describes.

    Args:
        members: The items of each group.
        counts: The units of each class in each group.
        ratios: The share of each part, in any unit.
        seed: Another seed gives another split.

    Returns:
        The part of each group. Classes that share few groups may be missing
        in a part.

    Raises:
        UserError: As :func:`split_by_class`.
    """
    if not members:
        raise UserError('nothing to split: no item was found')
    if not ratios or min(ratios.values()) <= 0:
        raise UserError(f'every part needs a positive share, not {dict(ratios)}')
    _require_enough(counts, len(ratios))
    sizes = {group: len(items) for group, items in members.items()}
    return _assign(seeded_order(members, seed), counts, sizes, ratios)


def require_complete(
    part_of: Mapping[Hashable, str],
    counts: Mapping[Hashable, Counter[str]],
    parts: Iterable[str],
) -> None:
    """Raise a UserError that names each class a part is left without."""
    given: dict[str, Counter[str]] = {part: Counter() for part in parts}
    for group, part in part_of.items():
        given[part] += counts[group]
    names = {name for count in counts.values() for name in count}
    lost = sorted(n for n in names if not all(g[n] for g in given.values()))
    if lost:
        raise UserError(
            f'a part is left without {", ".join(lost)}; give another --seed'
        )


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
    given: dict[str, Counter[str]] = {part: Counter() for part in ratios}
    size: Counter[str] = Counter()
    part_of: dict[Hashable, str] = {}
    todo = list(order)
    left = Counter(name for group in todo for name in counts[group])
    while todo:
        spare = {n: left[n] - sum(not given[p][n] for p in ratios) for n in left}
        rarest = min(left, key=lambda n: (spare[n], left[n], n), default='')
        batch = [g for g in todo if not rarest or counts[g][rarest]]
        batch.sort(key=lambda g: -counts[g][rarest])
        for index, group in enumerate(batch):
            lacking = [p for p in ratios if rarest and not given[p][rarest]]
            last_chance = len(batch) - index <= len(lacking)
            units = {p: given[p][rarest] for p in ratios}
            units_behind = _behind(units, counts[group][rarest], ratios)
            items_behind = _behind(size, sizes[group], ratios)
            part = max(
                lacking if last_chance else ratios,
                key=lambda p: (units_behind[p], items_behind[p]),
            )
            part_of[group] = part
            given[part] += counts[group]
            size[part] += sizes[group]
            left.subtract(counts[group].keys())
        left = +left
        todo = [group for group in todo if group not in part_of]
    return part_of


def _behind(
    given: Mapping[str, int], more: int, ratios: Mapping[str, float]
) -> dict[str, float]:
    """Return what each part would lack if ``more`` units were all given out."""
    total = (sum(given.values()) + more) / sum(ratios.values())
    return {p: round(ratios[p] * total - given[p], 9) for p in ratios}


def _require_enough(counts: Mapping[Hashable, Counter[str]], parts: int) -> None:
    spread = Counter(name for count in counts.values() for name in count)
    few = [f'{name} ({n})' for name, n in sorted(spread.items()) if n < parts]
    if few:
        raise UserError(
            f'too few separate images for {parts} parts with every class in each: '
            f'{", ".join(few)}; add images, leave the class out, or train on all of '
            'them (--few-to-train)'
        )


def _hash(seed: int, name: str) -> bytes:
    return hashlib.sha256(f'{seed}/{name}'.encode()).digest()
