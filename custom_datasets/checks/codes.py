"""The catalogue of findings: severity, meaning and hint of each code, once.

``python -m custom_datasets.checks.codes > docs/findings.md`` writes it as a page.
"""

from collections.abc import Mapping
from typing import NamedTuple

from custom_datasets.data.problems import Finding, Problem


class Grade(NamedTuple):
    """How bad a finding is, and what to do about it: by default the code's hint."""

    severity: str
    hint: str | None = None


class Code(NamedTuple):
    """A kind of finding.

    Attributes:
        severity: One of :data:`~custom_datasets.data.problems.SEVERITIES`.
        meaning: One sentence for the page of all findings.
        hint: What to do about it.
        cases: Where it is graded otherwise, by the words that say when.
    """

    severity: str
    meaning: str
    hint: str = ''
    cases: Mapping[str, Grade] = {}


ERROR, WARNING, NOTE = 'error', 'warning', 'note'
HELD_OUT = 'in val or test'
ONE_SPLIT = 'in one split'
IN_COCO, STOCK_COCO = 'in a COCO file', 'stock CocoDataset'
CONTRADICTION = 'in one split, annotated differently'

_EXPORT_IMAGE = (
    'export or copy it again, or take it out of the lists: split.py --exclude'
)
_LOOK = 'look at it; leave it out unless such images occur in use as well'
_KEEP_ONE = 'keep one of them'
_DECIDE = 'decide which annotation is right, and keep only that image'

TOPICS: dict[str, dict[str, Code]] = {
    'The config': {
        'no-effect': Code(
            WARNING,
            'A setting that nothing reads at the place where it is set.',
            'set it where it is used: a base may have its own value there',
        ),
        'unknown-setting': Code(
            ERROR,
            'A loader, loop, optimizer or scheduler has no parameter of this name.',
            'correct the name, or remove it',
            {
                'a parameter of another type': Grade(
                    ERROR,
                    'set by a base config? _delete_=True in that dict of the leaf '
                    "drops all of the base's keys there",
                )
            },
        ),
        'missing-setting': Code(
            ERROR,
            'A loader without a data set or a sampler.',
            'add it, or inherit a base that has it',
        ),
        'wrong-value': Code(
            ERROR,
            'A value that nothing can be built with.',
            'correct the value',
            {
                'a number in quotes': Grade(ERROR, 'write it without quotes'),
                'a setting of this package': Grade(ERROR, ''),
            },
        ),
        'no-folder': Code(
            ERROR,
            'A folder that a data set names does not exist.',
            'set data_root: --cfg-options data_root=DIR, or a line in the leaf',
        ),
        'unknown-data-set': Code(
            ERROR,
            'The type of a data set was not found.',
            'correct the type, or name its module in custom_imports',
        ),
        'unchecked-data-set': Code(
            NOTE,
            'A data set of a kind, or at a place, that cannot be checked.',
            'its annotations and images are not looked at',
        ),
        'no-checkpoint': Code(
            ERROR,
            '`load_from` names a file that does not exist.',
            'correct the path, or remove load_from to start without it',
        ),
        'checkpoint-classes': Code(
            WARNING,
            '`load_from` has as many classes, but different ones or another order.',
            'the same classes in another order? then set classes=[...] to its order',
            {
                'another number of classes': Grade(
                    NOTE, 'its last layer starts anew, which is usual when fine-tuning'
                )
            },
        ),
        'class-count': Code(
            ERROR,
            'The `num_classes` of a head is not the number of classes of the data.',
            'write num_classes=_base_.num_classes, or set classes=[...] for both',
        ),
        'classes-differ': Code(
            ERROR,
            'Validation or test has other classes than training, or another order.',
            'labels are numbers: names and order must be the same everywhere; set '
            'classes=[...] once',
        ),
        'broken-advice': Code(
            WARNING,
            'The file of advice on the classes is missing, or cannot be read.',
            'training does not need it; a demo shows no advice until it is right',
        ),
        'class-without-advice': Code(
            WARNING,
            'A class on which the file of advice says nothing.',
            'write its entry, with the name that the class has in the data set',
        ),
        'advice-without-class': Code(
            NOTE,
            'Advice on what is no class of the data set.',
            'nothing to do if it is for other classes=[...]; else rename or delete it',
        ),
        'batch-norm-of-one': Code(
            WARNING,
            'Batch norm is trained on one image at a time.',
            'raise train_dataloader.batch_size, or use norm_eval=True or '
            "norm_cfg=dict(type='GN', num_groups=32)",
        ),
        'evaluator-classes': Code(
            ERROR,
            "An evaluator measures other classes than the data set's.",
            'leave num_classes and ann_file out (CocoMetric then takes the boxes of '
            'the data set), and keep topk below the number of classes: topk=1',
        ),
    },
    'The schedule': {
        'learning-rate': Code(
            WARNING,
            'The learning rate was tuned for another batch size and is not scaled.',
            'set auto_scale_lr.enable=True, or scale it yourself',
            {
                'it fits, or is scaled': Grade(NOTE, ''),
                'its batch size is unknown': Grade(
                    NOTE,
                    'auto_scale_lr=dict(enable=True, base_batch_size=...) scales it',
                ),
            },
        ),
        'warm-up': Code(
            WARNING,
            'The warm-up takes more than a third of the run.',
            'end it earlier',
        ),
        'scheduler-too-late': Code(
            WARNING,
            'A scheduler or a milestone that the run never reaches.',
            'the learning rate does not fall as intended; fit it to the run',
        ),
        'log-interval': Code(
            WARNING,
            'The log has no line of the training.',
            'lower default_hooks.logger.interval',
        ),
        'never-validates': Code(
            WARNING,
            'The run ends before its first validation, or has none.',
            'lower train_cfg.val_begin',
        ),
    },
    'The machine': {
        'versions': Code(NOTE, 'Which versions are installed, and which were tested.'),
        'untested-version': Code(
            WARNING,
            'A package is older or newer than what was tested.',
            'if something fails, try a tested version (make install)',
        ),
        'device': Code(NOTE, 'What trains: the GPUs, or the CPU.'),
        'gpu-unused': Code(
            WARNING,
            'There is a GPU, and torch is built for the CPU only.',
            'install a torch that is built for CUDA',
        ),
        'operators': Code(NOTE, "Where mmcv's operators come from."),
        'disk-space': Code(
            WARNING,
            'Little room for checkpoints.',
            'a detector with ResNet-50 writes 0.3 GB per checkpoint',
            {'there is enough': Grade(NOTE, '')},
        ),
        'shared-memory': Code(
            WARNING,
            'Little shared memory for loader workers, as in a container.',
            'docker run --shm-size=2g, or num_workers=0',
        ),
    },
    'Lists and annotation files': {
        'no-list': Code(
            ERROR,
            'The list or annotation file of a split does not exist.',
            'set data_root, or run tools/dataset_converters/split.py',
        ),
        'empty-list': Code(
            ERROR,
            'A list that names no image.',
            'set data_root, or run tools/dataset_converters/split.py',
        ),
        'listed-twice': Code(
            ERROR,
            'An image, or its id, appears twice in one list.',
            'remove one of the two',
        ),
        'missing-image': Code(
            ERROR,
            'The image of a list entry was not found.',
            'add the image, or remove its entry from the list',
        ),
        'ambiguous-image': Code(
            ERROR,
            'Several images of the name of an annotation file or list entry.',
            'rename one of them, or name the right one with its suffix in the list',
        ),
        'taken-image': Code(
            ERROR,
            'An annotation file whose image has another annotation file.',
            'keep the right one of the two files',
        ),
        'no-annotation': Code(
            ERROR,
            'A listed image without an annotation file.',
            'annotate the image, or remove it from the list',
            {HELD_OUT: Grade(WARNING, 'without objects, or forgotten? annotate it')},
        ),
        'broken-annotation': Code(
            ERROR,
            'An annotation, or its file, that cannot be read.',
            'fix the file, or export it again',
        ),
        'predicted-labels': Code(
            WARNING,
            'Annotations that, as far as their mark says, a model predicted and nobody '
            'changed since.',
            'look through them: a model learns its own mistakes. What you change is '
            'yours; where all is right already, remove the mark: source/annotation '
            'from the XML, origin from the image in the JSON, or, before converting '
            'YOLO, from data.yaml',
        ),
        'stray-text': Code(
            NOTE,
            'Text between the elements of an XML file.',
            'readers skip it; check that nothing was overwritten by accident',
        ),
        'not-jpg': Code(
            ERROR,
            'Stock `XMLDataset` opens only `.jpg`.',
            'use VOCFolderDataset, which finds the suffix',
        ),
        'class-names': Code(
            ERROR,
            'A class without a name of its own that can be seen and written.',
            'rename the class, in the config and in the files',
        ),
        'class-map': Code(
            ERROR,
            'A `class_map` that cannot be applied.',
            'a class_map gives a class for a name in the files',
        ),
        'folder-order': Code(
            ERROR,
            'The sorted class folders are not the classes, so labels get wrong names.',
            'use ClassListDataset, whose lists name each class '
            '(tools/dataset_converters/convert.py), or sort the classes',
        ),
        'no-image': Code(
            WARNING,
            'An annotation that no list names and that has no image.',
            'was the image lost, or renamed?',
            {IN_COCO: Grade(ERROR, 'correct its image_id, or delete it')},
        ),
        'loose-coco': Code(
            NOTE,
            'A COCO file that our reader understands and a strict one may not.',
            'nothing to do, unless other programs read it',
            {STOCK_COCO: Grade(ERROR, 'use CocoFileDataset, or export it again')},
        ),
        'unlisted-image': Code(
            NOTE, 'An image that no list names.', 'split again to use it'
        ),
        'wrong-filename': Code(
            WARNING,
            'The `<filename>` of an XML file names another image.',
            'are these the boxes of the other image? the image of the same name as '
            'the XML file is used',
            {
                'only the suffix differs': Grade(
                    NOTE, 'the image of the same name as the XML file is used'
                )
            },
        ),
        'broken-sources': Code(
            ERROR,
            'A `sources.txt` that cannot be read.',
            'write one image or folder per line, a tab, and the name of its source',
        ),
        'unknown-source': Code(
            WARNING,
            'Images without a source in `sources.txt`.',
            'the report shows them in no row of their own',
        ),
    },
    'Classes': {
        'unknown-class': Code(
            ERROR,
            'A class that the data set does not know.',
            'rename it, add it to classes=[...] (or METAINFO), or set '
            'ignore_classes=[...]; both work at the top of the leaf',
        ),
        'other-vocabulary': Code(
            ERROR,
            'Not one object is of a known class.',
            'set classes=[...] in the leaf, if this is the data set that was meant',
        ),
        'class-without-box': Code(
            ERROR,
            'A class without a single object.',
            'split again (tools/dataset_converters/split.py) if another part has it; '
            'else leave it out of classes=[...] in the leaf, or out of METAINFO',
            {
                HELD_OUT: Grade(
                    WARNING,
                    'it cannot be measured here; split again if another part has it',
                )
            },
        ),
        'no-truth': Code(
            NOTE,
            'A test set without annotations, as in a competition.',
            'tools/test.py --out keeps what is predicted, for tools/submit.py',
        ),
        'file-name-differs': Code(
            NOTE,
            'Files are named after their class, and this one after another.',
            'right where an image holds several classes; otherwise a wrong label',
        ),
        'class-balance': Code(
            WARNING,
            'One class is 10 times as frequent as another.',
            'try --cfg-options sampling=repeat-factor, or collect more',
            {'4 to 10 times': Grade(NOTE)},
        ),
        'few-objects': Code(
            WARNING,
            'Too few of a class: below 10 images to train, below 20 objects to test.',
            'collect more; a model learns so few by heart',
            {
                HELD_OUT: Grade(
                    WARNING,
                    'take its figure as a hint only; tools/dataset_converters/split.py '
                    '--folds measures on every image',
                )
            },
        ),
        'shares-differ': Code(
            WARNING,
            'A class is much more frequent in one split than in training.',
            'split again, stratified by class, unless the splits are meant to differ',
        ),
    },
    'Boxes': {
        'inverted-box': Code(
            WARNING,
            'The maximum of a box is below its minimum.',
            'swap its sides, or draw the box again; until then it is dropped',
        ),
        'zero-area-box': Code(
            WARNING,
            'A box without an area.',
            'draw the box again or delete it; VOCFolderDataset drops it, stock '
            'XMLDataset trains on it and logs loss: inf',
        ),
        'outside-box': Code(
            WARNING,
            'A box that lies outside its image.',
            'is this the annotation of another image, or of another size of it?',
        ),
        'clipped-box': Code(
            WARNING,
            'A box that reaches beyond its image.',
            'is this the annotation of another size of the image?',
            {'by at most 2 px': Grade(NOTE, 'it is clipped; nothing to do')},
        ),
        'small-area': Code(
            NOTE,
            'A box smaller than a cell of the finest level (8x8 px), unscaled.',
            'too small to be learned: enlarge the images, cut them into tiles, or '
            'leave such objects out',
        ),
        'tiny-box': Code(
            WARNING,
            'A box narrower than 4 px at the scale of the training pipeline.',
            'use a larger scale in the pipeline',
        ),
        'pipeline-not-followed': Code(
            NOTE,
            'A transform that may change the size of boxes in a way not known here.',
            'boxes and anchors are judged as if it changed nothing',
        ),
        'duplicate-object': Code(
            WARNING,
            'Two objects of a class with the same box.',
            'delete one of the two',
        ),
        'two-classes': Code(
            WARNING,
            'Two objects of different classes with the same box.',
            'decide which class it is',
        ),
        'overlapping-objects': Code(
            WARNING,
            'Two objects of a class that overlap by more than 0.9 (IoU).',
            'is it one object, annotated twice? then delete one',
        ),
    },
    'Images': {
        'undecodable-image': Code(
            ERROR, 'A file that no decoder can open.', _EXPORT_IMAGE
        ),
        'truncated-image': Code(
            ERROR, 'An image that is cut off or damaged.', _EXPORT_IMAGE
        ),
        'doubtful-image': Code(
            WARNING, 'An image that decodes, but not without doubt.', _EXPORT_IMAGE
        ),
        'huge-image': Code(
            WARNING,
            'An image too large for this check to decode.',
            'cut it into tiles',
        ),
        'alpha': Code(
            WARNING,
            'An image that is transparent in part.',
            'OpenCV drops alpha: training sees what was hidden',
            {'almost nowhere': Grade(NOTE, 'OpenCV drops the alpha channel')},
        ),
        'bit-depth': Code(
            NOTE,
            'An image with more than 8 bits per channel.',
            '8 are kept on loading; scale the values first where these matter',
        ),
        'several-frames': Code(
            NOTE, 'An animation, or several pages.', 'only the first is loaded'
        ),
        'aspect-ratio': Code(
            WARNING,
            'An image at least 5 times as long as wide.',
            'resizing makes its objects tiny or distorts them; cut it into tiles',
        ),
        'wrong-suffix': Code(
            NOTE,
            'The content is of another format than the suffix says.',
            'OpenCV looks at the content; other programs may not',
        ),
        'wrong-size': Code(
            ERROR,
            'An annotation made for another size of the image.',
            'annotate the image that is there, or put back the one that was',
            {'the same proportions, and no box outside': Grade(WARNING)},
        ),
        'exif-ignored': Code(
            ERROR,
            'Loading turns the image, and its boxes are those from before that.',
            'rotate the pixels, remove the tag, and annotate what is seen then',
        ),
        'exif-unclear': Code(
            WARNING,
            'Loading turns or mirrors the image, and its boxes may not be turned.',
            'draw the boxes on the image as loaded and look',
        ),
        'blank': Code(WARNING, 'An image of nearly one brightness.', _LOOK),
        'dark': Code(WARNING, 'An image that is too dark.', _LOOK),
        'bright': Code(WARNING, 'An image that is too bright.', _LOOK),
        'blurred': Code(WARNING, 'An image that is out of focus.', _LOOK),
        'gray': Code(
            NOTE,
            'Gray images among colour images, or the reverse.',
            'harmless by itself; a model may take the missing colour as a clue',
        ),
    },
    'The same picture twice': {
        'identical-images': Code(
            ERROR,
            'The same pixels in two splits: a score on learned images means nothing.',
            'keep all copies of a picture in one split',
            {
                ONE_SPLIT: Grade(WARNING, _KEEP_ONE),
                CONTRADICTION: Grade(WARNING, _DECIDE),
            },
        ),
        'near-identical-images': Code(
            WARNING,
            'Pictures in two splits that show the same: resized, compressed, mirrored.',
            'keep all pictures that show the same in one split',
            {
                ONE_SPLIT: Grade(NOTE, _KEEP_ONE),
                CONTRADICTION: Grade(WARNING, _DECIDE),
            },
        ),
        'same-source': Code(
            WARNING,
            'By their names, pieces or versions of one picture in two splits.',
            'keep all that come from one picture in one split',
        ),
    },
    'Anchors': {
        'anchor-recall': Code(
            WARNING,
            'The anchors of the model miss more than 5 % of the boxes.',
            'use other anchors, larger images, or a model without anchors',
            {'they reach enough': Grade(NOTE, '')},
        ),
        'anchors-not-judged': Code(NOTE, 'Anchors of a kind that is not checked.'),
    },
}

CODES = {name: code for codes in TOPICS.values() for name, code in codes.items()}


def find(
    code: str,
    message: str,
    *,
    case: str = '',
    hint: str = '',
    split: str | None = None,
    file: str | None = None,
    object: int | None = None,
) -> Finding:
    """Return a finding, graded by the catalogue.

    ``case`` is one of the code's cases, empty for the usual one; ``hint`` replaces the
    catalogue's, where it has figures of this place; ``object`` counts from 0.
    """
    entry = CODES[code]
    severity, usual = entry.cases[case] if case else (entry.severity, entry.hint)
    return Finding(
        code=code,
        severity=severity,
        message=message,
        hint=hint or (entry.hint if usual is None else usual),
        split=split,
        file=file,
        object=object,
    )


def grade_problem(problem: Problem, split: str | None, held_out: bool) -> Finding:
    """Return what a reader reports as a finding.

    Some codes weigh less where data is ``held_out``: nothing is trained on it.
    """
    code = problem.code
    return find(
        code,
        problem.message,
        case=HELD_OUT if held_out and HELD_OUT in CODES[code].cases else '',
        split=split,
        file=problem.file,
        object=problem.object,
    )


def page() -> str:
    """Return the page of all findings, in Markdown."""
    lines = [
        '# Findings',
        '',
        'What `tools/check.py`, and the check before each training, can report. An '
        'error',
        'ruins the run, a warning probably harms it, a note is good to know.',
    ]
    for topic, codes in TOPICS.items():
        lines += ['', f'## {topic}', '', '| finding | | what it means | what to do |']
        lines.append('| --- | --- | --- | --- |')
        for name, code in codes.items():
            lines.append(_row(f'`{name}`', code.severity, code.meaning, code.hint))
            for when, (severity, hint) in code.cases.items():
                lines.append(_row('', severity, f'... {when}', hint or ''))
    lines += ['', '<!-- python -m custom_datasets.checks.codes > docs/findings.md -->']
    return '\n'.join(lines) + '\n'


def _row(name: str, severity: str, meaning: str, hint: str) -> str:
    for mark in '_*<':
        hint = hint.replace(mark, f'\\{mark}')
    return f'| {name} | {severity} | {meaning} | {hint} |'


if __name__ == '__main__':
    print(page(), end='')
