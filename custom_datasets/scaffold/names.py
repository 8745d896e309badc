"""What a new data set may be called."""

import importlib.util
import keyword
import re
from pathlib import Path

from custom_datasets.errors import ConfigError
from custom_datasets.scaffold.files import class_name

_PACKAGES = ('mmdet', 'mmpretrain')


def dataset_name(name: str) -> str:
    """Return a name that can be a module, or raise.

    Raises:
        ConfigError: It has other characters than letters, digits, hyphens and
            underscores, begins with a digit, or is Python's own; or its class
            would be called like one of mmdet or mmpretrain.
    """
    module = name.strip().lower().replace('-', '_')
    if not re.fullmatch(r'[a-z][a-z0-9_]*', module) or keyword.iskeyword(module):
        raise ConfigError(
            f'{name!r} cannot be the name of a module: use letters, digits and '
            'underscores, beginning with a letter'
        )
    stock = next((p for p in _PACKAGES if class_name(module) in _classes(p)), None)
    if stock:
        raise ConfigError(
            f'{class_name(module)} is a class of {stock}; choose another name'
        )
    return module


def _classes(package: str) -> set[str]:
    """Read the names of a package's data sets, without the import that takes long."""
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    return {
        name
        for folder in folders or ()
        for file in Path(folder, 'datasets').glob('*.py')
        for name in re.findall(r'^class (\w+)', file.read_text(encoding='utf-8'), re.M)
    }
