"""What the config of a generator imports beside those of its data set."""

import custom_datasets.generation.flow
import custom_datasets.generation.hooks
import custom_datasets.generation.metric
import custom_datasets.generation.networks
