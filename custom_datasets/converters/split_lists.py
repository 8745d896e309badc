"""Writing split lists: all of them or none, and nothing else replaced."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping

from custom_datasets.converters.files import write_text
from custom_datasets.errors import UserError


def write_lists(
    folder: str,
    lists: Mapping[str, str | None],
    *,
    overwrite: bool = False,
    protected: Iterable[str] = (),
) -> None:
    """Write lists into a folder, in one go.

    Args:
        folder: Made if it is not there.
        lists: The content of each file, by its path in ``folder``; None for
            one that must not be there.
        overwrite: Replace or remove lists that are there and differ.
        protected: Files that are never replaced.

    Raises:
        UserError: A list that differs is there and not to be replaced, or a
            file can't be written. Then everything is as it was.
    """
    changed = {
        name: text
        for name, text in lists.items()
        if not has_content(os.path.join(folder, name), text)
    }
    kept = {os.path.realpath(path) for path in protected}
    for name in changed:
        path = os.path.join(folder, name)
        if os.path.realpath(path) in kept:
            raise UserError(f'{path}: is what is split; name another folder by --out')
    require_unlisted(folder, changed, overwrite)
    if changed:
        _replace(folder, changed)


def require_unlisted(folder: str, names: Iterable[str], overwrite: bool) -> None:
    """Raise a UserError if one of the files is there and not to be replaced."""
    for name in () if overwrite else names:
        path = os.path.join(folder, name)
        if os.path.lexists(path):
            raise UserError(f'{path}: another split is there; --overwrite replaces it')


def has_content(path: str, text: str | None) -> bool:
    """Return whether a file holds ``text``; with None, whether it is not there."""
    if text is None:
        return not os.path.lexists(path)
    try:
        with open(path, 'rb') as file:
            return file.read() == text.encode()
    except OSError:
        return False


def link_folders(folder: str, targets: Mapping[str, str]) -> None:
    """Make links in a folder, unless they are there.

    Args:
        folder: Made if it is not there.
        targets: The folder that each name leads to.

    Raises:
        UserError: Something else has the name, or it can't be made.
    """
    wanted = {
        os.path.join(folder, name): os.path.realpath(path)
        for name, path in targets.items()
    }
    missing = {
        link: target
        for link, target in wanted.items()
        if os.path.realpath(link) != target
    }
    for link, target in missing.items():
        if os.path.lexists(link):
            raise UserError(f'{link}: already there and not a link to {target}')
    for link, target in missing.items():
        try:
            os.makedirs(folder, exist_ok=True)
            os.symlink(target, link)
        except OSError as error:
            raise UserError(f'{link}: cannot be made ({error.strerror})') from error


def _replace(folder: str, lists: Mapping[str, str | None]) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
        work = tempfile.mkdtemp(prefix='.split.', dir=folder)
    except OSError as error:
        raise UserError(f'{folder}: cannot be written ({error.strerror})') from error
    new, old = os.path.join(work, 'new'), os.path.join(work, 'old')
    moved: list[tuple[str, str]] = []

    def move(start: str, end: str) -> None:
        os.makedirs(os.path.dirname(end), exist_ok=True)
        moved.append((start, end))
        os.replace(start, end)

    try:
        for name, text in lists.items():
            if text is not None:
                write_text(os.path.join(new, name), text)
        # All old ones go first: a run that is killed here leaves lists missing,
        # but never those of two splits side by side.
        for name in lists:
            if os.path.lexists(os.path.join(folder, name)):
                move(os.path.join(folder, name), os.path.join(old, name))
        for name, text in lists.items():
            if text is not None:
                move(os.path.join(new, name), os.path.join(folder, name))
    except BaseException as error:
        for start, end in reversed(moved):
            if os.path.lexists(end):
                os.replace(end, start)
        if isinstance(error, OSError):
            text = f'{folder}: cannot be written ({error.strerror})'
            raise UserError(text) from error
        raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
        for name in lists:
            _remove_if_empty(os.path.dirname(os.path.join(folder, name)))
        _remove_if_empty(folder)


def _remove_if_empty(folder: str) -> None:
    try:
        os.rmdir(folder)
    except OSError:
        pass
