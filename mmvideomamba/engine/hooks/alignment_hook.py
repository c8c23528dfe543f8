"""Hook that draws mask, attention and alignment of masked distillation."""
from typing import Any, Optional

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmvideomamba.engine.clip_maker import has_draws, make_clips
from mmvideomamba.engine.inner_model import inner_model
from mmvideomamba.registry import HOOKS
from mmvideomamba.visualization import log_picture, picture_of


@HOOKS.register_module()
class AlignmentHook(Hook):
    """Draw some training clips of a ``UMT``, with mask and alignment.

    The picture (see ``draw_alignment``) goes to all backends of the
    visualizer, TensorBoard among them, or into ``out_dir``. Drawing changes
    neither the model nor the random numbers of the training.

    Args:
        interval (int): Draw each ``interval``-th iteration. Defaults to 500.
        num_clips (int): Number of clips drawn of a batch. Defaults to 1.
        out_dir (str, optional): Folder for .png files instead of the
            backends of the visualizer. Defaults to None.

    Raises:
        ValueError: If a number is below 1.
    """

    priority = 'LOW'

    def __init__(self,
                 interval: int = 500,
                 num_clips: int = 1,
                 out_dir: Optional[str] = None) -> None:
        for name, value in dict(
                interval=interval, num_clips=num_clips).items():
            if value < 1:
                raise ValueError(f'{name} of AlignmentHook must be at least '
                                 f'1, but is {value}')
        self.interval, self.num_clips = interval, num_clips
        self.out_dir = out_dir

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Any = None,
                         outputs: Optional[dict] = None) -> None:
        """Draw the first clips of the batch, every ``interval`` iterations.

        Args:
            runner (Runner): The runner of the training.
            batch_idx (int): Number of the batch in its epoch.
            data_batch (dict): With ``inputs``, clips of shape
                (1, 3, t, h, w), and ``data_samples``; or with draws, see
                ``DrawClip``. Defaults to None.
            outputs (dict, optional): Unused.
        """
        due = self.every_n_train_iters(runner, self.interval)
        if not due or not is_main_process():
            return
        model = inner_model(runner.model)
        data = {k: v[:self.num_clips] for k, v in data_batch.items()}
        if has_draws(data):
            data = make_clips(data, model.data_preprocessor.device)
        pairs = zip(data['inputs'], data['data_samples'])
        for i, (inputs, sample) in enumerate(pairs):
            picture = picture_of(model, inputs, sample)
            name, step = f'alignment_{i}', runner.iter + 1
            log_picture(runner.visualizer, name, picture, step, self.out_dir)
