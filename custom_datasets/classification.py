"""What the config of a classifier imports: the runner, metrics and network parts."""

import custom_datasets.evaluation.classification_metric
import custom_datasets.models.alexnet
import custom_datasets.training.runner
