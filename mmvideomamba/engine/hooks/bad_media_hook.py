"""Hook with an account of all unreadable files."""
from pathlib import Path
from typing import Any, Dict, List, Optional, Set

from mmengine import dist
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmvideomamba.datasets.bad_medium import (BadMediaShareError, BadMedium,
                                              allowed_bad, bad_media_in,
                                              share_error)
from mmvideomamba.datasets.inner_sets import policy_sets
from mmvideomamba.datasets.video.choice import reader_in_use, reader_version
from mmvideomamba.engine.seeding import shared_seed
from mmvideomamba.evaluation import ReportEvaluator
from mmvideomamba.registry import HOOKS
from .bad_media_loaders import begin_anew, loaders_of, readers_of, tell_places
from .bad_media_record import BadMediaRecord


@HOOKS.register_module()
class BadMediaHook(Hook):
    """Carry out the policies for bad media over processes, epochs and runs.

    The data sets read ``bad_media``, see ``BadMediaMixin``; the hook

    - tells the data sets seed, epoch and position of each sample, the source
      of a replacement: a resumed training draws the same, with any number
      of workers;
    - gathers the bad files of all processes, and writes
      ``bad_media.json`` into the work dir: file, fault, policy, epochs,
      count. A resumed training goes on with the list;
    - logs a line for an epoch;
    - ends the training, on all processes in the same iteration, when a
      data set has more bad files than ``max_bad_share``;
    - leaves the samples of ``bad_media='report'`` out of the metrics of
      validation and test, see ``ReportEvaluator``;
    - remembers files after a hanging decoder, and does not try again;
    - writes the readers of the videos into the checkpoints' meta.

    Args:
        interval (int): Iterations from gathering to gathering; the end of an
            epoch gathers as well. Defaults to 50.
        file_name (str): In the work dir. Defaults to 'bad_media.json'.

    Raises:
        ValueError: If ``interval`` is below 1, or a policy is not for the
            part of the run.
    """

    def __init__(self,
                 interval: int = 50,
                 file_name: str = 'bad_media.json') -> None:
        if interval < 1:
            raise ValueError(f'interval must be at least 1, but is {interval}')
        self.interval, self.file_name = interval, file_name
        self.record = BadMediaRecord()  # of the main process
        self.found: List[BadMedium] = []
        self.hung: Set[str] = set()
        self.written = 0  # entries of the file
        self.unwritten = False  # whether writing has failed
        self.in_training = False
        self.parts = ['train', 'val']

    # Beginnings.

    def before_train(self, runner: Runner) -> None:
        """Read the list of a resumed training and prepare the loaders.

        Args:
            runner (Runner): The runner.
        """
        self.in_training, self.parts = True, ['train', 'val']
        self._read(runner)
        kept = runner.epoch if runner._resume else None
        self.record.forget('val', kept)
        if kept is not None and runner.iter > kept * len(
                runner.train_dataloader):
            kept += 1  # resumed within an epoch
        self.record.forget('train', kept)
        self._share_hung()
        self._prepare(runner, runner.train_dataloader, 'report', 'training')

    def before_train_epoch(self, runner: Runner) -> None:
        """Tell the samplers the epoch, and the data sets the hung files.

        Args:
            runner (Runner): The runner.
        """
        for loader in loaders_of(runner.train_dataloader):
            sampler = tell_places(loader, shared_seed(runner))
            self._tell_hung(loader)
            if sampler is not None:
                sampler.own_epoch = runner.epoch
                begin_anew(runner.train_loop, loader)

    def before_val(self, runner: Runner) -> None:
        """Prepare a validation.

        Args:
            runner (Runner): The runner.
        """
        if not self.in_training:
            self._read(runner)
            self.record.forget('val')
            self._share_hung()
        else:
            # A training by iterations validates in between.
            self._gather(runner, 'train', runner.epoch + 1)
        self._prepare_loop(runner, runner.val_loop, 'validation')

    def before_test(self, runner: Runner) -> None:
        """Prepare a test.

        Args:
            runner (Runner): The runner.
        """
        self._read(runner)
        self.record.forget('test')
        self.parts = ['test']
        self._share_hung()
        self._prepare_loop(runner, runner.test_loop, 'test')

    def _read(self, runner: Runner) -> None:
        """Read the list, in the main process."""
        self.found, self.written = [], 0
        self.record = BadMediaRecord()
        if dist.is_main_process():
            self.record = BadMediaRecord.read(self._path(runner))

    def _share_hung(self) -> None:
        """Tell all processes the hung files of the list."""
        hung = [self.record.hung(self.parts)]
        dist.broadcast_object_list(hung)
        self.hung = hung[0]

    def _prepare_loop(self, runner: Runner, loop: Any, name: str) -> None:
        """Let a loop leave samples out by the policy of the data set."""
        self._prepare(runner, loop.dataloader, 'replace', name)
        reports = any(one.bad_media == 'report'
                      for one in policy_sets(loop.dataloader.dataset))
        if reports and not isinstance(loop.evaluator, ReportEvaluator):
            loop.evaluator = ReportEvaluator(loop.evaluator, loop.dataloader)
        if isinstance(loop.evaluator, ReportEvaluator):
            loop.evaluator.start()

    def _prepare(self, runner: Runner, loader: Any, refused: str,
                 name: str) -> None:
        """Check the policies of a loader and tell the places."""
        for one in loaders_of(loader):
            for dataset in policy_sets(one.dataset):
                if dataset.bad_media == refused:
                    raise ValueError(
                        f'bad_media={refused!r} is not for {name}, in which '
                        f'{dataset.source} is used; set bad_media='
                        f'{"replace" if refused == "report" else "report"!r} '
                        "or 'raise'")
            tell_places(one, shared_seed(runner))
            self._tell_hung(one)

    def _tell_hung(self, loader: Any) -> None:
        """Tell the data sets the hung files; workers inherit the list."""
        for dataset in policy_sets(loader.dataset):
            dataset.known_hung |= self.hung

    def _path(self, runner: Runner) -> Path:
        return Path(runner.work_dir, self.file_name)

    # Batches.

    def _before_iter(self,
                     runner: Runner,
                     batch_idx: int,
                     data_batch: Any = None,
                     mode: str = 'train') -> None:
        """Take the bad media of a batch.

        Args:
            runner (Runner): The runner.
            batch_idx (int): Number of the batch.
            data_batch (Any): The batch. Defaults to None.
            mode (str): Unused. Defaults to 'train'.
        """
        for found in bad_media_in(data_batch):
            self.found += found

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Any = None,
                         outputs: Optional[dict] = None) -> None:
        """Gather the bad files at times.

        Args:
            runner (Runner): The runner.
            batch_idx (int): Number of the batch.
            data_batch (Any): Unused. Defaults to None.
            outputs (dict, optional): Unused. Defaults to None.

        Raises:
            BadMediaShareError: If too many files are bad.
        """
        if self.every_n_train_iters(runner, self.interval):
            self._gather(runner, 'train', runner.epoch + 1)

    # Ends.

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Write the readers of the videos into the meta of a checkpoint.

        Args:
            runner (Runner): The runner.
            checkpoint (dict): Its ``meta`` gets ``video_reader`` (str), names
                and versions, if the training reads videos.
        """
        names = [
            reader_in_use() if name == 'auto' else reader_version(name)
            for name in readers_of(runner.train_dataloader)
        ]
        if names:
            checkpoint['meta']['video_reader'] = ', '.join(names)

    def after_train_epoch(self, runner: Runner) -> None:
        """Gather the bad files, and log a line.

        Args:
            runner (Runner): The runner.

        Raises:
            BadMediaShareError: If too many files are bad.
        """
        epoch = runner.epoch + 1
        self._gather(runner, 'train', epoch, True)
        entries = self.record.of_epoch('train', epoch)
        if entries:
            bad = sum(entry['part'] == 'train'
                      for entry in self.record.entries.values())
            replaced = sum(entry['epochs'][str(epoch)] for entry in entries)
            files = sum(
                dataset.num_files
                for loader in loaders_of(runner.train_dataloader)
                for dataset in policy_sets(loader.dataset))
            runner.logger.warning(
                f'bad media in epoch {epoch}: {len(entries)} files, for '
                f'which {replaced} samples were replaced; so far {bad} of '
                f'{files} files, {100 * bad / max(files, 1):.3g} %, see '
                f'{self._path(runner)}')

    def after_train(self, runner: Runner) -> None:
        """Gather the bad files of the last iterations.

        Args:
            runner (Runner): The runner.
        """
        self._gather(runner, 'train', runner.epoch, True)
        self.in_training = False

    def after_val_epoch(self,
                        runner: Runner,
                        metrics: Optional[Dict[str, float]] = None) -> None:
        """Gather the bad files of a validation.

        Args:
            runner (Runner): The runner.
            metrics (dict, optional): Unused. Defaults to None.
        """
        self._gather(runner, 'val', max(runner.epoch, 1), True)

    def after_test_epoch(self,
                         runner: Runner,
                         metrics: Optional[Dict[str, float]] = None) -> None:
        """Gather the bad files of a test.

        Args:
            runner (Runner): The runner.
            metrics (dict, optional): Unused. Defaults to None.
        """
        self._gather(runner, 'test', 1, True)

    def _gather(self,
                runner: Runner,
                part: str,
                epoch: int,
                last: bool = False) -> None:
        """Merge the findings of the processes since the last time."""
        found = [
            bad for share in dist.all_gather_object(self.found)
            for bad in share
        ]
        self.found = []
        if part != 'train':
            found = list(dict.fromkeys(found))  # padding counts once
        self.hung |= {bad.file for bad in found if bad.hung}
        self.record.add(part, epoch, found if dist.is_main_process() else [])
        verdict = [self._verdict(runner, part, found)]
        # Hung files at once: a killed and resumed run must not wait for the
        # same hanging decoder again.
        self._write(runner, last or any(bad.hung for bad in found))
        # ``found`` is the same on all processes, so all of them broadcast or
        # none. The main process alone has the record, and so the verdict.
        if found:
            dist.broadcast_object_list(verdict)
        if verdict[0]:
            raise BadMediaShareError(verdict[0])

    def _verdict(self, runner: Runner, part: str,
                 found: List[BadMedium]) -> str:
        """Return the text of an error if too many files are bad, or ''."""
        for one in {bad.source: bad for bad in found}.values():
            count = self.record.counts[part, one.source]
            if one.policy == 'replace' and count > allowed_bad(
                    one.num_files, one.max_share):
                # The error names the file, so the list must be there first.
                self._write(runner, True)
                return str(
                    share_error(
                        one.source, self.record.faults(part, one.source),
                        one.num_files, one.max_share,
                        '' if self.unwritten else str(self._path(runner))))
        return ''

    def _write(self, runner: Runner, now: bool) -> None:
        """Write the list, between epochs only after some growth."""
        size, path = len(self.record.entries), self._path(runner)
        # Lists of caption sets may have a million entries. An old list is
        # emptied.
        grown = now or size > 1.05 * self.written
        if dist.is_main_process() and grown and (size or path.exists()):
            try:
                self.record.write(path)
                self.written = size
            except OSError as error:  # no reason to end a training
                if not self.unwritten:
                    runner.logger.warning(
                        f'{path} cannot be written ({error}); the run goes on '
                        'without it')
                self.unwritten = True
