"""How good a model is on images whose truth is known; imports no PyTorch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from custom_datasets.evaluation.average_precision import ap_tables
from custom_datasets.evaluation.classification import decide, overall_scores
from custom_datasets.evaluation.measures import Measured, measure
from custom_datasets.evaluation.results import (
    DetectionResults,
    Results,
    Samples,
    classification_results,
    detection_results,
)
from custom_datasets.predicting.outputs import BoxArrays, RawAnswer


@dataclass(frozen=True)
class Labelled:
    """A data set's truth, one sample an image, as ``tools/test.py --out`` has it."""

    classes: tuple[str, ...]
    truth: Samples

    def results(self, answers: Sequence[RawAnswer]) -> Results:
        """Put a model's answers on all images beside their truth."""
        samples: list[dict[str, Any]] = []
        for sample, answer in zip(self.truth, answers, strict=True):
            if isinstance(answer, BoxArrays):
                boxes = {
                    'bboxes': answer.boxes,
                    'scores': answer.scores,
                    'labels': answer.labels,
                }
                samples.append({**sample, 'pred_instances': boxes})
            else:
                samples.append({**sample, 'pred_score': answer})
        if 'pred_instances' in samples[0]:
            return detection_results(samples, self.classes)
        return classification_results(samples, self.classes)

    def score(self, answers: Sequence[RawAnswer]) -> float:
        """Return the COCO AP or the top-1 of a model."""
        results = self.results(answers)
        every = np.ones(len(results.images))
        if isinstance(results, DetectionResults):
            return float(ap_tables(results).coco_ap(every)[0])
        return float(overall_scores(decide(results), every)[0])

    def measure(self, answers: Sequence[RawAnswer]) -> Measured:
        """Return the same metric alone, with its draws."""
        measured = measure(self.results(answers))
        index = [metric.name for metric in measured.metrics].index(self.metric)
        return Measured(
            (measured.metrics[index],),
            measured.images,
            measured.values[[index]],
            measured.draws[:, [index]],
        )

    @property
    def metric(self) -> str:
        """The name of the metric."""
        return 'COCO AP' if 'instances' in self.truth[0] else 'top-1'

    def take(self, rows: Sequence[int]) -> 'Labelled':
        """Return some of the images."""
        return Labelled(self.classes, [self.truth[row] for row in rows])
