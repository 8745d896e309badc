"""A run's record as a page of Markdown: ``run.md.jinja`` and its filters."""

import os
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def run_page(
    name: str, content: Mapping[str, Any], links: Sequence[tuple[str, str]] = ()
) -> str:
    """Return the content of ``run.json`` as Markdown; links are :func:`neighbours`."""
    template = _environment().get_template('run.md.jinja')
    page: str = template.render(name=name, run=content, links=links)
    return page


def neighbours(folder: str, page: str) -> list[tuple[str, str]]:
    """Return title and relative path of the other pages in a folder, to be linked."""
    files = [(text, name) for name, text in _NEIGHBOURS.items() if name != page]
    paths = [(text, name) for text, name in files if (Path(folder) / name).is_file()]
    # No deeper: a page may be written to a home folder.
    levels = ('painted', '*/painted', '*/*/painted')
    painted = [path for level in levels for path in Path(folder).glob(level)]
    painted.sort(key=os.path.getmtime)
    if painted:
        paths.append(('painted pictures', f'{painted[-1].relative_to(folder)}/'))
    return paths


def duration(seconds: float) -> str:
    """Write seconds as people say them."""
    if seconds < 10:
        return f'{seconds:.1f} s'
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f'{hours} h {minutes:02} min'
    return f'{minutes} min {seconds:02} s' if minutes else f'{seconds} s'


_NEIGHBOURS = {
    'report.html': 'what the model has learnt',
    'judge.html': 'how good its pictures are',
    'dataset_report.html': 'the data',
    'run.md': 'how it was trained',
    'report.json': 'the numbers of its report',
    'judge.json': 'the numbers of its pictures',
}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    environment.filters |= {
        'batch': _batch,
        'cell': lambda value: str(value).replace('|', '\\|'),
        'code': lambda value: f'`{str(value).replace("`", "")}`',
        'counts': lambda objects: ', '.join(f'{k} {n}' for k, n in objects.items()),
        'decimal': _decimal,
        'duration': duration,
        'installed': _installed,
        'machine': _machine,
        'model': _model,
        'optimizer': _optimizer,
        'percent': lambda share: '-' if share is None else f'{share:.1%}',
        'shell': _shell,
        'status': _status,
        'when': _when,
    }
    return environment


def _status(session: Mapping[str, Any]) -> str:
    status: str = session['status']
    if status == 'running':
        last = session.get('updated', session['started'])
        return f'running, or killed after {last}'
    first = (session['reason'] or '').strip().partition('\n')[0]
    return f'{status} ({first})' if first else status


def _when(entry: Mapping[str, Any]) -> str:
    if entry['epoch'] is None:
        return f'iteration {entry["iteration"]}'
    return f'epoch {entry["epoch"]}'


def _model(model: Mapping[str, Any]) -> str:
    count = f'{model["parameters"] / 1e6:.2f} M parameters'
    if model['trainable'] != model['parameters']:
        count += f' ({model["trainable"] / 1e6:.2f} M trained)'
    if model['macs'] is None:
        work = f'multiply-adds unknown ({model["why"]})'
    else:
        shape = ' x '.join(map(str, model['input_shape']))
        work = f'{model["macs"] / 1e9:.2f} G multiply-adds at {shape}'
    return f'{model["type"]}, {count}, {work}'


def _batch(batch: Mapping[str, Any]) -> str:
    ranks, accumulated = batch['ranks'], batch['accumulated']
    times = f' x {ranks} processes' if ranks > 1 else ''
    times += f' x {accumulated} accumulated' if accumulated > 1 else ''
    images = batch['images'] or 'a varying number of'
    return f'{images} images{times}; `{batch["sampler"]}`'


def _optimizer(optimizer: Mapping[str, Any]) -> str:
    rate, decay = map(_decimal, (optimizer['lr'], optimizer['weight_decay']))
    text = f'{optimizer["type"]}, lr {rate}, weight decay {decay}'
    return f'{text}; `{optimizer["wrapper"]}`'


def _machine(hardware: Mapping[str, Any]) -> str:
    gpus = '; '.join(hardware['gpus']) or 'no GPU'
    ram = _decimal(hardware['ram_gb'])
    return f'{gpus}; {hardware["cpu"]}, {hardware["cores"]} cores, {ram} GB'


def _installed(versions: Mapping[str, str | None]) -> str:
    return ', '.join(f'{name} {v}' for name, v in versions.items() if v)


def _shell(command: Sequence[str]) -> str:
    return shlex.join(command)


def _decimal(value: float | None) -> str:
    return '-' if value is None else f'{value:.4g}'
