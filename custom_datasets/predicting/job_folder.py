"""What a job of ``predict.py`` is asked for, and the folder that it may use."""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from custom_datasets.errors import UserError
from custom_datasets.files import require_apart, unwritable
from custom_datasets.predicting.predictor import Predictor
from custom_datasets.predicting.saved_labels import corrected_labels
from custom_datasets.predicting.sources import public_text
from custom_datasets.predicting.writers import NOTE, Outputs, written_names
from custom_datasets.text import shown

FOLDER = 'predictions'
"""Beside the checkpoint: where jobs go that name no folder."""


@dataclass(frozen=True)
class Request:
    """What to predict on, and what to write where.

    Attributes:
        sources: As :func:`.sources.open_sources` takes them.
        outputs: What is to be written.
        out: The folder; None is a new one in ``predictions`` beside the checkpoint.
        overwrite: Whether ``out`` may hold an earlier job, which is removed.
        every: Of how many frames of a video one is taken.
        batch_size: Images per run of the network; None is what the config tests with.
    """

    sources: Sequence[str]
    outputs: Outputs
    out: str | None = None
    overwrite: bool = False
    every: int = 1
    batch_size: int | None = None


def command_of(predictor: Predictor, request: Request) -> dict[str, Any]:
    """Return what makes two jobs the same."""
    checkpoint, decision = predictor.checkpoint, predictor.decision
    if is_file := os.path.isfile(checkpoint):
        checkpoint = os.path.abspath(checkpoint)
    return {
        'sources': [
            os.path.abspath(text) if os.path.exists(text) else public_text(text)
            for text in request.sources
        ],
        # Tells apart addresses that differ in what is not written down.
        'digest': _digest(request.sources),
        'checkpoint': checkpoint,
        'written': os.stat(checkpoint).st_mtime_ns if is_file else None,
        'config': _digest(predictor.network.settings),
        'threshold': decision.threshold,
        'temperature': decision.temperature,
        'outputs': asdict(replace(request.outputs, model='')),
        'every': request.every,
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode(errors='replace')).hexdigest()


def choose_folder(
    command: dict[str, Any], request: Request, checkpoint: str
) -> tuple[str, dict[str, Any]]:
    """Return the folder of a job and the note there, if the job was begun before."""
    # As JSON has it, where a tuple is a list.
    command = json.loads(json.dumps(command))
    if request.out is None:
        beside = os.path.dirname(checkpoint) if '://' not in checkpoint else ''
        root = Path(beside, FOLDER)
        for path in sorted(root.glob(f'*/{NOTE}'), reverse=True):
            note = _read_note(path)
            if not note.get('finished', True) and note.get('command') == command:
                return str(path.parent), note
        return _new_folder(root), {}
    if not request.out.strip():
        raise UserError('--out: needs the name of a folder')
    require_apart(request.out, filter(os.path.exists, request.sources))
    for source in filter(os.path.isdir, request.sources):
        if (
            Path(os.path.realpath(source))
            in Path(os.path.realpath(request.out)).parents
        ):
            raise UserError(
                f'{request.out}: lies in {source}, and the next run would predict on '
                'what this one writes; choose another folder'
            )
    if not os.path.isdir(request.out) or not os.listdir(request.out):
        return request.out, {}
    note = _read_note(Path(request.out, NOTE))
    if not _OWN <= note.keys():
        raise UserError(
            f'{request.out}: is not empty, and holds no predictions; name another --out'
        )
    same = note['command'] == command
    if same and not note['finished']:
        return request.out, note
    if not request.overwrite:
        what = 'is finished' if same else 'holds the predictions of another command'
        raise UserError(
            f'{request.out}: {what}; name another --out, or --overwrite replaces it'
        )
    _clear(request.out)
    return request.out, {}


_OWN = {'command', 'model', 'clips', 'finished', 'problems'}
"""What a note of ours has, whoever else writes a ``job.json``."""


def _new_folder(root: Path) -> str:
    """Make a folder of its own for a job, named by the time."""
    name = f'{datetime.now():%Y%m%d_%H%M%S}'
    for number in count():
        folder = root / (f'{name}_{number}' if number else name)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise unwritable(str(root), error) from error
        return str(folder)
    raise AssertionError


def _clear(folder: str) -> None:
    """Remove what a job wrote, and nothing else.

    Raises a UserError where labels were corrected, or something can't be removed.
    """
    if corrected := corrected_labels(folder):
        raise UserError(
            f'{folder}: was not replaced, since labels in it were corrected: '
            f'{shown(corrected)}; move them away first'
        )
    try:
        for name in written_names(folder):
            path = os.path.join(folder, name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            elif os.path.lexists(path):
                os.remove(path)
    except OSError as error:
        raise unwritable(folder, error) from error


def _read_note(path: Path) -> dict[str, Any]:
    try:
        note = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}
