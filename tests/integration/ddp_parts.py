"""Parts of ddp_umt.py: masks by sample, and losses over all processes."""
import json
from pathlib import Path

import numpy as np
from mmaction.registry import TRANSFORMS
from mmengine.dist import all_reduce, get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from mmvideomamba.datasets.transforms import TokenMask


@TRANSFORMS.register_module()
class SampleMask(TokenMask):
    """Draw a mask from the number of the sample alone."""

    def transform(self, results: dict) -> dict:
        np.random.seed(results['sample_idx'])
        return super().transform(results)


@HOOKS.register_module()
class LossHook(Hook):
    """Write the mean loss of all processes for each iteration."""

    def before_train(self, runner) -> None:
        self.losses = []

    def after_train_iter(self,
                         runner,
                         batch_idx,
                         data_batch=None,
                         outputs=None) -> None:
        loss = outputs['loss'].detach().clone()
        all_reduce(loss, 'mean')
        self.losses.append(float(loss))

    def after_train(self, runner) -> None:
        if get_rank() == 0:
            path = Path(runner.work_dir, 'losses.json')
            path.write_text(json.dumps(self.losses))
