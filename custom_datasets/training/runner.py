"""The runner of this package: mmengine's, with the checks and the record of a run.

Configs name it by ``runner_type``, which the stock ``train.py`` and
``test.py`` read, so that it works wherever those scripts run.
"""

import copy
import os
from typing import Any

import torch
import torch.distributed
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_distributed
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.registry import RUNNERS, DefaultScope
from mmengine.runner import Runner, find_latest_checkpoint
from torch import nn
from torch.utils.data import DataLoader

import custom_datasets.training.augment  # noqa: F401 - it registers classes
import custom_datasets.training.sampling  # noqa: F401 - so does this
import custom_datasets.training.visualizing  # noqa: F401 - it finds fonts
from custom_datasets.checkpoints import (
    CheckpointFacts,
    UnavailableError,
    classes_of,
    facts_of,
    last_checkpoint,
    read_for_mmengine,
    require_classes,
    require_weights,
    weights_of,
)
from custom_datasets.config import fold_folder
from custom_datasets.errors import ConfigError, UserError
from custom_datasets.files import short_path
from custom_datasets.settings import apply_settings
from custom_datasets.settings.precision import settle_precision
from custom_datasets.settings.tracking import apply_tracking
from custom_datasets.settings.training import read_cache
from custom_datasets.starting import format_once, settling
from custom_datasets.training.allocator import freed_memory_kept
from custom_datasets.training.decode_once import DecodeOnceHook
from custom_datasets.training.facts import checkpoint_hook
from custom_datasets.training.hooks import (
    ClassCountHook,
    EpochSeedHook,
    FiniteLossHook,
    keep_torch_seed,
)
from custom_datasets.training.paint_hook import apply_painting
from custom_datasets.training.precision import BFloat16OptimWrapper, PrecisionHook
from custom_datasets.training.progress import ProgressHook
from custom_datasets.training.record import has_run
from custom_datasets.training.record_hooks import RecordTestHook, RunRecordHook

read_for_mmengine()
format_once()

_OFFLINE = '--cfg-options from_scratch=True starts without pretrained weights'


@RUNNERS.register_module()
class PluginRunner(Runner):  # type: ignore[misc]
    """A runner for small data sets on one GPU, several, or none.

    - Settings at the top of a config reach all of it
      (:mod:`custom_datasets.settings`); each fold gets a folder of its own.
    - Each run leaves a record, shows one live line on a terminal, and stops at a
      loss that is not finite or a head whose class count is not the data set's.
    - Weights that can't be fetched, or a checkpoint of another model or of other
      classes, end in a message instead of a traceback.
    - Without a GPU, distributed runs use ``gloo``.
    - Seed, epoch and rank decide all randomness, so that a resumed run draws what an
      uninterrupted one would have drawn.

    ``loaded_checkpoint`` and ``resumed_from`` are paths; ``loaded_facts`` is what the
    former says about itself.
    """

    loaded_checkpoint: str | None = None
    loaded_facts = CheckpointFacts()
    resumed_from: str | None = None
    optim_wrapper: Any
    _tests = False

    @classmethod
    def from_cfg(cls, cfg: Config) -> 'PluginRunner':
        """Build a runner from a config, applying its settings first."""
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope')):
            apply_settings(cfg)
        apply_tracking(cfg)
        apply_painting(cfg)
        _give_fold_a_folder(cfg)
        with settling('runner'):
            runner: PluginRunner = super().from_cfg(cfg)
        return runner

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        """Start the process group over ``gloo`` where there is no GPU."""
        if self.distributed and not torch.cuda.is_available() and not is_distributed():
            if self._launcher != 'pytorch':
                raise ConfigError(
                    f'--launcher {self._launcher} needs a GPU; without one use '
                    'tools/dist_train.sh'
                )
            torch.distributed.init_process_group('gloo')
        super().setup_env(env_cfg)

    def wrap_model(
        self, model_wrapper_cfg: dict[str, Any] | None, model: nn.Module
    ) -> nn.Module:
        """Wrap for distributed training.

        Without a GPU, weights are kept in the channels-last layout, in which CPU
        kernels are faster (``benchmarks/cpu_step.py``), and no device is named.
        """
        if not torch.cuda.is_available():
            layout = torch.channels_last
            model = model.to(memory_format=layout)  # type: ignore[call-overload]
            if self.distributed:
                model_wrapper_cfg = {
                    'broadcast_buffers': False,
                    'find_unused_parameters': bool(
                        self.cfg.get('find_unused_parameters')
                    ),
                    **(model_wrapper_cfg or {}),
                    'device_ids': None,
                }
        wrapped: nn.Module = super().wrap_model(model_wrapper_cfg, model)
        return wrapped

    def register_hooks(
        self, default_hooks: Any = None, custom_hooks: Any = None
    ) -> None:
        """Register the config's hooks, and those that every run has."""
        super().register_hooks(default_hooks, custom_hooks)
        for hook in (
            ClassCountHook(),
            EpochSeedHook(),
            FiniteLossHook(),
            PrecisionHook(),
            ProgressHook(),
            RunRecordHook(),
            RecordTestHook(),
        ):
            self.register_hook(hook)
        place = read_cache(self.cfg)
        if place is not None:
            self.register_hook(DecodeOnceHook(place))

    @staticmethod
    def build_dataloader(
        dataloader: Any, seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader[Any]:
        """Build a loader whose workers get new seeds in each epoch.

        mmengine's own seeding gives a worker the same numbers, and so the same
        augmentations, in every epoch.
        """
        if isinstance(dataloader, dict):
            dataloader = {'worker_init_fn': {'type': keep_torch_seed}, **dataloader}
            if not torch.cuda.is_available():
                dataloader['pin_memory'] = False
        loader: DataLoader[Any] = Runner.build_dataloader(
            dataloader, seed, diff_rank_seed
        )
        return loader

    def train(self) -> nn.Module:
        """Train; with ``from_scratch``, not from the weights of ``load_from``.

        An error or Ctrl-C is passed to hooks that have an ``on_error``. After Ctrl-C
        the KeyboardInterrupt says what is kept, and how to go on.
        """
        if self.cfg.get('from_scratch') and not self._resume:
            self._load_from = None
        self._settle_precision()
        super().dump_config()
        try:
            with freed_memory_kept():
                model: nn.Module = super().train()
        except BaseException as error:
            self.call_hook('on_error', error=error)
            if isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt(self._kept()) from error
            raise
        return model

    def _settle_precision(self) -> None:
        """Put the precision of this training into its config, and carry it out."""
        if not isinstance(self.optim_wrapper, dict):
            return
        resumed = self._resume and (self._load_from or last_checkpoint(self.work_dir))
        for note in settle_precision(self.cfg, get_device(), resumed or None):
            self.logger.warning(note)
        self.optim_wrapper = copy.deepcopy(self.cfg.optim_wrapper)
        if self.cfg.get('precision') == 'bfloat16':
            self.optim_wrapper['type'] = BFloat16OptimWrapper.__name__

    def _kept(self) -> str:
        """Say what an interruption leaves: this run's last checkpoint, if any."""
        hook = checkpoint_hook(self)
        # Not the hook's own, which it notes before the file is whole.
        saved = hook and hook.last_ckpt and find_latest_checkpoint(self.work_dir)
        path = saved or self.resumed_from
        if not path:
            return 'no checkpoint was saved yet; run the same command again'
        return (
            'what was saved is kept; the same command with --resume '
            f'{short_path(path)} continues from there'
        )

    def test(self) -> Any:
        """Test a checkpoint, which has to be of this model and these classes."""
        self._tests = True
        return super().test()

    def dump_config(self) -> None:
        """Write the config, except over that of a training in the same folder."""
        if not has_run(self.work_dir):
            super().dump_config()

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Continue from a checkpoint."""
        super().resume(filename, *args, **kwargs)
        self.resumed_from = filename

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> Any:
        """Load a checkpoint; one that cannot be read raises a UserError."""
        try:
            checkpoint = super().load_checkpoint(filename, *args, **kwargs)
        except UnavailableError as error:
            if self._tests or self._resume:
                raise
            raise UserError(f'{error}; {_OFFLINE}') from error
        self.loaded_checkpoint = filename
        self.loaded_facts = facts_of(checkpoint)
        if self._tests:
            self._require_own(filename, checkpoint)
        return checkpoint

    def _require_own(self, path: str, checkpoint: Any) -> None:
        """Raise where stock testing would continue with random weights."""
        model = self.model
        while is_model_wrapper(model) or isinstance(model, BaseTTAModel):
            model = model.module
        meta = getattr(self.test_dataloader.dataset, 'metainfo', None) or {}
        if meta.get('classes'):
            require_classes(path, classes_of(checkpoint), meta['classes'])
        require_weights(path, weights_of(checkpoint), model.state_dict())

    def _init_model_weights(self) -> None:
        try:
            super()._init_model_weights()
        except UnavailableError as error:
            raise UserError(f'{error}; {_OFFLINE}') from error


def _give_fold_a_folder(cfg: Config) -> None:
    """Keep the folds of a config apart where no ``--work-dir`` does."""
    name = os.path.splitext(os.path.basename(cfg.filename or ''))[0]
    default = os.path.join('./work_dirs', name)
    if cfg.get('fold') is not None and cfg.get('work_dir') == default:
        cfg.work_dir = os.path.join(default, fold_folder(cfg.fold))
