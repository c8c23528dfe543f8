"""Print the losses of the first steps of the quickstart's training.

    python tests/gpu/quickstart_losses.py CONFIG WORK_DIR STEPS

As JSON, on the last line. The environment chooses device and backend.
"""
import json
import sys
from typing import List

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.runner import Runner


class Losses(Hook):
    """Collect losses; end the training after some.

    Args:
        steps (int): After how many.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.seen: List[float] = []

    def after_train_iter(self, runner, batch_idx, data_batch, outputs) -> None:
        self.seen.append(outputs['loss'].item())
        if len(self.seen) == self.steps:
            raise KeyboardInterrupt


def main() -> None:
    config, folder, steps = sys.argv[1:]
    cfg = Config.fromfile(config)
    cfg.work_dir = folder
    runner, losses = Runner.from_cfg(cfg), Losses(int(steps))
    # On the CPU, as a GPU draws other numbers. Not done again by train().
    runner.model.cpu().init_weights()
    runner.model.to(get_device())
    runner.register_hook(losses)
    try:
        runner.train()
    except KeyboardInterrupt:
        print(json.dumps(losses.seen))


if __name__ == '__main__':
    main()
