"""mmpretrain's inferencer: ours is healed, a model of the host left alone."""
from pathlib import Path
from typing import Any, List

import cv2
import mmpretrain.models  # noqa: F401
import numpy as np
import pytest
from mmengine.config import Config
from mmpretrain import (ImageClassificationInferencer, get_model,
                        inference_model)

from mmvideomamba.datasets.video import MediaError

SIZE = 32
STEPS = [
    dict(type='LoadImageFromFile', color_type='grayscale'),
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(SIZE, SIZE)),
    dict(type='PackInputs')
]
OURS = dict(
    type='mmvideomamba.VideoMamba',
    arch=dict(embed_dims=16, num_layers=1),
    img_size=SIZE,
    patch_size=16,
    num_frames=1)


def config(backbone: dict = OURS, channels: int = 16) -> Config:
    return Config(
        dict(
            default_scope='mmpretrain',
            model=dict(
                type='ImageClassifier',
                data_preprocessor=dict(mean=[9.] * 3, std=[50.] * 3),
                backbone=backbone,
                neck=dict(
                    type='GlobalAveragePooling') if channels != 16 else None,
                head=dict(
                    type='LinearClsHead', num_classes=3,
                    in_channels=channels)),
            test_dataloader=dict(
                dataset=dict(
                    type='mmvideomamba.CheckedImageFolder',
                    pipeline=STEPS[1:]))))


@pytest.fixture
def images(tmp_path: Path) -> List[str]:
    """Write two sound images, a cut image, and a text."""
    paths = []
    for name in ('a.jpg', 'b.png', 'c.jpg'):
        image = np.random.randint(0, 256, (40, 48, 3), np.uint8)
        paths.append(str(tmp_path / name))
        cv2.imwrite(paths[-1], image)
    content = Path(paths[2]).read_bytes()
    Path(paths[2]).write_bytes(content[:len(content) // 2])
    (tmp_path / 'd.txt').write_text('notes')
    return paths


@pytest.fixture
def inferencer() -> Any:
    return ImageClassificationInferencer(
        config(), pretrained=False, device='cpu', classes=['x', 'y', 'z'])


def test_list_folder_and_array(inferencer: Any, images: List[str],
                               tmp_path: Path, mm_log: List[str]) -> None:
    given = [Path(images[0]), images[1], cv2.imread(images[1]), images[2]]
    rows = inferencer(given, batch_size=3)
    np.testing.assert_allclose(
        rows[1]['pred_scores'], rows[2]['pred_scores'], atol=1e-6)
    assert rows[0]['pred_class'] == 'xyz'[rows[0]['pred_label']]
    assert sorted(rows[3]) == ['error', 'input']
    assert 'c.jpg is cut off' in rows[3]['error']
    assert '1 of 4 inputs cannot be read' in mm_log
    names = [Path(row['input']).name for row in inferencer(str(tmp_path))]
    assert names == ['a.jpg', 'b.png', 'c.jpg']


def test_scores_are_those_of_the_pipeline(inferencer: Any,
                                          images: List[str]) -> None:
    """The loading step of the config decides, as in a test."""
    cfg = config()
    cfg.test_dataloader.dataset.pipeline = [STEPS[0], *STEPS[2:]]
    grey = ImageClassificationInferencer(inferencer.model, device='cpu')
    grey.model._config = cfg
    grey = ImageClassificationInferencer(grey.model, device='cpu')
    sample = grey.image_inference.read(images[0])
    assert sample['inputs'].shape == (1, SIZE, SIZE)


def test_drawn_pictures(inferencer: Any, images: List[str],
                        tmp_path: Path) -> None:
    out = tmp_path / 'out'
    inferencer([images[0], images[2]], show_dir=str(out))
    assert [path.name for path in out.iterdir()] == ['a.png']
    samples = inferencer([images[0], images[2]], return_datasamples=True)
    assert ['pred_score' in one for one in samples] == [True, False]


@pytest.mark.parametrize('given, text', [
    ('gone.png', 'image gone.png does not exist'),
    (np.zeros((4, 5), np.uint8), r'shape \(4, 5\) is not an image'),
    (np.zeros((4, 5, 3)), 'dtype float64 is not an image; give uint8'),
    (None, 'an input is of type NoneType; give the path of an image'),
    ([], 'the list is empty'),
])
def test_bad_input(inferencer: Any, given: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        inferencer(given)


def test_folder_without_images(inferencer: Any, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match='holds no image'):
        inferencer(str(tmp_path))


def test_camera(inferencer: Any, images: List[str],
                monkeypatch: pytest.MonkeyPatch) -> None:
    """One frame is read from the camera, here a stand-in with a file."""
    capture = cv2.VideoCapture
    monkeypatch.setattr(cv2, 'VideoCapture', lambda n: capture(images[1]))
    camera, file = inferencer([0, images[1]])
    np.testing.assert_allclose(
        camera['pred_scores'], file['pred_scores'], atol=1e-2)


def test_names(tmp_path: Path) -> None:
    path = tmp_path / 'names.txt'
    path.write_text('a\nb\nc\n')
    cfg = dict(model=config(), pretrained=False, device='cpu')
    found = ImageClassificationInferencer(classes=str(path), **cfg)
    assert found.classes == ['a', 'b', 'c']
    with pytest.raises(ValueError, match='classes has 2 names, but .* has 3'):
        ImageClassificationInferencer(classes=['a', 'b'], **cfg)


def test_inference_model(images: List[str], tmp_path: Path) -> None:
    path = tmp_path / 'config.py'
    config().dump(path)
    model = get_model(config(), device='cpu')
    for given in (model, config(), str(path)):
        found = inference_model(given, images[0], classes=list('abc'))
        with pytest.raises(ValueError, match='2 images are given'):
            inference_model(given, images[:2])
        assert found['pred_class'] in 'abc'


def test_model_of_the_host_is_left_alone(images: List[str]) -> None:
    cfg = config(dict(type='ResNet_CIFAR', depth=18, base_channels=4), 32)
    inferencer = ImageClassificationInferencer(
        cfg, pretrained=False, device='cpu', classes=['a'] * 3)
    row, = inferencer(images[0])
    assert sorted(row) == [
        'pred_class', 'pred_label', 'pred_score', 'pred_scores'
    ]
    with pytest.raises(FileNotFoundError):
        inferencer([images[0], 'gone.png'])
    with pytest.raises(AttributeError):
        inference_model(cfg, images[0])
