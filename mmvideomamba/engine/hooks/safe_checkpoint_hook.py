"""Hook for checkpoints, complete at any moment."""
import os.path as osp
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.hooks import CheckpointHook
from mmengine.logging import MessageHub
from mmengine.runner import BaseLoop, Runner

from mmvideomamba.atomic_file import DRAFT, write_file
from mmvideomamba.checkpoints.newest import LAST, TEMPLATES
from mmvideomamba.engine.agreed_save import agree, size_of_state, write_whole
from mmvideomamba.engine.progress import note_progress, read_progress
from mmvideomamba.engine.resume_point import FIRST_WEIGHTS, choose_checkpoint
from mmvideomamba.registry import HOOKS
from mmvideomamba.user_error import UserError

# Keys of the message hub, and so of each checkpoint: names of the files to
# remove once the checkpoint is complete, and of files saved at a signal.
REPLACED = 'replaced_ckpts'
PASSING = 'passing_ckpts'


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """Save checkpoints; a kill at any moment leaves a complete checkpoint.

    A checkpoint is written under another name in the same folder and renamed
    into place. ``last_checkpoint`` names the checkpoint afterwards, and older
    files are removed last. The same holds for the best checkpoints. Whenever
    the training is killed, the newest complete checkpoint is found on resume,
    with or without ``last_checkpoint``; a warning names damaged files, and
    the training goes on from the newest complete file.

    Before a save the hook looks for free space. If a checkpoint cannot be
    written, all earlier files are intact and the training ends with an error
    of a single line.

    Other storage than a local folder, and other runners than mmengine's
    ``Runner``, are written to as mmengine does, but older files are removed
    last there as well.

    Args:
        *args (Any): As of mmengine's ``CheckpointHook``.
        fsync (bool): Wait until a checkpoint is on the disk, so that a power
            cut does no harm either. Defaults to True.
        **kwargs (Any): As of mmengine's ``CheckpointHook``.
    """

    def __init__(self, *args: Any, fsync: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fsync = fsync
        # Names of files to remove after the next save.
        self._waiting: List[str] = []
        # Sizes of the last files with and without the optimizer's state.
        self._sizes: Dict[bool, int] = {}
        # Epochs, iterations, validated or not, at the last full save.
        self._saved: Optional[Tuple[int, int, bool]] = None
        self._saved_path = ''
        self._found_here = False

    # Resuming.

    def before_run(self, runner: Runner) -> None:
        """Choose the checkpoint of a resumed training.

        Args:
            runner (Runner): The runner of the training; its ``_load_from``
                is set.

        Raises:
            UserError: If there are damaged checkpoints only, or the given
                checkpoint is damaged.
        """
        # The public attribute would build a loop that a test leaves out.
        training = isinstance(runner._train_loop, BaseLoop)
        if not training or not runner._resume or not self._is_plain(runner):
            return
        folder = self._folder(runner)
        path = choose_checkpoint(runner, folder,
                                 (self.filename_tmpl, *TEMPLATES))
        if path is None:
            self._begin(runner, folder)
        elif runner._load_from is None:
            self._found_here = True
            runner._load_from = path

    def _begin(self, runner: Runner, folder: str) -> None:
        """Start a training that has no checkpoint to resume from."""
        runner._resume = False
        # A job that is sent again and again begins with the weights of its
        # config as well.
        runner._load_from = first = runner.cfg.get(FIRST_WEIGHTS)
        weights = f', with the weights of load_from, {first}' if first else ''
        runner.logger.warning(
            f'There is no checkpoint in {folder} to resume from: the training '
            f'starts from the beginning{weights}.')

    def before_train(self, runner: Runner) -> None:
        """Take over the files of an earlier training in the folder.

        Args:
            runner (Runner): The runner of the training.
        """
        folder = Path(self._folder(runner))
        plain = self._is_plain(runner)
        resumed = None
        if plain and runner._resume and runner._load_from:
            resumed = Path(runner._load_from).expanduser()
            self._adopt(runner, folder, resumed)
        super().before_train(runner)
        if not plain or not is_main_process():
            return
        # last_checkpoint lies in the working folder, also with checkpoints
        # elsewhere.
        for place in {folder, Path(runner.work_dir)}:
            for draft in place.glob(f'*{DRAFT}'):
                runner.logger.info(f'Removed {draft}, left by a save that '
                                   'was interrupted.')
                draft.unlink()
        if resumed is not None:
            self._finish_removal(runner, resumed)

    def _adopt(self, runner: Runner, folder: Path, resumed: Path) -> None:
        """Let the record of earlier files stand for files of this folder.

        Args:
            runner (Runner): The runner, as resumed.
            folder (Path): Of the checkpoints.
            resumed (Path): The checkpoint. If it lies elsewhere, no file in
                the folder belongs to the training, and none is removed.
        """
        hub = runner.message_hub
        if resumed.resolve().parent != folder.resolve():
            for key in ('keep_ckpt_ids', REPLACED, PASSING):
                hub.update_info(key, [])
            return
        # The folder may have another name now than at the time of the save.
        for key, path in list(hub.runtime_info.items()):
            if path and (key == 'last_ckpt' or key.startswith('best_ckpt')):
                hub.update_info(key, str(folder / osp.basename(path)))
        # A regular checkpoint follows each best checkpoint, as before.
        self.last_ckpt = hub.get_info('last_ckpt')
        if self._found_here:
            self._saved = self._state(hub, runner.epoch, runner.iter)
            self._saved_path = str(resumed)

    def _finish_removal(self, runner: Runner, resumed: Path) -> None:
        """Remove the files left because the training was killed."""
        hub = runner.message_hub
        kept = {resumed.name, *self._kept_names(), *self._best_names(hub)}
        for name in hub.get_info(REPLACED) or []:
            path = Path(self.out_dir, name)
            # A newer file of the same name is of another training.
            if name not in kept and path.is_file() and (
                    path.stat().st_mtime <= resumed.stat().st_mtime):
                self._remove(runner, name)

    # Saving.

    def save_now(self, runner: Runner, epoch: int, iteration: int) -> str:
        """Save the state of the training, before the process ends.

        To be called on all processes. The file ``iter_N.pth`` does not count
        among ``max_keep_ckpts`` and is removed once the next regular
        checkpoint is complete, also by a resumed training. A state saved
        before is not saved again.

        Args:
            runner (Runner): The runner of the training.
            epoch (int): Complete epochs.
            iteration (int): Complete iterations.

        Returns:
            str: The checkpoint to resume from.

        Raises:
            UserError: If the file cannot be written.
        """
        hub = runner.message_hub
        if self._saved == self._state(hub, epoch, iteration):
            return self._saved_path
        self._ask_hooks(runner)
        name = f'iter_{iteration}.pth'
        replaced = self._waiting + self._passing(hub)
        # Regular checkpoints of a training by iterations have the same names.
        passing = [] if name in self._kept_names() else [name]
        meta = dict(epoch=epoch, iter=iteration)
        self._save_state(runner, name, meta, True, True, replaced, passing)
        return self._path(name)

    def after_val_epoch(self,
                        runner: Runner,
                        metrics: Optional[Dict[str, float]] = None) -> None:
        """Note the validation, and save the best checkpoint.

        Args:
            runner (Runner): The runner of the training.
            metrics (dict, optional): Results of the validation.
        """
        if not hasattr(self, 'file_backend'):
            return  # no training
        note_progress(runner.message_hub, validated=True)
        super().after_val_epoch(runner, metrics or {})

    def _save_checkpoint_with_step(self, runner: Runner, step: int,
                                   meta: Dict[str, Any]) -> None:
        """Save a regular checkpoint, then remove older ones."""
        self._ask_hooks(runner)
        hub = runner.message_hub
        replaced = self._waiting + self._passing(hub)
        if self.max_keep_ckpts > 0:
            ids = [i for i in self.keep_ckpt_ids if i != step] + [step]
            replaced += map(self.filename_tmpl.format,
                            ids[:-self.max_keep_ckpts])
            self.keep_ckpt_ids.clear()
            self.keep_ckpt_ids.extend(ids)  # has room for the last ones
            hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self._path(name)
        hub.update_info('last_ckpt', self.last_ckpt)
        self._save_state(runner, name, meta, self.save_optimizer,
                         self.save_param_scheduler, replaced, [], **self.args)

    def _save_state(self, runner: Runner, name: str, meta: Dict[str, Any],
                    optimizer: bool, schedulers: bool, replaced: List[str],
                    passing: List[str], **kwargs: Any) -> None:
        """Write a checkpoint, name it as the last, remove the replaced."""
        hub = runner.message_hub
        replaced = [x for x in replaced if x != name]
        hub.update_info(REPLACED, replaced)
        hub.update_info(PASSING, passing)
        self._write(
            runner,
            name,
            replaced,
            save_optimizer=optimizer,
            save_param_scheduler=schedulers,
            meta=meta,
            by_epoch=self.by_epoch,
            **kwargs)
        self._name_as_last(runner, self._path(name))
        # Files that cannot be removed now are tried again after the next save.
        self._waiting = [x for x in replaced if not self._remove(runner, x)]
        if optimizer and schedulers:
            self._saved = self._state(hub, meta['epoch'], meta['iter'])
            self._saved_path = self._path(name)

    def _save_best_checkpoint(self, runner: Runner,
                              metrics: Dict[str, float]) -> None:
        """Save the best checkpoints, then remove the old files."""
        if not self.save_best:
            return
        if 'auto' in self.key_indicators:
            self._init_rule(self.rules, [list(metrics)[0]])
        self._check_figures(metrics)
        hub = runner.message_hub
        better = [
            key for key, rule in zip(self.key_indicators, self.rules)
            if self._is_better(hub, key, rule, metrics[key])
        ]
        if not better:
            return
        self._ask_hooks(runner)
        step = runner.epoch if self.by_epoch else runner.iter
        meta = dict(epoch=runner.epoch, iter=runner.iter)
        for key in better:
            name = f'best_{key}_{self.filename_tmpl.format(step)}'
            name = name.replace('/', '_')
            self._note_best(hub, key, metrics[key], name)
            self._write(
                runner,
                name,
                self._waiting,
                save_optimizer=False,
                save_param_scheduler=False,
                meta=dict(meta),
                by_epoch=False)
            runner.logger.info(
                f'The best checkpoint with {metrics[key]:0.4f} {key} at '
                f'{step} {"epoch" if self.by_epoch else "iter"} is saved to '
                f'{name}.')
        # The regular checkpoint gets to know the score and the file.
        if self.last_ckpt is not None:
            self._save_checkpoint_with_step(runner, step, meta)
        else:
            self._waiting = [
                x for x in self._waiting if not self._remove(runner, x)
            ]

    def _check_figures(self, metrics: Dict[str, float]) -> None:
        """Refuse a ``save_best`` that the validation does not give."""
        unknown = [key for key in self.key_indicators if key not in metrics]
        if unknown:
            message = (f'save_best={unknown[0]!r} is none of the figures of '
                       f'the validation, {", ".join(metrics)}; set '
                       'default_hooks.checkpoint.save_best to one of them')
            raise UserError(message if is_main_process() else '')

    def _is_better(self, hub: MessageHub, key: str, rule: str,
                   score: Optional[float]) -> bool:
        """Compare a score with the best of before."""
        best = self._best_key('best_score', key)
        before = hub.runtime_info.get(best, self.init_value_map[rule])
        return score is not None and self.is_better_than[key](score, before)

    def _best_key(self, kind: str, key: str) -> str:
        """Return the host's name of a record in the message hub."""
        return kind if len(self.key_indicators) == 1 else f'{kind}_{key}'

    def _note_best(self, hub: MessageHub, key: str, score: float,
                   name: str) -> None:
        """Note a new best file, and the old file for removal."""
        kind = self._best_key('best_ckpt', key)
        before = hub.runtime_info.get(kind)
        # A file of another folder belongs to another training.
        if before and before == self._path(
                osp.basename(before)) and (osp.basename(before) != name):
            self._waiting.append(osp.basename(before))
        path = self._path(name)
        hub.update_info(self._best_key('best_score', key), score)
        hub.update_info(kind, path)
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = path
        else:
            self.best_ckpt_path_dict[key] = path

    # Files.

    def _write(self, runner: Runner, name: str, replaced: List[str],
               **kwargs: Any) -> None:
        """Write a file, complete on all processes at the return.

        Args:
            runner (Runner): The runner.
            name (str): Name of the file.
            replaced (list[str]): Names of the files to be removed for the
                new one.
            **kwargs: Arguments of ``Runner.save_checkpoint``.

        Raises:
            UserError: If the file cannot be written.
        """
        path = self._path(name)
        full = bool(kwargs['save_optimizer'])
        need = 0
        if is_main_process():
            need = self._sizes.get(full) or size_of_state(runner, full)

        def save(target: str) -> None:
            runner.save_checkpoint(
                self.out_dir,
                target,
                file_client_args=self.file_client_args,
                backend_args=self.backend_args,
                **kwargs)

        def save_plain() -> None:
            if is_main_process():
                old = [self._path(x) for x in replaced]
                write_whole(path, save, need, self.fsync, old)
                self._sizes[full] = Path(path).stat().st_size

        plain = self._is_plain(runner)
        agree(save_plain if plain else lambda: save(name), path, need)

    def _name_as_last(self, runner: Runner, path: str) -> None:
        """Let ``last_checkpoint`` name a complete checkpoint."""
        file = osp.join(runner.work_dir, LAST)

        def write() -> None:
            if is_main_process():
                write_file(file, path, self.fsync)

        agree(write, file, len(path))

    @staticmethod
    def _ask_hooks(runner: Runner) -> None:
        """Let other hooks end the training before anything is written."""
        for hook in runner.hooks:
            if hasattr(hook, 'before_checkpoint'):
                hook.before_checkpoint(runner)

    def _remove(self, runner: Runner, name: str) -> bool:
        """Remove a file, or a folder of a runner that saves folders."""
        path = self._path(name)
        if not is_main_process():
            return True
        try:
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
            elif self.file_backend.isdir(path):
                self.file_backend.rmtree(path)
            return True
        except OSError as error:
            runner.logger.warning(f'{path} cannot be removed ({error}).')
            return False

    # Names.

    def _path(self, name: str) -> str:
        return str(self.file_backend.join_path(self.out_dir, name))

    def _folder(self, runner: Runner) -> str:
        """Return the folder of the checkpoints, before the host sets it."""
        if self.out_dir is None or self.out_dir == runner.work_dir:
            return str(runner.work_dir)
        if hasattr(self, 'file_backend'):
            return str(self.out_dir)
        base = osp.basename(runner.work_dir.rstrip(osp.sep))
        return osp.join(self.out_dir, base)

    def _is_plain(self, runner: Runner) -> bool:
        """Tell whether the main process writes files to a local folder."""
        if self.file_client_args or not isinstance(runner, Runner):
            return False
        backend = get_file_backend(
            self.out_dir or runner.work_dir, backend_args=self.backend_args)
        return isinstance(backend, LocalBackend)

    def _kept_names(self) -> List[str]:
        ids = getattr(self, 'keep_ckpt_ids', ())
        return [self.filename_tmpl.format(step) for step in ids]

    @staticmethod
    def _best_names(hub: MessageHub) -> List[str]:
        return [
            osp.basename(path) for key, path in hub.runtime_info.items()
            if key.startswith('best_ckpt') and path
        ]

    @staticmethod
    def _passing(hub: MessageHub) -> List[str]:
        return list(hub.runtime_info.get(PASSING) or [])

    @staticmethod
    def _state(hub: MessageHub, epoch: int,
               iteration: int) -> Tuple[int, int, bool]:
        validated = bool(read_progress(hub).get('validated'))
        return epoch, iteration, validated
