"""The page that judges a generator: what ``generator.html`` shows of its numbers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from custom_datasets.evaluation.judgement import NEAR
from custom_datasets.pages.charts import Axis, Dot, Line, fitted_axis, lines
from custom_datasets.pages.generator_summary import (
    is_copying,
    mean_agreement,
    share_text,
    small,
    verdict,
)
from custom_datasets.pages.kit import (
    MOST_COLOURS,
    base_name,
    class_styles,
    clipped,
    decimal,
    percent,
    plural,
    render,
)
from custom_datasets.pages.pictures import Picture, make_picture
from custom_datasets.predicting.colours import class_colours
from custom_datasets.training.run_md import neighbours

PAGE = 'judge.html'

_STRIP, _PAIR = 512, 320
"""Pixels of the longest side."""

_MADE, _REAL = 'c0', 'soft'

_Strip = NDArray[np.uint8]


class ShownPictures(NamedTuple):
    """The pictures of the page, (n, height, width, 3), BGR.

    Attributes:
        samples: Of each class, some made ones and some held-out ones.
        pairs: Of each kind of distance, a made and a training picture for each pair.
    """

    samples: Sequence[tuple[_Strip, _Strip]]
    pairs: Sequence[Sequence[_Strip]]


def render_judgement(
    content: Mapping[str, Any], shown: ShownPictures, folder: str | None = None
) -> bytes:
    """Return the page for the content of ``judge.json``.

    ``folder`` is where the page will be, to link what lies beside it.
    """
    run, classes = content['run'], content['classes']
    return render(
        'generator.html',
        heading='How good the pictures are',
        kind='judged generator',
        colours=class_colours(len(classes))[:MOST_COLOURS],
        report=content,
        origin=f'{run["folder"]} · {run["checkpoint"]}',
        files=neighbours(folder, PAGE) if folder else [],
        facts=_facts(content),
        styles=class_styles(classes),
        samples=[
            (name, strip(made), strip(real))
            for name, (made, real) in zip(classes, shown.samples, strict=True)
        ],
        likeness=_likeness(content),
        classifier=_classifier(content['classifier']),
        copying=[
            _copying(part, pairs)
            for part, pairs in zip(content['copying'], shown.pairs, strict=True)
        ],
        near=percent(NEAR),
        about=_about(content),
    )


def strip(pictures: _Strip, side: int = _STRIP) -> Picture | None:
    """Put pictures beside each other; None where there are none."""
    if not len(pictures):
        return None
    return make_picture(np.concatenate(list(pictures), axis=1), side=side)


def _facts(content: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    facts = []
    if content['likeness']:
        made = content['likeness']['made']
        facts = [
            ('KID', f'{made["kernel_distance"]["value"]:.4f}', ''),
            ('precision', decimal(made['precision']['value']), ''),
            ('recall', decimal(made['recall']['value']), ''),
        ]
    shares = mean_agreement(content)
    if shares:
        facts.append(('class agreement', decimal(shares[0]), ''))
    for part in content['copying']:
        text = percent(part['copied']['value'])
        style = 'warning' * is_copying(part)
        facts.append((f'copied, by {part["space"]}', text, style))
    return [*facts, ('pictures made', f'{content["pictures"]["made"]:,}', '')]


def _likeness(content: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    if not content['likeness']:
        return []
    rows = (('made', 'made pictures'), ('training', 'training pictures, the mark'))
    parts = [(name, content['likeness'][key]) for key, name in rows]
    return [(name, small(part['kernel_distance']), part) for name, part in parts]


def _classifier(facts: Mapping[str, Any] | None) -> list[str]:
    """Say what the classifier is, and how independent of the generator."""
    if facts is None:
        return []
    sentences = [f'The classifier: {facts["checkpoint"]}.']
    if facts['training_pictures'] is None:
        sentences.append(
            'What it was trained on cannot be told, so held-out pictures may be among '
            f'them: {facts["why"]}'
        )
    else:
        total, shared = facts['training_pictures'], facts['training_too']
        sentence = f'It was trained on {plural(total, "picture")}; '
        if shared == 0:
            sentence += 'the generator saw none of them.'
        else:
            sentence += (
                f'the generator saw {shared:,} of them ({percent(shared / total)}) '
                'too, so it may know a copy by heart, and praise it.'
            )
        sentences.append(sentence)
        if facts['held_out_too']:
            sentences.append(
                f'Left out: {plural(facts["held_out_too"], "held-out picture")} that '
                'it was trained on.'
            )
    if facts['unknown_classes']:
        sentences.append(
            f'It does not know {clipped(", ".join(facts["unknown_classes"]), 200)}.'
        )
    return sentences


def _copying(part: Mapping[str, Any], pairs: Sequence[_Strip]) -> dict[str, Any]:
    made, held_out = part['made_distances'], part['held_out_distances']
    shares = np.linspace(0, 1, len(made)).tolist()
    space = part['space']
    chart = lines(
        [
            Line('held-out pictures', _REAL, list(zip(held_out, shares, strict=True))),
            Line('made pictures', _MADE, list(zip(made, shares, strict=True))),
        ],
        fitted_axis('distance to the nearest training picture', [*made, *held_out]),
        Axis('share that is nearer'),
        f'Share of pictures by distance, by {space}',
        [Dot('nearer than this counts as copied', _REAL, part['limit'], NEAR)],
    )
    return {
        'space': space,
        'copied': share_text(part['copied']),
        'held_out': share_text(part['held_out']),
        'verdict': verdict(part),
        'nearer': part['nearer'],
        'chart': chart,
        'pairs': [
            (strip(pixels, _PAIR), _pair_text(pair))
            for pair, pixels in zip(part['pairs'], pairs, strict=True)
        ],
    }


def _pair_text(pair: Mapping[str, Any]) -> tuple[str, str]:
    made = f'{clipped(pair["made"]["class"], 40)}, seed {pair["made"]["seed"]}'
    text = base_name(pair['training'])
    text += ', mirrored' * pair['mirrored']
    text += f' · distance {pair["distance"]:.3g}'
    return made, text + ' · copied' * pair['copied']


def _about(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    run, pictures = content['run'], content['pictures']
    rows = {
        'run': run['folder'],
        'checkpoint': f'{run["checkpoint"]} ({run["kind"]})',
        'options': ', '.join(f'{k}={v}' for k, v in run['options'].items()),
        'made': f'{pictures["made"]:,} of {run["size"]}x{run["size"]}, '
        f'{run["count"]:,} of each class, seeds from {run["seed"]}',
        'held out': f'{pictures["held_out"]:,} of the test set',
        'trained on': f'{pictures["training"]:,}',
        'compared': ', '.join(f'{k} {n}' for k, n in content['matched'].items()),
        'classifier': (content['classifier'] or {}).get('checkpoint', ''),
        'date': run['date'],
        'versions': ', '.join(f'{k} {v}' for k, v in run['versions'].items()),
    }
    return [(name, clipped(str(text), 300)) for name, text in rows.items() if text]
