"""Splits in which both images and boxes of each class are in proportion."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence

from custom_datasets.converters.splits import (
    Labels,
    gather_parts,
    group_items,
    require_complete,
    seeded_order,
    stratify,
)

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

    The start is :func:`~custom_datasets.converters.splits.stratify` by the
    images that each class is in. Then groups change parts, alone or two for
    one another, as long as that lessens the sum of squared distances from
    proportional. Each count's square is divided by what a random split would
    have, so that rare and common classes weigh alike. Everything is integer
    arithmetic in an order that names and seed decide.

    Args:
        labels: For each item the number of boxes of each class in it; an item
            may be empty.
        ratios: The share of each part, in any unit.
        groups: The group of each item, which is never divided; an item that is
            absent is its own.
        seed: Another seed gives another split.

    Returns:
        For each part its items, sorted. Every class is in every part.

    Raises:
        UserError: There are no items, a ratio is not positive, or a class is
            in too few groups to be in every part.
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
    """Groups in parts, and the exchanges that bring them nearer to proportional.

    Args:
        vectors: The counts of each group.
        ratios: The share of each part.
        order: The groups, in the order in which they are tried.
        part_of: The part of each group; it is changed in place.
    """

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
        """Make the best exchange of each group until none helps any more."""
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

        Returns:
            How many more parts lack a class, and the growth of the sum of
            squares; both are negative where it gets better.
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
