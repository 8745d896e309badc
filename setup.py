"""Installs the plugin: ``pip install -e .`` beside mmdet or mmpretrain."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = next(
    line.split("'")[1]
    for line in (HERE / 'custom_datasets/__init__.py').read_text().splitlines()
    if line.startswith('__version__')
)


def packages(name: str) -> list[str]:
    """Return the packages of a line or an extra, at the versions tested."""
    text = (HERE / f'requirements/{name}.in').read_text()
    general = ('#', '-r', 'torch', 'opencv', 'simplejpeg', 'pillow')
    return [req for req in text.splitlines() if req and not req.startswith(general)]


setup(
    name='mm-custom-datasets',
    version=VERSION,
    description='Small data sets of your own for MMDetection and MMPretrain',
    long_description=(HERE / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['custom_datasets', 'custom_datasets.*']),
    package_data={
        'custom_datasets': ['py.typed'],
        'custom_datasets.scaffold': ['templates/*.txt'],
        'custom_datasets.export': ['templates/*.py'],
        'custom_datasets.training': ['*.jinja'],
        'custom_datasets.pages': ['style.css', 'script.js', 'templates/*.html'],
    },
    # Two lines bring the same import packages (mmdet, mmpretrain, ...), so
    # neither is required: installing the plugin overwrites no mmdet.
    install_requires=[
        'torch>=2.1',
        'torchvision>=0.16',
        'opencv-python',
        'numpy',
        'pillow',
        'matplotlib>=3.6',
        'rich',
        'simplejpeg',
        'jinja2',
    ],
    extras_require={
        'onedl': packages('onedl'),
        'openmmlab': packages('openmmlab'),
        'albumentations': ['albumentations>=1.4.24,<2'],
        # Korean, Chinese and Japanese names where the system has no font for them.
        'fonts': ['noto-cjk-sans-otc'],
        # An API, a page to try a model on, and both on several machines.
        'serve': packages('serve'),
        'demo': packages('serve') + packages('demo'),
        'ray': packages('serve') + packages('ray'),
        # A folder that runs without PyTorch.
        'export': packages('export'),
        # Pictures of any class.
        'generation': packages('generation'),
    },
)
