"""What the demo page shows of an answer, as HTML that needs no other file."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape

from custom_datasets.data.advice import Advice, match_advice
from custom_datasets.predicting.outputs import Answer, Classification, Detections
from custom_datasets.predicting.painting import SMALLEST
from custom_datasets.serving.demo_texts import Texts
from custom_datasets.serving.demo_uploads import data_url
from custom_datasets.serving.examples import Example, shrink_example

_THUMBNAIL = 160


def decided(answer: Answer, threshold: float) -> Answer:
    """Return an answer with a threshold; boxes below it are left out."""
    decision = replace(answer.decision, threshold=threshold)
    if isinstance(answer, Classification):
        return replace(answer, decision=decision)
    rows = answer.scores >= threshold
    return replace(
        answer,
        decision=decision,
        boxes=answer.boxes[rows],
        scores=answer.scores[rows],
        labels=answer.labels[rows],
    )


def scores_by_class(answer: Answer) -> dict[str, float]:
    """Return a classifier's probabilities, or a detector's best score of each class."""
    if isinstance(answer, Classification):
        return answer.to_dict()
    best = {name: tag.score for name, tag in answer.tags().items()}
    return {name: best.get(name, 0.0) for name in answer.classes}


def painted_html(answer: Answer, jpeg: bytes, texts: Texts) -> str:
    """Return the painted picture, what is on it, and a link that keeps it."""
    names = ', '.join(_counts(answer)) or texts.nothing.format(
        threshold=f'{_threshold(answer):g}'
    )
    source = data_url(jpeg, 'image/jpeg')
    alt = escape(texts.painted.format(names=names))
    stem = os.path.splitext(os.path.basename(answer.image))[0] or 'picture'
    small = ' class="small"' if max(answer.size) < SMALLEST else ''
    return (
        f'<figure{small}><img src="{source}" alt="{alt}"></figure>'
        f'{_list_html(answer, texts)}'
        f'<p><a class="download" href="{source}" '
        f'download="{escape(stem)}-painted.jpg">{escape(texts.download)}</a></p>'
    )


def advice_html(answer: Answer, advice: Mapping[str, Advice], texts: Texts) -> str:
    """Return what to do with the classes that are on a picture."""
    sections = []
    for name, entry in match_advice(advice, answer.tags()).items():
        text = entry.text(texts.language)
        rows = ((texts.sort, text.sort), (texts.becomes, text.becomes))
        rows_html = ''.join(
            f'<dt>{escape(label)}</dt><dd>{escape(body)}</dd>' for label, body in rows
        )
        sections.append(
            f'<section><h2>{escape(name)}</h2><dl>{rows_html}</dl></section>'
        )
    return ''.join(sections)


def thumbnails_html(examples: Sequence[Example], texts: Texts) -> str:
    """Return a button for each example, whose value is its number."""
    if not examples:
        return ''
    buttons = []
    for number, example in enumerate(examples):
        label = texts.example.format(number=number + 1, name=example.name)
        small = shrink_example(example, _THUMBNAIL)
        source = data_url(small.data, 'image/jpeg')
        buttons.append(
            f'<button value="{number}"><img src="{source}" alt="{escape(label)}">'
            '</button>'
        )
    return (
        f'<p>{escape(texts.examples)}</p><div class="choices">{"".join(buttons)}</div>'
    )


def alert_html(sentence: str) -> str:
    """Return a sentence that a screen reader reads at once."""
    return f'<p role="alert">{escape(sentence)}</p>'


def _counts(answer: Answer) -> Sequence[str]:
    """Say what is on a picture: ``RBC: 12``, or a classifier's ``glass``."""
    if isinstance(answer, Classification):
        return answer.names
    return [f'{name}: {len(tag.boxes)}' for name, tag in answer.tags().items()]


def _list_html(answer: Answer, texts: Texts) -> str:
    tags = answer.tags()
    if not tags:
        sentence = texts.nothing.format(threshold=f'{_threshold(answer):g}')
        return f'<p>{escape(sentence)}</p>'
    lead, form = '', '{score:.0%}'
    if isinstance(answer, Detections):
        lead = f'<p>{escape(texts.boxes.format(count=len(answer)))}</p>'
        form = texts.best
    rows = ''.join(
        f'<li><b>{escape(counted)}</b>, {escape(form.format(score=tag.score))}</li>'
        for counted, tag in zip(_counts(answer), tags.values(), strict=True)
    )
    return f'{lead}<ul>{rows}</ul>'


def _threshold(answer: Answer) -> float:
    return answer.decision.threshold_of(0)
