"""One HTML page on what a model has learnt, and its numbers as JSON.

:mod:`custom_datasets.run_report.predicting` runs the model,
:mod:`custom_datasets.run_report.gather` collects everything into one
dictionary, which is the JSON file, and the pages show nothing else.
"""
