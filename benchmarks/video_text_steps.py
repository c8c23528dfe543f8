"""Time and memory of training steps with a teacher, or with texts.

    python benchmarks/video_text_steps.py

The models and optimizers of the recipes at published sizes, with random
weights, on random pixels and words, which wait on the device; forward,
backward and AdamW in bfloat16 autocast. 'ms' is the median of whole steps,
'GPU busy' the share of kernels and copies in it, by a profile of three more
steps: far below 100 %, launches bound the step, and a larger batch costs
little.
"""
import argparse
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Sequence

from wrapped_page import wrapped

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
import mmpretrain.models  # noqa: F401  registers the classifiers
import torch
from gpu_common import Clock, Entry, cell, device_name, parse, table, versions
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import BaseDataElement
from mmpretrain.structures import DataSample
from recipe_parts import in_float32, shrink, without_files

from mmvideomamba.models.multimodal import TextBatch

CONFIGS = Path(__file__).parents[1] / 'configs'
MIDDLE = 'umt-videomamba-middle_clip-b16_32xb64-u8-800e_kinetics400-rgb'


class Case(NamedTuple):
    """A training step.

    Args:
        config (str): Path of the recipe in ``configs``, without the ending.
        batch (int): Clips or images.
        frames (int): Of a clip; 1 for images with captions, 0 for images of
            an image model.
    """
    config: str
    batch: int
    frames: int


CASES: Dict[str, Case] = {
    'masked distillation, Middle':
    Case(f'pretraining/{MIDDLE}', 64, 8),
    'masked distillation, Tiny':
    Case(f'pretraining/{MIDDLE.replace("middle", "tiny")}', 64, 8),
    'video and text, masked, four losses':
    Case('multimodal/umt-videomamba-middle_k400-pre_16xb128-u8-10e_5m', 64, 8),
    'image and text, masked, four losses':
    Case('multimodal/umt-videomamba-middle_k400-pre_16xb128-u8-10e_5m', 128,
         1),
    'video and text, unmasked, three losses':
    Case('multimodal/videomamba-middle_umt-5m-pre_16xb64-u8-1e_5m', 64, 8),
    'retrieval, 8 frames':
    Case('retrieval/videomamba-middle_umt-25m-pre_8xb64-u8-2e_msrvtt', 32, 8),
    'retrieval, 12 frames':
    Case('retrieval/videomamba-middle_umt-25m-pre_8xb32-u12-5e_msrvtt-7k', 32,
         12),
    'questions, 12 frames':
    Case(
        'question_answering/'
        'videomamba-middle_umt-25m-pre_8xb32-u12-10e_msrvtt-qa', 32, 12),
    'self-distillation of images, Middle from Small':
    Case('classification/videomamba-middle_distill-small_16xb128-300e_in1k',
         128, 0),
}


class RandomWords:
    """Stand in for a tokenizer: each text has the longest length.

    Args:
        words (int): Size of the vocabulary.
        length (int): Tokens of a text.
        device (torch.device): Device of the model.
    """
    pad_id, cls_id, mask_id = 0, 101, 103

    def __init__(self, words: int, length: int, device: torch.device) -> None:
        self.words, self.length, self.device = words, length, device

    def __call__(self, texts: Sequence[str]) -> TextBatch:
        ids = torch.randint(
            200, self.words, (len(texts), self.length), device=self.device)
        return TextBatch(ids, torch.ones_like(ids))


class Step:
    """A step of a recipe's training.

    Args:
        case (Case): Recipe and sizes.
        device (torch.device): Device of the step.
        tiny (bool): Whether the parts are tiny.
    """

    def __init__(self, case: Case, device: torch.device, tiny: bool) -> None:
        torch.manual_seed(0)
        cfg = Config.fromfile(CONFIGS / f'{case.config}.py')
        init_default_scope(cfg.default_scope)
        without_files(cfg.model)
        if tiny:
            shrink(cfg.model)
        side = 32 if tiny else 224
        self.model = self._build(cfg, device)
        self.wrapper = build_optim_wrapper(self.model,
                                           self._optimizer(cfg, device))
        batch = 4 if tiny else case.batch
        frames = [1, 3, case.frames] if case.frames else [3]
        pixels = torch.randint(
            256, (batch, *frames, side, side), dtype=torch.uint8)
        self.data = dict(
            inputs=list(pixels.to(device)),
            data_samples=[self._sample(i, case) for i in range(batch)])

    @staticmethod
    def _build(cfg: Config, device: torch.device) -> BaseModel:
        if cfg.get('data_preprocessor'):
            cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
        if 'distill_head' in cfg.model:
            # A teacher that is a model needs no file.
            teacher = MODELS.build(cfg.model.distill_head.teacher)
            cfg = cfg.model.to_dict()
            cfg['distill_head']['teacher'] = teacher
            return MODELS.build(cfg).to(device).train()
        model = MODELS.build(cfg.model).to(device).train()
        if hasattr(model, 'tokenizer'):
            words = model.text_encoder.config.vocab_size
            for name in ('tokenizer', 'answer_tokenizer'):
                if hasattr(model, name):
                    length = getattr(model, name).max_length
                    setattr(model, name, RandomWords(words, length, device))
        return model

    @staticmethod
    def _optimizer(cfg: Config, device: torch.device) -> dict:
        found = cfg.optim_wrapper.to_dict()
        return in_float32(found) if device.type == 'cpu' else found

    @staticmethod
    def _sample(index: int, case: Case) -> BaseDataElement:
        if not case.frames:
            return DataSample().set_gt_label(index)
        return BaseDataElement(
            text='',
            pair_id=index,
            question='',
            gt_answer=[''],
            gt_answer_weight=[1.])

    def __call__(self) -> None:
        """Run forward, backward and the optimizer."""
        self.model.train_step(self.data, self.wrapper)

    def busy(self, steps: int = 3) -> float:
        """Return the milliseconds of a step in which the GPU works."""
        kind = torch.profiler.ProfilerActivity.CUDA
        with torch.profiler.profile(activities=[kind]) as profile:
            for _ in range(steps):
                self()
            torch.cuda.synchronize()
        return sum(event.time_range.elapsed_us() / 1e3 / steps
                   for event in profile.events()
                   if event.device_type == torch.autograd.DeviceType.CUDA)


def measured(case: Case, clock: Clock, tiny: bool) -> Entry:
    """Measure a case; return an entry of the table."""
    step = Step(case, clock.device, tiny)
    entry = clock.measure(step)
    busy = step.busy() if clock.device.type == 'cuda' else 0
    if busy:  # where the machine allows profiles
        entry['busy'] = 100 * busy / entry['ms']
    entry['rate'] = 1e3 * len(step.data['inputs']) / entry['ms']
    return entry


def rows(args: argparse.Namespace) -> List[List[str]]:
    """Measure the cases; return the lines of the table."""
    clock, lines = Clock(args), []
    for name, case in CASES.items():
        if args.only and not any(word in name for word in args.only):
            continue
        size = str(case.batch)
        try:
            entry = measured(case, clock, args.tiny)
        except torch.OutOfMemoryError:
            entry = dict(note='out of memory')
        except RuntimeError as error:
            # A kernel that fails costs a row, not the others.
            entry = dict(note=str(error).splitlines()[0])
        clock.free()
        lines.append([
            name, size,
            cell(entry),
            cell(entry, 'busy', 0),
            cell(entry, 'rate', 0),
            cell(entry, 'gib', 2),
            cell(entry, 'runs', 0), f'`{case.config}`'
        ])
        print(' | '.join(lines[-1]), flush=True)
    return lines


def main() -> None:
    """Measure, and write and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--only', nargs='*', help='cases whose names have one of these words')
    args = parse(parser)
    MMLogger.get_instance('video_text_steps', log_level='ERROR')
    command = 'python benchmarks/video_text_steps.py'
    if args.only:
        command += ' --only ' + ' '.join(args.only)
    found = ', '.join(f'{k} {v}' for k, v in versions().items())
    head = [
        'step', 'batch', 'ms', 'GPU busy %', 'samples/s', 'peak GiB', 'runs',
        'recipe'
    ]
    lines = rows(args)
    text = wrapped('\n'.join([
        '# Training steps with a teacher, or with texts', '', f'    {command}',
        '',
        f'{device_name(args.device)}; {found}; {time.strftime("%Y-%m-%d")}. '
        'Models, optimizers and mixed precision (bfloat16) of the recipes, '
        'frames of 224 px, texts of the longest length, random weights and '
        f'inputs; medians of at most {args.repeat} steps after two. GPU busy: '
        'share of kernels and copies in a step, by a profile of three more; '
        'far below 100 %, launches bound the step. Peak: largest memory of '
        'tensors at once, with weights and optimizer.', '',
        table(head, lines), ''
    ]))
    if not (args.tiny or args.only):
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / 'video_text_steps.md').write_text(text)
    print('\n' + text)


if __name__ == '__main__':
    main()
