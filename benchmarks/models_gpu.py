"""Time whole models on one GPU: VideoMamba, published kernels, ViT, others.

    python benchmarks/models_gpu.py [--suite models batch1 length]

'models': inference, training step and peak memory at 8 to 64 frames, as many
frames a batch at every length. 'batch1': one clip, as it comes and as a CUDA
graph. 'length': VideoMamba-Ti and ViT-Ti up to 1024 frames, with as many
frames a batch at every length, and one clip at a time.

'mamba_ssm' stands for the published kernels: two one-directional stock scans
per mixer, flips, channel-first; its norms are ours. A ViT has 12 layers and
joint attention through SDPA; TimeSformer is mmaction2's.
"""
import argparse
from typing import Callable, Dict, Iterator, List, NamedTuple, Tuple, Union

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
import torch
from gpu_common import Clock, Entry, Results, parse
from mmaction.models import TimeSformer
from mmengine.registry import init_default_scope
from models_report import KEYS, write
from torch import Tensor, nn
from vit import ViT

from mmvideomamba.models import VideoMamba
from mmvideomamba.models.backbones import graphed


class Scale(NamedTuple):
    """Sizes of a run.

    Attributes:
        archs (dict): Short name to ``arch`` of VideoMamba, channels, frames a
            batch, and lengths of 'models'.
        single (tuple[str]): Archs of 'batch1'.
        depth (int): Layers of the other models.
        img_size (int): Side of a frame.
        frames (tuple[int]): Lengths of 'batch1'.
        lengths (tuple[int]): Lengths of 'length'.
        total (int): Frames a batch of 'length'.
    """
    archs: Dict[str, Tuple[Union[str, dict], int, int, Tuple[int, ...]]]
    single: Tuple[str, ...]
    depth: int
    img_size: int
    frames: Tuple[int, ...]
    lengths: Tuple[int, ...]
    total: int


FULL = Scale(
    archs=dict(
        Ti=('tiny', 192, 512, (8, 16, 32, 64)),
        S=('small', 384, 256, (8, 64)),
        M=('middle', 576, 256, (8, 64))),
    single=('Ti', 'M'),
    depth=12,
    img_size=224,
    frames=(8, 64),
    lengths=(8, 16, 32, 64, 128, 256, 512, 1024),
    total=1024)
TINY = Scale(
    archs=dict(Ti=(dict(embed_dims=64, num_layers=1), 64, 4, (2, 4))),
    single=('Ti', ),
    depth=1,
    img_size=32,
    frames=(2, 4),
    lengths=(2, 4),
    total=4)

Builder = Callable[[int], nn.Module]


class Models:
    """Builders of all models, by arch and kind.

    Args:
        scale (Scale): Sizes.
        backends (list[str]): Backends of VideoMamba.
    """

    def __init__(self, scale: Scale, backends: List[str]) -> None:
        self.scale, self.backends = scale, backends

    def mambas(self, arch: str) -> Iterator[Tuple[str, Builder]]:
        """Yield VideoMamba on every backend."""
        name = self.scale.archs[arch][0]
        for backend in self.backends:
            yield f'VideoMamba-{arch}, {backend}', self._mamba(name, backend)

    def _mamba(self, name: Union[str, dict], backend: str) -> Builder:
        return lambda frames: VideoMamba(
            name,
            img_size=self.scale.img_size,
            num_frames=frames,
            drop_path_rate=0.,
            mixer_cfg=dict(backend=backend))

    def vit(self, arch: str) -> Tuple[str, Builder]:
        """Return a ViT as wide as VideoMamba."""
        return f'ViT-{arch}', self._vit(self.scale.archs[arch][1])

    def _vit(self, dims: int) -> Builder:
        return lambda frames: ViT(dims, self.scale.depth, frames, self.scale.
                                  img_size)

    def others(self, arch: str) -> Iterator[Tuple[str, Builder]]:
        """Yield the attention models to compare with."""
        yield self.vit(arch)
        if arch == 'M':
            # As many parameters as VideoMamba-M, but wider.
            yield 'ViT-B', self._vit(768)
        if arch == 'Ti':
            dims = self.scale.archs[arch][1]
            yield 'TimeSformer-Ti', lambda frames: TimeSformer(
                num_frames=frames,
                img_size=self.scale.img_size,
                patch_size=16,
                embed_dims=dims,
                num_heads=dims // 64,
                num_transformer_layers=self.scale.depth)


class Bench:
    """Measure models and store the results.

    Args:
        args (argparse.Namespace): Command line.
        results (Results): Where entries go.
    """

    def __init__(self, args: argparse.Namespace, results: Results) -> None:
        self.args, self.results = args, results
        self.clock = Clock(args)
        self.scale = TINY if args.tiny else FULL
        self.models = Models(self.scale, args.backends)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.clock.device.type, torch.bfloat16)

    def _clip(self, batch: int, frames: int) -> Tensor:
        side = self.scale.img_size
        return torch.randn(
            batch, 3, frames, side, side, device=self.clock.device)

    def _build(self, build: Builder, frames: int, how: str) -> nn.Module:
        torch.manual_seed(0)
        with self.clock.device:
            model = build(frames)
        model.train('train' in how)
        if 'bfloat16 weights' in how:
            model.bfloat16()
        return graphed(model) if 'graph' in how else model

    def _infer(self, model: nn.Module, x: Tensor, half: bool) -> Callable:
        """Return a forward pass; half-precision weights need no autocast."""
        x = x.bfloat16() if half else x

        def run() -> None:
            with torch.inference_mode():
                if half:
                    model(x)
                    return
                with self._autocast():
                    model(x)

        return run

    def _train(self, model: nn.Module, x: Tensor) -> Callable:
        """Return a training step without the optimizer."""

        def run() -> None:
            model.zero_grad(set_to_none=True)
            with self._autocast():
                y = model(x)
            y = y if isinstance(y, Tensor) else y[-1]
            y.float().square().mean().backward()

        return run

    def measure(self, build: Builder, frames: int, batch: int,
                how: str) -> Entry:
        """Return time and peak memory of a model."""
        model = self._build(build, frames, how)
        x = self._clip(batch, frames)
        if how == 'train':
            run = self._train(model, x)
        else:
            run = self._infer(model, x, 'bfloat16 weights' in how)
        return self.clock.measure(run)

    def run(self, suite: str, named: Tuple[str, Builder], frames: int,
            batch: int, how: str) -> bool:
        """Measure and store an entry; tell whether it could be measured."""
        name, build = named
        keys = dict(
            suite=suite, model=name, frames=frames, batch=batch, how=how)
        self.results.run(lambda: self.measure(build, frames, batch, how),
                         **keys)
        self.clock.free()
        return 'ms' in self.results.find(**keys)

    def suite_models(self) -> None:
        """Measure inference and training, batches of as many frames."""
        for arch in self.args.archs:
            _, _, total, lengths = self.scale.archs[arch]
            for frames in self.args.frames or lengths:
                for named in (*self.models.mambas(arch),
                              *self.models.others(arch)):
                    for how in ('inference', 'train'):
                        self.run('models', named, frames, total // frames, how)

    def suite_batch1(self) -> None:
        """Measure one clip at a time."""
        for arch in self.scale.single:
            if arch not in self.args.archs:
                continue
            named = [*self.models.mambas(arch), self.models.vit(arch)]
            for frames in self.args.frames or self.scale.frames:
                for each in named:
                    for how in ('inference', 'graph',
                                'graph, bfloat16 weights', 'train'):
                        self.run('batch1', each, frames, 1, how)

    def suite_length(self) -> None:
        """Measure inference of Ti up to many frames."""
        arch = 'Ti'
        for named in (*self.models.mambas(arch), self.models.vit(arch)):
            for total in (self.scale.total, None):
                for frames in self.args.frames or self.scale.lengths:
                    batch = total // frames if total else 1
                    if not self.run('length', named, frames, batch,
                                    'inference'):
                        break  # longer ones need more


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    suites = ['models', 'batch1', 'length']
    parser.add_argument('--suite', nargs='+', choices=suites, default=suites)
    parser.add_argument(
        '--archs', nargs='+', choices=list(FULL.archs), default=None)
    parser.add_argument(
        '--frames', nargs='+', type=int, help='only these lengths')
    args = parse(parser)
    if args.archs is None:
        args.archs = list((TINY if args.tiny else FULL).archs)
    init_default_scope('mmaction')
    results = Results(args.out / 'models_gpu.json', KEYS, args.device,
                      args.render)
    if not args.render:
        bench = Bench(args, results)
        for suite in args.suite:
            getattr(bench, f'suite_{suite}')()
    print(write(results, args.out))


if __name__ == '__main__':
    main()
