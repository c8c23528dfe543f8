"""Sets and trainings of motion_noise.py, in order of weight."""
import re
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from mmengine.config import Config

from mmvideomamba.config_edit import edit, insert
from mmvideomamba.datasets.preparation import NoiseSettings

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / 'configs/motion_noise'
KINDS = 'videomamba-tiny12-tube2_1xb128-d16-4e_motion-kinds.py'
SHAPES = 'videomamba-tiny12-tube2_1xb128-d16-6e_motion-shapes.py'
SMALL = 'videomamba-micro-tube2_1xb16-d8-3e_motion-kinds-small.py'
VIT = 'vit-tiny12-tube2_1xb128-d16-4e_motion-kinds.py'
ORDERS = ('spatial_first', 'temporal_first', 'spatiotemporal_v1')
# Orders of the frames in a test.
ORDERED, SHUFFLED = 'ordered', 'shuffled'
# First step sizes and weights of the quickstart, in the place of the published
# ones: the class token hears more tokens from the first step on.
QUICK_START: Dict[str, Any] = dict(
    dt_init_range=(0.005, 0.2),
    init_cfg=dict(
        type='Normal',
        std=0.1,
        override=[dict(name=x) for x in ('in_proj', 'x_proj', 'x_proj_b')]))


class Row(NamedTuple):
    """A training and its tests.

    Args:
        name (str): Without the seed.
        part (str): 'table', 'control', 'shapes', 'length', 'resume' or
            'speed'.
        config (str): File in configs/motion_noise.
        data (str): A key of the sets.
        epochs (int): Of the training.
        seed (int): Of the training.
        backbone (dict): Changes of the backbone.
        frames (int): Frames of a clip for the model.
        start (str): Key of the row whose weights are the first, '' for none.
        shuffled (bool): Whether to train on shuffled frames.
        tests (tuple[str, ...]): Of ``ORDERED`` and ``SHUFFLED``.
    """
    name: str
    part: str
    config: str
    data: str
    epochs: int
    seed: int = 0
    backbone: Dict[str, Any] = {}
    frames: int = 16
    start: str = ''
    shuffled: bool = False
    tests: Tuple[str, ...] = (ORDERED, )

    @property
    def key(self) -> str:
        """Name of the working folder and of the result."""
        words = re.sub(r'[^\w-]+', '', self.name.replace(' ', '-'))
        return f'{words}_{self.data}_{self.epochs}e_seed{self.seed}'


class Plan(NamedTuple):
    """Everything to run.

    Args:
        sets (dict[str, NoiseSettings]): Sets by name.
        rows (list[Row]): Trainings, the most important first; the row of
            ``start`` comes before.
        small (dict): Options merged into each config, for a trial.
        probe (str): The set of the linear probes.
    """
    sets: Dict[str, NoiseSettings]
    rows: List[Row]
    small: Dict[str, Any]
    probe: str


def main_rows(epochs: int, seed: int) -> List[Row]:
    """Return the rows of tubelets, scan orders and ViT, of a seed."""
    rows = []
    for tubelet in (2, 1):
        for order in ORDERS:
            rows.append(
                Row(f'VideoMamba, tubelet {tubelet}, {order}',
                    'table',
                    KINDS,
                    'kinds',
                    epochs,
                    seed,
                    dict(tubelet_size=tubelet, scan_order=order),
                    tests=(ORDERED, SHUFFLED)))
        rows.append(
            Row(f'ViT, tubelet {tubelet}',
                'table',
                VIT,
                'kinds',
                epochs,
                seed,
                dict(tubelet_size=tubelet),
                tests=(ORDERED, SHUFFLED)))
    return rows


def first_weight_rows(epochs: int) -> List[Row]:
    """Return the rows of the quickstart's first weights, of seed 0."""
    return [
        Row(f"VideoMamba, tubelet {tubelet}, quickstart's first weights",
            'table',
            KINDS,
            'kinds',
            epochs,
            backbone=dict(tubelet_size=tubelet, mixer_cfg=QUICK_START),
            tests=(ORDERED, SHUFFLED)) for tubelet in (2, 1)
    ]


def controls(epochs: int) -> List[Row]:
    """Return the trainings on a frame, and on shuffled frames."""
    return [
        Row('one frame',
            'control',
            KINDS,
            'kinds',
            epochs,
            backbone=dict(num_frames=1, tubelet_size=1),
            frames=1),
        Row('trained on shuffled frames',
            'control',
            KINDS,
            'kinds',
            epochs,
            shuffled=True,
            tests=(ORDERED, SHUFFLED)),
    ]


def shape_row(name: str,
              data: str,
              epochs: int,
              seed: int = 0,
              start: str = '') -> Row:
    """Return a training on letters.

    Args:
        name (str): Without the seed.
        data (str): A key of the sets.
        epochs (int): Of the training.
        seed (int): Of the training. Defaults to 0.
        start (str): Key of the row whose weights are the first. Defaults to
            '', none.

    Returns:
        Row: Tested on shuffled frames as well if the set is the last one.
    """
    tests = (ORDERED, SHUFFLED) if data == 'shapes' else (ORDERED, )
    return Row(
        name, 'shapes', SHAPES, data, epochs, seed, start=start, tests=tests)


def curriculum(words: str,
               stages: Sequence[str],
               start: str,
               epochs: int,
               seed: int = 0) -> List[Row]:
    """Return the trainings of a way to letters in stages.

    Args:
        words (str): Name of the way.
        stages (Sequence[str]): Sets before the last one, each for half of the
            epochs.
        start (str): Key of the row whose weights are the first.
        epochs (int): Of the last stage.
        seed (int): Of all stages. Defaults to 0.

    Returns:
        list[Row]: A row for each stage.
    """
    rows: List[Row] = []
    for number, data in enumerate(stages, 1):
        rows.append(
            shape_row(f'shapes, {words}, stage {number}', data,
                      max(1, epochs // 2), seed, start))
        start = rows[-1].key
    return [
        *rows,
        shape_row(f'shapes, after {words}', 'shapes', epochs, seed, start)
    ]


def speed_rows() -> List[Row]:
    """Return trainings to be run alone, for speed and waits."""
    return [
        Row(f'{words}, tubelet {tubelet}, alone',
            'speed',
            config,
            'kinds',
            2,
            backbone=dict(tubelet_size=tubelet),
            tests=()) for tubelet in (2, 1)
        for words, config in (('VideoMamba', KINDS), ('ViT', VIT))
    ]


def length_rows(lengths: Sequence[int],
                epochs: int,
                start: str = '',
                config: str = KINDS) -> List[Row]:
    """Return trainings on parts of long videos, and on whole ones.

    Args:
        lengths (Sequence[int]): Frames of a clip.
        epochs (int): Of each training.
        start (str): Key of the row whose weights are the first; the embedding
            of the frames is resized. Defaults to '', none.
        config (str): Of the model. Defaults to ``KINDS``.

    Returns:
        list[Row]: A row for each length.
    """
    return [
        Row(f'{frames} frames',
            'length',
            config,
            'kinds_long',
            epochs,
            backbone=dict(num_frames=frames),
            frames=frames,
            start=start) for frames in lengths
    ]


def resume_rows(data: str) -> List[Row]:
    """Return a training twice; the second is killed and resumed."""
    return [
        Row(f'resume, {way}', 'resume', KINDS, data, 3, tests=())
        for way in ('whole', 'killed')
    ]


def full_plan(kind_epochs: int, shape_epochs: int) -> Plan:
    """Return the plan for a GPU."""
    letters = dict(train=10000, val=500, test=1000)
    sets = dict(
        kinds=NoiseSettings('kinds', 20016, 900, 1800),
        shapes=NoiseSettings('shapes', 20000, 1000, 2000),
        resume=NoiseSettings('kinds', 5184, 90, 90),
        kinds_long=NoiseSettings(
            'kinds', 10008, 450, 900, frames=64, coherence=0.5),
        shapes_one_way=NoiseSettings(
            'shapes', 20000, 500, 1000, directions=('right', )),
        shapes_cell2=NoiseSettings('shapes', cell=2, **letters),
        shapes_white50=NoiseSettings('shapes', appearance=0.5, **letters),
        shapes_white20=NoiseSettings('shapes', appearance=0.2, **letters),
        shapes_still=NoiseSettings('shapes', ground='still', **letters))
    tables = [main_rows(kind_epochs, seed) for seed in range(3)]
    best, *others = tables[0]
    rows = [
        best, tables[1][0], tables[2][0], *controls(kind_epochs), *others,
        *resume_rows('resume')
    ]
    one_way = [
        curriculum('one way', ['shapes_one_way'], tables[seed][0].key,
                   shape_epochs, seed) for seed in range(3)
    ]
    rows += one_way[0]
    rows += length_rows((8, 16, 32, 64), kind_epochs, best.key)
    rows += [
        shape_row('shapes, at once', 'shapes', shape_epochs),
        # As many steps as both stages of one way.
        shape_row(
            'shapes, after motion',
            'shapes',
            3 * shape_epochs // 2,
            start=best.key),
        # Blind, or slow? The published tubelet and order, for longer.
        others[3]._replace(epochs=2 * kind_epochs)
    ]
    rows += first_weight_rows(kind_epochs) + one_way[1] + one_way[2]
    rows += tables[1][1:] + tables[2][1:]
    for words, stages in (('still ground', ['shapes_still']),
                          ('appearance', ['shapes_white50', 'shapes_white20']),
                          ('large cells', ['shapes_cell2'])):
        rows += curriculum(words, stages, best.key, shape_epochs)
    return Plan(sets, rows + speed_rows(), {}, 'kinds')


def cpu_plan() -> Plan:
    """Return the lengths for two cores: a micro model, four classes."""
    sets = dict(
        kinds_long=NoiseSettings(
            'kinds',
            2400,
            200,
            400,
            frames=64,
            size=32,
            classes=('left', 'right', 'left_then_right', 'right_then_left')))
    rows = length_rows((8, 16, 32, 64), 4, config=SMALL)
    return Plan(sets, rows, {}, 'kinds_long')


def smoke_plan() -> Plan:
    """Return a plan of the same kinds of rows, tiny, for a CPU."""
    few: Dict[str, Any] = dict(
        train=8,
        val=4,
        test=8,
        size=32,
        frames=4,
        classes=('left', 'right', 'up', 'down'))
    letters = dict(few, classes=('L', 'T'))
    sets = dict(
        kinds=NoiseSettings('kinds', **few),
        shapes=NoiseSettings('shapes', **letters),
        shapes_one_way=NoiseSettings(
            'shapes', directions=('right', ), **letters))
    first, *_, vit = main_rows(1, 0)[:4]
    rows = [
        first, vit,
        controls(1)[0],
        *curriculum('one way', ['shapes_one_way'], first.key, 1),
        *resume_rows('kinds')
    ]
    small = {
        'embed_dims': 24,
        'num_layers': 1,
        'img_size': 32,
        'train_dataloader.batch_size': 4,
    }
    rows = [r if r.frames == 1 else r._replace(frames=4) for r in rows]
    return Plan(sets, rows, small, 'kinds')


def row_config(row: Row, plan: Plan, data_root: Path,
               shuffled: bool) -> Config:
    """Return the config of a training or a test.

    Args:
        row (Row): The row.
        plan (Plan): The plan of the row.
        data_root (Path): Folder of the sets.
        shuffled (bool): Whether frames are shuffled.

    Returns:
        Config: For tools/train.py and for a runner.
    """
    cfg = Config.fromfile(FOLDER / row.config)
    settings = plan.sets[row.data]
    folder = data_root / row.data
    cfg.model.backbone.update(num_frames=row.frames)
    cfg.model.backbone.update(row.backbone)
    cfg.model.cls_head.num_classes = len(settings.names)
    for part in ('train', 'val', 'test'):
        cfg[f'{part}_dataloader'].dataset.update(
            data_root=str(folder),
            num_classes=len(settings.names),
            metainfo=dict(classes=str(folder / 'classes.txt')))
    edit(cfg, '*_pipeline', 'SampleFrames', clip_len=row.frames)
    # A test sees the whole video, in several clips of a shorter model.
    if row.frames > 1:
        edit(
            cfg,
            'test_pipeline',
            'SampleFrames',
            num_clips=max(1, settings.frames // row.frames))
    if shuffled:
        shuffle = dict(type='mmvideomamba.ShuffleFrames')
        insert(cfg, '*_pipeline', shuffle, after='mmvideomamba.DecodeFrames')
    set_schedule(cfg, row)
    set_small(cfg, plan.small)
    return cfg


def set_schedule(cfg: Config, row: Row) -> None:
    """Set length, seed and checkpoints of a training."""
    warm_up = 1 if row.epochs > 1 else 0
    cfg.train_cfg.max_epochs = row.epochs
    edit(cfg, 'param_scheduler', 'LinearLR', end=max(warm_up, 1))
    edit(
        cfg,
        'param_scheduler',
        'CosineAnnealingLR',
        begin=warm_up,
        end=row.epochs,
        T_max=row.epochs - warm_up)
    if not warm_up:
        cfg.param_scheduler = cfg.param_scheduler[1:]
    cfg.randomness = dict(seed=row.seed, deterministic=row.part == 'resume')
    cfg.default_hooks.checkpoint.update(max_keep_ckpts=1, save_best=None)
    cfg.default_hooks.logger.interval = 10


def set_small(cfg: Config, options: Dict[str, Any]) -> None:
    """Make model and loaders as small as a trial asks."""
    if not options:
        return
    options = dict(options)
    dims, depth = options.pop('embed_dims'), options.pop('num_layers')
    backbone = cfg.model.backbone
    backbone.img_size = side = options.pop('img_size')
    edit(cfg, ['val_pipeline', 'test_pipeline'], 'Resize', scale=(side, side))
    if 'arch' in backbone:
        backbone.arch = dict(embed_dims=dims, num_layers=depth)
    else:
        backbone.update(embed_dims=dims, depth=depth, num_heads=2)
    cfg.model.cls_head.in_channels = dims
    for part in ('train', 'val', 'test'):
        cfg[f'{part}_dataloader'].update(
            num_workers=0, persistent_workers=False)
    # bfloat16 is slow on a CPU.
    cfg.optim_wrapper.pop('dtype')
    cfg.optim_wrapper.type = 'OptimWrapper'
    cfg.merge_from_dict(options)
