"""Time the judge of video-text retrieval on 1000 videos and 1000 texts.

    python benchmarks/rerank.py --out benchmarks/results/rerank.md

The model of a config, with random weights, gets random visual tokens and
random words of the longest length; of the nearest candidates of each video
and of each text it judges every pair once, as an evaluation does. Timed is
the judge alone, by processor time, so that other load on the machine does
not show.
"""
import argparse
import platform
import resource
import time
from pathlib import Path
from typing import Dict, List

import mmvideomamba  # isort: skip  # heals the hosts, goes first
import torch
import transformers
from cpu_models import cpu_name, show
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from mmvideomamba.models import VideoTextModel
from mmvideomamba.models.multimodal import RetrievalScorer, TextBatch

FOLDER = Path(__file__).parents[1] / 'configs/retrieval'
CONFIGS = dict(
    quickstart='quickstart/retrieval-videomamba-micro_scratch_1xb30-u8-25e_'
    'quickstart-captions.py',
    published='videomamba-middle_umt-25m-pre_8xb64-u8-2e_msrvtt.py')


class TimedScorer(RetrievalScorer):
    """Note how many pairs are judged, and how long it takes."""

    def _judge(self, wanted: torch.Tensor, *texts: torch.Tensor) -> object:
        wall, processor = time.perf_counter(), time.process_time()
        logits = super()._judge(wanted, *texts)
        self.pairs = int(wanted.sum())
        self.wall = time.perf_counter() - wall
        self.processor = time.process_time() - processor
        return logits


def build(name: str) -> VideoTextModel:
    """Build the model of a config, with a tokenizer that draws words."""
    cfg = Config.fromfile(FOLDER / CONFIGS[name])
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model).eval()
    words = model.text_encoder.config.vocab_size
    length = model.tokenizer.max_length

    def draw(texts: List[str]) -> TextBatch:
        ids = torch.randint(words, (len(texts), length))
        return TextBatch(ids, torch.ones_like(ids))

    model.tokenize = draw
    return model


def fill(scorer: RetrievalScorer, videos: int) -> List[int]:
    """Give a scorer random videos; return the shape of their tokens."""
    model = scorer.model
    backbone = model.vision_encoder.backbone
    frames = backbone.num_frames
    shape = [frames * (backbone.pos_embed.shape[1] - 1), backbone.embed_dims]
    for i in range(videos):
        scorer.tokens[i] = torch.randn(shape)
        scorer.features[i] = torch.randn(frames, model.text_proj.out_features)
    return shape


def measure(name: str, topks: List[int], args: argparse.Namespace,
            model: VideoTextModel) -> List[Dict[str, object]]:
    """Time the judge for some numbers of candidates."""
    rows = []
    for topk in topks:
        torch.manual_seed(0)
        scorer = TimedScorer(
            model, topk=topk, pair_batch=args.pair_batch, progress=False)
        shape = fill(scorer, args.videos)
        scorer.score([''] * args.texts)
        rows.append(
            dict(
                name=name,
                topk=topk,
                shape=shape,
                pairs=scorer.pairs,
                wall=scorer.wall,
                processor=scorer.processor))
        print(rows[-1])
    return rows


def describe(model: VideoTextModel, name: str, shape: List[int]) -> str:
    """Say how large the judge is."""
    config = model.text_encoder.config
    layers = config.num_hidden_layers - config.fusion_layer
    return (f'`{name}` ({CONFIGS[name]}): {layers} layers of '
            f'{config.hidden_size} channels, {model.tokenizer.max_length} '
            f'words, {shape[0]} visual tokens of {shape[1]} channels.')


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    for name, topks in dict(quickstart=[128, 1000], published=[1, 4]).items():
        parser.add_argument(
            f'--{name}',
            type=int,
            nargs='*',
            default=topks,
            help='candidates of each query')
    parser.add_argument('--videos', type=int, default=1000)
    parser.add_argument('--texts', type=int, default=1000)
    parser.add_argument('--pair-batch', type=int, default=64)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--out', type=Path, help='markdown file to write')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows, sizes = [], []
    for name in CONFIGS:
        if not getattr(args, name):
            continue
        model = build(name)
        found = measure(name, getattr(args, name), args, model)
        sizes.append(describe(model, name, found[0]['shape']))
        rows += found
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    cases = ' '.join(f'--{name} ' + ' '.join(map(str, getattr(args, name)))
                     for name in CONFIGS if getattr(args, name))
    lines = [
        f'Command: `python benchmarks/rerank.py {cases} --videos '
        f'{args.videos} --texts {args.texts} --pair-batch {args.pair_batch} '
        f'--threads {args.threads}`', '',
        f'{cpu_name()}, threads: {args.threads}, float32; mmvideomamba '
        f'{mmvideomamba.__version__}, torch {torch.__version__}, transformers '
        f'{transformers.__version__}, Python {platform.python_version()}; '
        f'{time.strftime("%Y-%m-%d")}. {args.videos} videos and {args.texts} '
        'texts, random features and words, one run each. Time of the judge, '
        'without the encoders; a pair that both directions need is judged '
        f'once. Peak memory of the process {peak:.1f} GiB.', '', *sizes, '',
        '| judge | candidates of each query | pairs judged | processor s | '
        'wall s | ms per pair |', '|---|---|---|---|---|---|'
    ]
    for row in rows:
        lines.append(f'| {row["name"]} | {row["topk"]} | {row["pairs"]} | '
                     f'{row["processor"]:.1f} | {row["wall"]:.1f} | '
                     f'{1e3 * row["processor"] / row["pairs"]:.2f} |')
    show(lines, args.out)


if __name__ == '__main__':
    main()
