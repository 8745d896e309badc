"""What the config of a detector imports: the runner, the metric and network parts."""

import custom_datasets.evaluation.detection_metric
import custom_datasets.models.ssd
import custom_datasets.models.vgg
import custom_datasets.training.runner
