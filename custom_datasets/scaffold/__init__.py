"""A new data set from an export: data, module, configs, split lists and a test."""
