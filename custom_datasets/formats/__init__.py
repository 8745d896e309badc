"""Any export in, one layout out: reading and writing the formats of data sets.

- :func:`recognise` tells what a folder is stored as;
- :func:`read_source` reads it into plain records;
- :func:`convert` writes a folder or zip anew, in VOC, COCO or YOLO, or with
  lists of classes.

Nothing here needs mmdet or mmpretrain.
"""

from custom_datasets.formats.conversion import TARGETS, convert
from custom_datasets.formats.reading import FORMATS, read_source, recognise
from custom_datasets.formats.source import Source

__all__ = ['FORMATS', 'TARGETS', 'Source', 'convert', 'read_source', 'recognise']
