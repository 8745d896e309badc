"""One HTML page that shows a data set: its numbers, its pictures, its faults.

Records go in, numbers and markup come out; :mod:`custom_datasets.reporting.gather`
reads and :mod:`custom_datasets.reporting.page` writes.
"""
