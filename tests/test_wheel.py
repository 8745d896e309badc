"""What `pip install` of the wheel brings is enough for the commands.

Only this package comes from its wheel; torch and all else are those of the suite.
"""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.leaves import ROOT, SAMPLE
from tests.pages.test_run_report import predictions


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """Build the wheel and install it alone, beside copies of tools and configs."""
    source = tmp_path_factory.mktemp('source')
    for name in ('custom_datasets', 'requirements'):
        ignored = shutil.ignore_patterns('__pycache__')
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ('setup.py', 'pyproject.toml', 'README.md', 'LICENSE'):
        shutil.copy(ROOT / name, source)
    site = tmp_path_factory.mktemp('site')
    pip = [sys.executable, '-m', 'pip', '--quiet', '--disable-pip-version-check']
    plain = ['--no-deps', '--no-build-isolation', '--no-index']
    wheels = tmp_path_factory.mktemp('wheels')
    subprocess.run([*pip, 'wheel', *plain, '-w', wheels, source], check=True)
    (wheel,) = wheels.glob('*.whl')
    subprocess.run([*pip, 'install', *plain, '--target', site, wheel], check=True)
    home = tmp_path_factory.mktemp('home')
    for name in ('tools', 'configs'):
        shutil.copytree(ROOT / name, home / name)
    return home, site


@pytest.fixture(scope='module')
def run(installed):
    home, site = installed

    def run_tool(tool, *arguments):
        return subprocess.run(
            [sys.executable, home / 'tools' / tool, *map(str, arguments)],
            cwd=home,
            env={**os.environ, 'PYTHONPATH': str(site)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    return run_tool


def test_the_wheel_is_what_is_imported(installed):
    home, site = installed
    code = 'import custom_datasets; print(custom_datasets.__file__)'
    path = subprocess.run(
        [sys.executable, '-c', code],
        cwd=home,
        env={**os.environ, 'PYTHONPATH': str(site)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert path.startswith(str(site))


def test_it_carries_templates_styles_and_all(installed):
    _, site = installed
    files = [path for path in (ROOT / 'custom_datasets').rglob('*') if path.is_file()]
    names = {path.relative_to(ROOT) for path in files if path.suffix != '.pyc'}
    assert any(name.suffix == '.jinja' for name in names)
    assert not [str(name) for name in names if not (site / name).exists()]


def test_it_checks_converts_and_reports(run, installed, bccd_root):
    home, _ = installed
    config = home / SAMPLE.relative_to(ROOT)
    options = ('--cfg-options', f'data_root={bccd_root}')
    assert '0 errors' in run('check.py', config, *options)
    run('dataset_converters/convert.py', bccd_root, home / 'coco', '--to', 'coco')
    assert (home / 'coco/annotations/train.json').exists()
    run('analysis_tools/dataset_report.py', config, *options)
    (page,) = home.glob('work_dirs/**/*.html')
    assert b'<style>' in page.read_bytes()


def test_it_reports_on_predictions(run, installed, bccd_root, tmp_path):
    home, _ = installed
    config = home / SAMPLE.relative_to(ROOT)
    given = predictions(bccd_root, 'test', tmp_path / 'test.pkl')
    options = ['--out', tmp_path, '--cfg-options', f'data_root={bccd_root}']
    said = run('analysis_tools/report.py', config, '--predictions', given, *options)
    assert 'area-AP50 1.000' in said
    page = (tmp_path / 'report.html').read_bytes()
    # Style sheet and script are data of the package.
    assert b'<style>' in page and b'<script>' in page
    assert json.loads((tmp_path / 'report.json').read_bytes())['images'] == 4
