"""Splits in which both images and boxes of each class are in proportion."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence

from custom_datasets.errors import UserError
from custom_datasets.text import aligned

Labels = Mapping[str, Mapping[str, int]]


def split_by_class(
    labels: Labels,
    ratios: Mapping[str, float],
    groups: Mapping[str, Hashable] | None = None,
    seed: int = 0,
) -> dict[str, list[str]]:
    """Divide items into parts so that each class is in proportion.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas, "On the stratification
    of multi-label data", ECML PKDD 2011): the rarest class goes first. Here the unit is
    a group, which is never divided. Groups with most of the class go first, each to the
    part that is furthest behind its share of what was given out so far; thus crowded
    and sparse groups are spread alike. The last groups of a class go to parts that have
    none of it. Ties are broken by a hash of names and seed, not by a generator.

    Raises a UserError where a class is in too few groups to be in every part.
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

    Classes that share few groups may be missing in a part.
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
    return '\n'.join(aligned(rows))


def file_digest(path: str) -> str:
    """Return a digest that is equal for byte-identical files."""
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
    """Return how far each part would be behind if ``more`` units were all given out."""
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


Feature = tuple[str, str]
"""What is counted, ``images`` or ``boxes``, and of which class; the class is
empty for all images, and :data:`EMPTY` for those without a box."""

Vector = dict[Feature, int]

EMPTY = '(no object)'

_IMAGE_WEIGHT = 4
"""How much more a class's images weigh than its boxes. At 1, classes of the
face mask set are off by 1.6 images; at 16, boxes are no better than at 4."""

_MOST_PARTNERS = 64
_MOST_TRIALS = 300_000
"""Enough for 5,000 images of 80 classes; larger sets are near to proportional
from the start."""


def balanced_split(
    labels: Labels,
    ratios: Mapping[str, int],
    groups: Mapping[str, Hashable] | None = None,
    seed: int = 0,
) -> dict[str, list[str]]:
    """Divide items so that images and boxes of each class are in proportion.

    The start is :func:`stratify` by the images that each class is in. Then groups move
    to other parts, or two are exchanged, as long as that lessens the sum of squared
    distances from proportional. Each count's square is divided by what a random split
    would have, so that rare and common classes weigh alike. Everything is integer
    arithmetic in an order that only names and seed decide.

    Raises a UserError where a class is in too few groups to be in every part.
    """
    members = group_items(labels, groups)
    vectors = {
        group: count_features(labels[item] for item in items)
        for group, items in members.items()
    }
    presence = {group: _presence(vector) for group, vector in vectors.items()}
    part_of = stratify(members, presence, ratios, seed)
    _Balance(vectors, ratios, seeded_order(members, seed), part_of).improve()
    require_complete(part_of, presence, ratios)
    return gather_parts(part_of, members, ratios)


def count_features(labels: Iterable[Mapping[str, int]]) -> Vector:
    """Count the images and boxes, of all and of each class, in some items."""
    total: Counter[Feature] = Counter()
    for boxes in labels:
        present = {name: count for name, count in boxes.items() if count}
        total['images', ''] += 1
        total.update(('images', name) for name in present or (EMPTY,))
        for name, count in present.items():
            total['boxes', name] += count
    return dict(total)


def _presence(vector: Vector) -> Counter[str]:
    return Counter(
        {
            name: count
            for (kind, name), count in vector.items()
            if kind == 'images' and name not in ('', EMPTY)
        }
    )


class _Balance:
    """Groups in parts, ``part_of``, which exchanges between them change in place."""

    def __init__(
        self,
        vectors: Mapping[Hashable, Vector],
        ratios: Mapping[str, int],
        order: Sequence[Hashable],
        part_of: dict[Hashable, str],
    ) -> None:
        self.vectors, self.order, self.part_of = vectors, order, part_of
        self.whole = sum(ratios.values())
        totals: Counter[Feature] = Counter()
        squares: Counter[Feature] = Counter()
        for vector in vectors.values():
            totals.update(vector)
            squares.update({key: count**2 for key, count in vector.items()})
        self.weights = {
            key: 10**12 * (_IMAGE_WEIGHT if key[0] == 'images' else 1) // square
            for key, square in squares.items()
        }
        self.given = {part: Counter[Feature]() for part in ratios}
        # Times ``whole``, so that it is an integer.
        self.surplus = {
            part: {key: -ratio * total for key, total in totals.items()}
            for part, ratio in ratios.items()
        }
        self.kinds = {g: tuple(sorted(v.items())) for g, v in vectors.items()}
        self.alike: dict[str, dict[Hashable, list[Hashable]]] = {
            part: defaultdict(list) for part in ratios
        }
        for group in order:
            self._put(group, part_of[group])
        self.trials = 0

    def improve(self) -> None:
        changed = True
        while changed:
            changed = False
            for group in self.order:
                if self.trials >= _MOST_TRIALS:
                    return
                part = self.part_of[group]
                # Groups with equal counts are interchangeable: one is tried.
                if self.alike[part][self.kinds[group]][0] == group:
                    changed |= self._exchange(group, part)

    def _exchange(self, group: Hashable, part: str) -> bool:
        best: tuple[int, int] = (0, 0)
        chosen: tuple[str, Hashable | None] | None = None
        for other in self.given:
            if other == part:
                continue
            for partner in (None, *self._partners(group, other)):
                value = self._value(part, other, self._change(group, partner))
                if value < best:
                    best, chosen = value, (other, partner)
        if chosen is None:
            return False
        other, partner = chosen
        self._take(group)
        if partner is not None:
            self._take(partner)
            self._put(partner, part)
        self._put(group, other)
        return True

    def _partners(self, group: Hashable, part: str) -> list[Hashable]:
        partners = []
        for kind, groups in self.alike[part].items():
            if groups and kind != self.kinds[group]:
                partners.append(groups[0])
            if len(partners) == _MOST_PARTNERS:
                break
        return partners

    def _change(self, group: Hashable, partner: Hashable | None) -> Vector:
        change = dict(self.vectors[group])
        if partner is not None:
            for key, count in self.vectors[partner].items():
                change[key] = change.get(key, 0) - count
        return change

    def _value(self, part: str, other: str, change: Vector) -> tuple[int, int]:
        """Return how much worse it gets if ``change`` goes to another part.

        First how many more parts miss a class, then the growth of the sum of squares;
        both are negative where it gets better.
        """
        self.trials += 1
        mine, theirs = self.surplus[part], self.surplus[other]
        cost = 0
        for key, count in change.items():
            distance = theirs[key] - mine[key] + self.whole * count
            cost += self.weights[key] * count * distance
        had, has = self.given[part], self.given[other]
        lacking = 0
        for key, count in change.items():
            if key[0] == 'images':
                lacking += (had[key] == count) - (not had[key])
                lacking += (has[key] == -count) - (not has[key])
        return lacking, cost

    def _put(self, group: Hashable, part: str) -> None:
        self.part_of[group] = part
        self.alike[part][self.kinds[group]].append(group)
        for key, count in self.vectors[group].items():
            self.given[part][key] += count
            self.surplus[part][key] += self.whole * count

    def _take(self, group: Hashable) -> None:
        part = self.part_of[group]
        self.alike[part][self.kinds[group]].remove(group)
        for key, count in self.vectors[group].items():
            self.given[part][key] -= count
            self.surplus[part][key] -= self.whole * count
