"""What to say of an operator that is not supplied here."""

from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn


def not_covered(operator: str, *args: object, **kwargs: object) -> NoReturn:
    """Raise NotImplementedError, naming `operator` and how to compile mmcv."""
    raise NotImplementedError(
        f'{operator} is not among the operators that custom_datasets supplies '
        f'where mmcv is not compiled. To compile mmcv: {compile_command()}'
    )


def compile_command() -> str:
    """Return the shell command that compiles the installed mmcv.

    Both lines build their operators only if torch can be imported during the
    build, hence ``--no-build-isolation``; a wheel that pip cached has none.
    The CUDA kernels are built where a GPU is visible or FORCE_CUDA is 1.
    """
    options = '--no-deps --no-cache-dir --no-build-isolation --force-reinstall'
    for name in ('onedl-mmcv', 'mmcv', 'mmcv-lite'):
        try:
            installed = version(name)
        except PackageNotFoundError:
            continue
        target = name.removesuffix('-lite')
        command = f'pip install {options} --no-binary {target} {target}=={installed}'
        if name == target:
            return command
        return f'pip uninstall --yes {name} && {command}'
    return f'pip install {options} --no-binary onedl-mmcv onedl-mmcv'
