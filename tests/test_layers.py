"""The rooms of the package: who imports whom, and what an import costs."""

import ast
import pkgutil
import subprocess
import sys

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

import custom_datasets
from tests.leaves import ROOT


def test_no_room_reaches_up(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    status = lint_imports(no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_no_room_imports_private_names_of_another():
    """Ruff's PLC2701 passes over imports inside of one package."""
    private = [
        f'{path.relative_to(ROOT)}:{node.lineno}: {name.name}'
        for path in sorted((ROOT / 'custom_datasets').rglob('*.py'))
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
        if isinstance(node, ast.ImportFrom) and node.module != '__future__'
        for name in node.names
        if name.name.startswith('_') and not name.name.startswith('__')
    ]
    assert not private


def test_ray_is_imported_only_when_asked_for():
    rooms = ('predicting', 'serving')
    names = [
        f'custom_datasets.{room}.{module.name}'
        for room in rooms
        for module in pkgutil.iter_modules([f'{custom_datasets.__path__[0]}/{room}'])
    ]
    assert 'custom_datasets.serving.ray_engine' in names
    code = f"import sys; sys.modules['ray'] = None; import {', '.join(names)}"
    subprocess.run([sys.executable, '-c', code], check=True, cwd=ROOT)
    for tool in ('serve.py', 'predict.py'):
        code = (
            "import runpy, sys; sys.modules['ray'] = None; sys.argv[1:] = ['--help']; "
            f"runpy.run_path('tools/{tool}', run_name='__main__')"
        )
        subprocess.run([sys.executable, '-c', code], check=True, cwd=ROOT)


@pytest.mark.parametrize('room', ['data', 'checks'])
def test_reading_and_checking_load_no_network(room):
    folder = f'{custom_datasets.__path__[0]}/{room}'
    names = [f'custom_datasets.{room}.{m.name}' for m in pkgutil.iter_modules([folder])]
    assert len(names) > 5
    code = (
        f'import sys, {", ".join(names)}; '
        "print({'torch', 'torchvision', 'mmcv', 'mmdet', 'mmpretrain'} "
        '& set(sys.modules))'
    )
    loaded = subprocess.run(
        [sys.executable, '-c', code], check=True, capture_output=True, text=True
    )
    assert loaded.stdout.strip() == 'set()'
