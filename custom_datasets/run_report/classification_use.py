"""Python that puts a temperature or a threshold of the report to use."""

from collections.abc import Iterable

from custom_datasets.reporting.markup import Html, element
from custom_datasets.run_report.classification_summary import threshold_text

_INFER = (
    'from mmpretrain import ImageClassificationInferencer\n\n'
    "classify = ImageClassificationInferencer('CONFIG', 'CHECKPOINT')\n"
    "(result,) = classify('IMAGE')\n"
)


def temperature_code(temperature: float) -> list[Html]:
    """Show how to use a temperature."""
    power = f"scores = result['pred_scores'] ** (1 / {temperature:.3f})"
    return [
        element('p', 'To use the temperature:'),
        _code(f'{_INFER}{power}\nscores /= scores.sum()'),
    ]


def threshold_code(thresholds: Iterable[float | None]) -> list[Html]:
    """Show how to use the first threshold; nothing where none is needed."""
    first = next(filter(None, thresholds), None)
    if first is None:
        return []
    sure = f"sure = result['pred_score'] >= {threshold_text(first)}"
    answer = "print(result['pred_class'] if sure else 'have a look')"
    return [
        element('p', 'To use a threshold:'),
        _code(f'{_INFER}{sure}\n{answer}'),
    ]


def _code(text: str) -> Html:
    return element('pre', element('code', text), tabindex='0')
