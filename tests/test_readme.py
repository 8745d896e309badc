"""What the READMEs and docs say works: commands are accepted, links lead on."""

import importlib
import re
import subprocess

import pytest
from mmengine.config import Config

from custom_datasets.cli import run_command
from tests.leaves import ROOT

PAGES = [
    ROOT / 'README.md',
    ROOT / 'CONTRIBUTING.md',
    *sorted(ROOT.glob('docs/*.md')),
    *sorted(ROOT.glob('configs/*/README.md')),
]
# Written by the command that stands above it.
NEW = 'configs/blood_cells/'

# A shell says what it would run, with the page's variables and braces filled in.
VARIABLE = r'^[A-Z]+=(?:"[^"]*"|\S+)$'
LINE = rf'^python tools/.*$|{VARIABLE}'
TELL = """
python() { printf '%s\\n' "$#" "$@"; }
set -f
"""


def commands():
    for page in PAGES:
        text = page.read_text().replace('\\\n', ' ')
        variables: list[str] = []
        for block in re.findall(r'^```bash\n(.*?)^```', text, re.M | re.S):
            lines = re.findall(LINE, block, re.M)
            script = TELL + '\n'.join([*variables, *lines])
            variables += [line for line in lines if re.match(VARIABLE, line)]
            done = subprocess.run(
                ['bash', '-c', script], check=True, capture_output=True, text=True
            )
            words = iter(done.stdout.splitlines())
            for count in words:
                found = [next(words) for _ in range(int(count))]
                name = page.relative_to(ROOT)
                yield f'{name}: {" ".join(found)}', found


COMMANDS = dict(commands())


def test_commands_are_found():
    assert len(COMMANDS) >= 25


@pytest.mark.parametrize('words', COMMANDS.values(), ids=COMMANDS)
def test_a_command_is_accepted(words, monkeypatch):
    tool, *arguments = words
    for word in arguments:
        if word.startswith('configs/') and not word.startswith(NEW):
            assert (ROOT / word).is_file(), word
    if tool in ('tools/train.py', 'tools/test.py'):
        # The stock scripts parse; what is ours is the name of the run's folder.
        assert arguments[0] == 'CONFIG' or arguments[0].startswith('configs/')
        return
    module = importlib.import_module(tool.removesuffix('.py').replace('/', '.'))
    assert module.run_command is run_command
    reached = []
    monkeypatch.setattr(
        module, 'run_command', lambda action, **_: reached.append(1) or 0
    )
    assert module.main(arguments) == 0
    assert reached


CHECKPOINT = re.compile(r'work_dirs/([^/]+)/epoch_(\d+)\.pth')
TRAINED = {
    name: (words, found)
    for name, words in COMMANDS.items()
    if any(word.startswith('configs/') for word in words)
    for found in filter(None, map(CHECKPOINT.fullmatch, words))
}


def test_checkpoints_are_found():
    assert len(TRAINED) >= 8


@pytest.mark.parametrize(('words', 'found'), TRAINED.values(), ids=TRAINED)
def test_a_checkpoint_is_where_training_leaves_it(words, found):
    leaf = ROOT / next(word for word in words if word.startswith('configs/'))
    assert int(found[2]) == Config.fromfile(leaf).train_cfg.max_epochs
    if not found[1].startswith('seed_'):
        assert leaf.stem == found[1]


LINKS = [
    (page, link)
    for page in PAGES
    for link in re.findall(r'\]\(([^)#:]+)(?:#[^)]*)?\)', page.read_text())
]


def test_links_lead_somewhere():
    assert len(LINKS) >= 20
    broken = [
        f'{p.relative_to(ROOT)}: {li}'
        for p, li in LINKS
        if not (p.parent / li).exists()
    ]
    assert not broken


def test_a_newcomer_reads_one_page():
    assert len(PAGES[0].read_text().splitlines()) <= 150
