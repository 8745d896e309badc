"""A run's record as a page of Markdown."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_MOST_CHANGED = 3


def run_page(name: str, content: Mapping[str, Any]) -> str:
    """Write a record for people.

    Args:
        name: What the run is called.
        content: ``run.json``.
    """
    parts = [
        f'# {name}: {_status(content)}',
        _reason(content['reason'] or ''),
        _summary(content),
        _table(('', ''), _facts(content)),
        _metrics(content),
        _epochs(content),
        _tests(content['tests']),
        _sessions(content['sessions']),
    ]
    return '\n\n'.join(part for part in parts if part) + '\n'


def duration(seconds: float) -> str:
    """Write a time as people say it."""
    if seconds < 10:
        return f'{seconds:.1f} s'
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f'{hours} h {minutes:02} min'
    return f'{minutes} min {rest:02} s' if minutes else f'{rest} s'


def _status(content: Mapping[str, Any]) -> str:
    status = content['status']
    if status == 'running':
        return f'running, or killed after {content["updated"]}'
    first = (content['reason'] or '').strip().partition('\n')[0]
    return f'{status} ({first})' if first else str(status)


def _reason(reason: str) -> str:
    return f'```text\n{reason}\n```' if '\n' in reason else ''


def _summary(content: Mapping[str, Any]) -> str:
    best, said = content['best'], []
    if best:
        when = _when(best)
        kept = f', kept as `{best["checkpoint"]}`' if best['checkpoint'] else ''
        value = _number(best['value'])
        said.append(f'Best {best["metric"]}: **{value}** after {when}{kept}.')
    done = content['epochs'][-1] if content['epochs'] else None
    if done:
        planned = content['schedule']['epochs']
        of = f' of {planned}' if planned else ''
        said.append(f'{_when(done)}{of} in {duration(content["wall_seconds"])}.')
    return ' '.join(_capital(sentence) for sentence in said)


def _facts(content: Mapping[str, Any]) -> list[Sequence[Any]]:
    speed, optimizer = content['speed'], content['optimizer']
    schedule, config = content['schedule'], content['config']
    epochs = f'{schedule["epochs"]} epochs, ' if schedule['epochs'] else ''
    return [
        ('command', _code(shlex.join(content['command']))),
        ('commit', _commit(content['git'])),
        ('config', _code(config['path'] or config['dumped'])),
        *(
            (f'override {key}', _code(each))
            for key, each in config['overrides'].items()
        ),
        *((f'{split} data', _data(each)) for split, each in content['data'].items()),
        ('model', _model(content['model'])),
        ('batch', _batch(content['batch'])),
        (
            'optimizer',
            f'{optimizer["type"]}, lr {_number(optimizer["lr"])}, weight decay '
            f'{_number(optimizer["weight_decay"])}; {_code(optimizer["wrapper"])}',
        ),
        *((f'loss {name}', _code(each)) for name, each in content['losses'].items()),
        ('schedule', f'{epochs}{schedule["iterations"]} iterations'),
        *(('learning rate', _code(each)) for each in schedule['schedulers']),
        *(('training step', _code(each)) for each in content['augmentations']),
        ('seed', content['seed']),
        ('machine', _machine(content['hardware'])),
        (
            'versions',
            ', '.join(f'{k} {v}' for k, v in content['versions'].items() if v),
        ),
        (
            'speed',
            f'{_number(speed["images_per_second"])} images/s, '
            f'{_percent(speed["data_share"])} of the time waiting for data',
        ),
        ('peak memory', f'{_number(speed["peak_memory_mb"])} MB, {speed["memory_of"]}'),
        ('checkpoints', ', '.join(map(_code, content['checkpoints']))),
    ]


def _metrics(content: Mapping[str, Any]) -> str:
    found = content['validation'] or {}
    rows = [(key, _number(value)) for key, value in found.items() if _single(value)]
    return '## Last validation\n\n' + _table(('metric', ''), rows) if rows else ''


def _epochs(content: Mapping[str, Any]) -> str:
    entries, best = content['epochs'], content['best']
    if not entries:
        return ''
    metric = best and best['metric']
    rows = [
        (
            entry['epoch'] or '-',
            entry['iteration'],
            _number(entry['lr']),
            _number(entry['losses'].get('loss')),
            _metric(entry['metrics'] or {}, metric),
            duration(entry['seconds']),
        )
        for entry in entries
    ]
    heads = ('epoch', 'iteration', 'lr', 'loss', metric or 'metric', 'training took')
    return '## Epochs\n\n' + _table(heads, rows)


def _tests(tests: Sequence[Mapping[str, Any]]) -> str:
    parts = []
    for test in tests:
        rows = [(k, _number(v)) for k, v in test['metrics'].items() if _single(v)]
        intro = f'{_data(test["data"])}; {test["when"]}; {duration(test["seconds"])}'
        command = _code(shlex.join(test['command']))
        title = f'## Test of {test["checkpoint"]}'
        parts.append(
            f'{title}\n\n{command}: {intro}\n\n' + _table(('metric', ''), rows)
        )
    return '\n\n'.join(parts)


def _sessions(sessions: Sequence[Mapping[str, Any]]) -> str:
    if len(sessions) < 2:
        return ''
    rows = [
        (
            session['started'],
            session['from_iteration'],
            session['resumed_from'] or '-',
            duration(session['seconds']),
            _status({'updated': session['started'], **session}),
            _commit(session['git']),
        )
        for session in sessions
    ]
    heads = ('started', 'from iteration', 'resumed from', 'took', 'ended', 'commit')
    return '## Started and resumed\n\n' + _table(heads, rows)


def _data(data: Mapping[str, Any] | None) -> str:
    if data is None:
        return 'none'
    if data['sha256'] is None:
        return f'{data["dataset"]}: {data["why"]}'
    counts = ', '.join(f'{name} {count}' for name, count in data['objects'].items())
    more = data['samples'] != data['images']
    drawn = f', {data["samples"]} samples an epoch' if more else ''
    where = f' of {_code(data["list"])}' if data['list'] else ''
    return (
        f'{data["images"]} images{where}{drawn} ({counts}), sha256 '
        f'{_code(data["sha256"][:12])}'
    )


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
    each = batch['images'] or 'a varying number of'
    ranks, accumulated = batch['ranks'], batch['accumulated']
    times = f' x {ranks} processes' if ranks > 1 else ''
    times += f' x {accumulated} accumulated' if accumulated > 1 else ''
    return f'{each} images{times}; {_code(batch["sampler"])}'


def _machine(found: Mapping[str, Any]) -> str:
    gpus = '; '.join(found['gpus']) or 'no GPU'
    ram = _number(found['ram_gb'])
    return f'{gpus}; {found["cpu"]}, {found["cores"]} cores, {ram} GB'


def _commit(git: Mapping[str, Any]) -> str:
    if git['commit'] is None:
        return f'unknown: {git["why"]}'
    commit = _code(git['commit'][:12])
    if not git['dirty']:
        return commit
    shown = ', '.join(map(_code, git['changed'][:_MOST_CHANGED]))
    more = git['changes'] - _MOST_CHANGED
    return f'{commit} and changes in {shown}' + (
        f' and {more} more' if more > 0 else ''
    )


def _metric(metrics: Mapping[str, Any], name: str | None) -> str:
    value = metrics.get(name or '')
    return _number(value) if _single(value) else '-'


def _when(entry: Mapping[str, Any]) -> str:
    if entry['epoch'] is None:
        return f'iteration {entry["iteration"]}'
    return f'epoch {entry["epoch"]}'


def _single(value: Any) -> bool:
    return value is None or isinstance(value, (int, float))


def _number(value: float | None) -> str:
    return '-' if value is None else f'{value:.4g}'


def _percent(share: float | None) -> str:
    return '-' if share is None else f'{share:.1%}'


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _code(value: Any) -> str:
    return f'`{str(value).replace("`", "")}`'


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [heads, ['---'] * len(heads), *rows]
    cells = ([str(cell).replace('|', '\\|') for cell in line] for line in lines)
    return '\n'.join(f'| {" | ".join(line)} |' for line in cells)
