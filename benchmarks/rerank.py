"""Time the judge of video-text retrieval, now and before.

    python benchmarks/rerank.py --device cuda \
        --out benchmarks/results/rerank.md

The model of a config, with random weights, gets random visual tokens and
random words; of the nearest candidates of each video and of each text, by
random features, each pair is judged once, as in an evaluation. The judge of
``rerank_base.py`` is timed in the same run. The encoder of the videos is
timed apart, on random clips.
"""
import argparse
import platform
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Sequence

import mmvideomamba  # isort: skip  # noqa: F401  heals the hosts, goes first
import torch
from cpu_models import cpu_name, show
from gpu_common import device_name, versions
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from rerank_base import PAIR_BATCH, BaseScorer
from torch import Tensor

from mmvideomamba.models.multimodal import (RetrievalScorer, RetrievalScores,
                                            TextBatch)

FOLDER = Path(__file__).parents[1] / 'configs/retrieval'
CONFIGS = dict(
    quickstart='quickstart/retrieval-videomamba-micro_scratch_1xb32-u4-8e_'
    'quickstart-captions.py',
    published='videomamba-middle_umt-25m-pre_8xb64-u8-2e_msrvtt.py')
TINY = [
    '--size', 'quickstart', '--videos', '12', '--texts', '20', '--topk', '4',
    '--encode', '3', '--clips', '2', '--pair-batches', '16', '--words', '3-9'
]


class Judged(NamedTuple):
    """What a judge found, and how long it took.

    Args:
        scores (RetrievalScores): The scores.
        pairs (int): Judged pairs.
        texts (float): Seconds of the encoder of the texts.
        seconds (float): Seconds of the judge.
        memory (float): Peak memory of the judge on the GPU, GiB; 0 on a CPU.
    """
    scores: RetrievalScores
    pairs: int
    texts: float
    seconds: float
    memory: float


class Bench:
    """A model with random words and visual tokens of a set.

    Args:
        args (argparse.Namespace): Of the command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        torch.manual_seed(0)
        self.args, self.device = args, torch.device(args.device)
        cfg = Config.fromfile(FOLDER / CONFIGS[args.size])
        init_default_scope(cfg.default_scope)
        model: Any = MODELS.build(cfg.model).eval().to(self.device)
        backbone = model.vision_encoder.backbone
        self.model, self.backbone = model, backbone
        self.shape = (backbone.num_frames * (backbone.pos_embed.shape[1] - 1),
                      backbone.embed_dims)
        self.tokens = torch.randn(args.videos, *self.shape)
        width = model.text_proj.out_features
        self.features = torch.randn(args.videos, backbone.num_frames, width)
        self.text_features = torch.randn(args.texts, width)
        self.longest = model.tokenizer.max_length
        self.ids = torch.randint(model.text_encoder.config.vocab_size,
                                 (args.texts, self.longest))

    def draw_lengths(self, words: str) -> None:
        """Give the texts lengths, evenly drawn from '6-18' or the like."""
        least, most = (min(int(x), self.longest) for x in words.split('-'))
        drawn = torch.Generator().manual_seed(0)
        lengths = torch.randint(
            least, most + 1, (len(self.ids), 1), generator=drawn)
        mask = (torch.arange(self.longest) < lengths).long()

        def tokenize(texts: Sequence[str]) -> TextBatch:
            rows = [int(text) for text in texts]
            return TextBatch(self.ids[rows].to(self.device),
                             mask[rows].to(self.device))

        self.model.tokenize = tokenize

    @contextmanager
    def autocast(self, dtype: str) -> Iterator[None]:
        """Compute in a dtype, without autocast in float32."""
        with torch.no_grad(), torch.autocast(
                self.device.type, torch.bfloat16, enabled=dtype == 'bfloat16'):
            yield

    def time(self, run: Callable[[], Any]) -> tuple:
        """Return what a call returns, and the seconds."""
        self.wait()
        start = time.perf_counter()
        found = run()
        self.wait()
        return found, time.perf_counter() - start

    def wait(self) -> None:
        """Wait for the device."""
        if self.device.type == 'cuda':
            torch.cuda.synchronize()

    def fill(self, scorer: RetrievalScorer, videos: int) -> None:
        """Give a scorer the tokens and features of the first videos."""
        scorer.features = dict(enumerate(self.features[:videos]))
        if isinstance(scorer, BaseScorer):
            half = torch.is_autocast_enabled(self.device.type)
            tokens = self.tokens[:videos]
            scorer.plain = dict(
                enumerate(tokens.bfloat16() if half else tokens))
            return
        for video, tokens in enumerate(self.tokens[:videos]):
            scorer.tokens.put(video, tokens.to(self.device))

    def judge(self, make: Callable[..., RetrievalScorer], dtype: str,
              videos: int, **kwargs: Any) -> Judged:
        """Run a judge on the first videos and all texts."""
        names = [str(i) for i in range(self.args.texts)]
        scorer: Any = make(self.model, topk=self.args.topk, **kwargs)
        encode, judge = scorer._encode_texts, scorer._judge
        notes: Dict[str, Any] = {}

        def encode_texts(texts: Sequence[str]) -> tuple:
            (states, _), notes['texts'] = self.time(lambda: encode(texts))
            # The same pairs are then nearest for each judge.
            return states, self.text_features

        def judge_pairs(wanted: Tensor, states: Any) -> Tensor:
            if self.device.type == 'cuda':
                torch.cuda.reset_peak_memory_stats()
            found, notes['seconds'] = self.time(lambda: judge(wanted, states))
            notes.update(pairs=int(wanted.sum()), memory=0.)
            if self.device.type == 'cuda':
                notes['memory'] = torch.cuda.max_memory_allocated() / 2**30
            return found

        scorer._encode_texts, scorer._judge = encode_texts, judge_pairs
        with self.autocast(dtype):
            self.fill(scorer, videos)
            return Judged(scorer.score(names), **notes)

    def encode(self, dtype: str) -> float:
        """Return the seconds of the encoder for one video."""
        _, height, width = self.backbone.grid
        side = self.backbone.patch_embed.kernel_size[1]
        clips = torch.randn(self.args.clips, 3, self.backbone.num_frames,
                            height * side, width * side).to(self.device)
        scorer = RetrievalScorer(self.model, topk=self.args.topk)
        count = -(-self.args.encode // self.args.clips)

        def run(batches: int) -> None:
            for i in range(batches):
                first = i * self.args.clips
                scorer.add_videos(clips, range(first, first + len(clips)))

        with self.autocast(dtype):
            run(1)
            return self.time(lambda: run(count))[1] / (count * self.args.clips)


def compare(found: RetrievalScores, base: RetrievalScores) -> Dict[str, float]:
    """Compare the logits of two judges, and the order of the candidates.

    Args:
        found (RetrievalScores): Of the judge.
        base (RetrievalScores): Of the other judge, for the same pairs.

    Returns:
        dict[str, float]: ``worst``, the largest difference of a logit, and
        ``spread``, the standard deviation of the logits; ``first`` and
        ``order``, the shares of queries with the same first candidate and
        with the same order of all candidates.
    """
    ways = [(found.v2t, base.v2t), (found.t2v, base.t2v)]
    ranked = base.v2t != -100
    assert ranked.equal(found.v2t != -100)
    first, order = [], []
    for one, other in ways:
        orders = [
            x.sort(dim=1, descending=True, stable=True).indices
            for x in (one, other)
        ]
        same = orders[0] == orders[1]
        first.append(same[:, 0])
        order.append(same.all(1))
    return dict(
        worst=float((found.v2t - base.v2t).abs().max()),
        spread=float(base.v2t[ranked].std()),
        first=float(torch.cat(first).float().mean()),
        order=float(torch.cat(order).float().mean()))


def measure(bench: Bench) -> List[Dict[str, Any]]:
    """Time all judges on all lengths of texts and dtypes."""
    args, rows = bench.args, []
    for words in args.words:
        bench.draw_lengths(words)
        for dtype in args.dtypes:
            few = min(args.videos, 16)
            bench.judge(BaseScorer, dtype, few)
            base = bench.judge(BaseScorer, dtype, args.videos)
            rows.append(row('base', words, dtype, PAIR_BATCH, 'cpu', base))
            first = args.pair_batches[0]
            runs: List[tuple] = [(size, 'cpu', None)
                                 for size in args.pair_batches]
            runs += [(first, storage, None) for storage in args.storages]
            if dtype == 'float32':
                runs.append((first, 'cpu', 'bfloat16'))
            for size, storage, waiting in runs:
                case = dict(
                    dtype=dtype,
                    pair_batch=size,
                    storage=storage,
                    token_dtype=waiting,
                    progress=False)
                if waiting:
                    storage = f'{storage}, {waiting}'
                bench.judge(RetrievalScorer, videos=few, **case)
                found = bench.judge(
                    RetrievalScorer, videos=args.videos, **case)
                rows.append(
                    dict(
                        row('now', words, dtype, size, storage, found),
                        ratio=base.seconds / found.seconds,
                        **compare(found.scores, base.scores)))
    return rows


def row(judge: str, words: str, dtype: str, pair_batch: int, storage: str,
        found: Judged) -> Dict[str, Any]:
    """Describe a run, and print the description."""
    entry = dict(
        judge=judge,
        words=words,
        dtype=dtype,
        pair_batch=pair_batch,
        storage=storage,
        **{
            k: v
            for k, v in found._asdict().items() if k != 'scores'
        })
    print(entry, flush=True)
    return entry


def table(rows: List[Dict[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table."""
    yield ('| word pieces | dtype | judge | pairs at a time | tokens wait on '
           '| texts s | judge s | ratio | peak GiB | largest difference | '
           'spread | same first | same order |')
    yield '|' + '---|' * 13
    for entry in rows:
        cells = [
            entry['words'], entry['dtype'], entry['judge'],
            entry['pair_batch'], entry['storage'], f'{entry["texts"]:.2f}',
            f'{entry["seconds"]:.2f}'
        ]
        if 'ratio' in entry:
            cells += [
                f'{entry["ratio"]:.2f}', f'{entry["memory"]:.2f}',
                f'{entry["worst"]:.1e}', f'{entry["spread"]:.1e}',
                f'{entry["first"]:.1%}', f'{entry["order"]:.1%}'
            ]
        else:
            cells += ['', f'{entry["memory"]:.2f}', '', '', '', '']
        yield '| ' + ' | '.join(map(str, cells)) + ' |'


def parse(argv: List[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--size', choices=CONFIGS, default='published')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--videos', type=int, default=1000)
    parser.add_argument('--texts', type=int, default=1000)
    parser.add_argument('--topk', type=int, default=128)
    parser.add_argument(
        '--words',
        nargs='+',
        default=['6-18', '32-32'],
        help='least and most word pieces of a text')
    parser.add_argument('--dtypes', nargs='+', default=['float32', 'bfloat16'])
    parser.add_argument(
        '--pair-batches',
        type=int,
        nargs='+',
        default=[1024],
        help='pairs judged at a time; the first with all storages')
    parser.add_argument(
        '--storages',
        nargs='*',
        default=['disk'],
        help="where tokens wait, besides 'cpu'")
    parser.add_argument(
        '--encode', type=int, default=0, help='videos for the encoder')
    parser.add_argument(
        '--clips', type=int, default=16, help='videos encoded at a time')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--out', type=Path, help='markdown file to write')
    parser.add_argument(
        '--tiny', action='store_true', help='tiny sizes, to try the script')
    args = parser.parse_args(argv)
    return parser.parse_args([*TINY, *argv]) if args.tiny else args


def main(argv: List[str]) -> None:
    """Measure, and write the report."""
    args = parse(argv)
    torch.set_num_threads(args.threads)
    bench = Bench(args)
    rows = measure(bench)
    encoded = {}
    if args.encode:
        encoded = {dtype: bench.encode(dtype) for dtype in args.dtypes}
    config = bench.model.text_encoder.config
    machine = (
        device_name(args.device) if bench.device.type == 'cuda' else
        f'{cpu_name()}, threads: {args.threads}')
    lines = [
        '# The judge of video-text retrieval', '',
        f'    python benchmarks/rerank.py {" ".join(argv)}', '',
        f'{machine}; ' + ', '.join(f'{k} {v}' for k, v in versions().items()) +
        f'; {platform.system()}; {time.strftime("%Y-%m-%d")}. One run each.',
        '', f'Judge of `{CONFIGS[args.size]}`: '
        f'{config.num_hidden_layers - config.fusion_layer} layers of '
        f'{config.hidden_size} channels, {bench.shape[0]} visual tokens of '
        f'{bench.shape[1]} channels, at most {bench.longest} word pieces. '
        f'{args.videos} videos, {args.texts} texts, {args.topk} nearest '
        f'candidates of each: {rows[0]["pairs"]} pairs. Lengths of texts are '
        "evenly drawn. 'base' is the judge of commit f1f338f, see "
        '`benchmarks/rerank_base.py`; differences and order are against its '
        'scores in the same dtype, ratio is its time over the time here. '
        'bfloat16 is autocast.', '', *table(rows)
    ]
    if encoded:
        lines += [
            '', '| encoder | ms per video | s for all |', '|---|---|---|'
        ]
        lines += [
            f'| {dtype} | {1e3 * x:.2f} | {args.videos * x:.1f} |'
            for dtype, x in encoded.items()
        ]
    show(lines, args.out)


if __name__ == '__main__':
    import sys
    main(sys.argv[1:])
