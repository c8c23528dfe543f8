"""Tool, inferencer and function score a video alike, on the same views."""
from pathlib import Path
from typing import Any, Callable

import mmengine
import numpy as np
import pytest
import torch
from mmaction.apis import (MMAction2Inferencer, inference_recognizer,
                           init_recognizer)
from mmengine.config import Config
from script import load_script
from tiny_recipes import RECIPES, recipe, save_model

from mmvideomamba.command_line import build_runner, load_config
from mmvideomamba.evaluation.video_metrics import merge_windows
from mmvideomamba.inference import predict

FRAMES, FPS = 30, 10.
# Views besides 'all', by default 'one': clips, and windows of LVU.
FEWER = dict(kinetics=2, lvu=2)
TOOL = load_script('tools/test.py')


def tool_scores(cfg: Config, checkpoint: str, views: Any) -> np.ndarray:
    """Return the scores of the video written by ``tools/test.py``."""
    path = Path(cfg.work_dir, 'config.py')
    path.parent.mkdir(exist_ok=True)
    cfg.dump(path)
    args = TOOL.build_parser().parse_args([
        str(path), checkpoint, '--dump', f'{path}.pkl', '--views',
        str(views)
    ])
    cfg = load_config(args)
    TOOL.merge_args(cfg, args)
    build_runner(cfg).test()
    found = [
        dict(
            video=one.get('video_id'),
            window=one.get('timestamp'),
            pred=one['pred_score'].numpy(),
            label=0) for one in mmengine.load(f'{path}.pkl')
    ]
    one, = merge_windows(found)
    return one['pred']


@pytest.fixture
def video(make_video: Callable[..., Path]) -> Path:
    return make_video(frames=FRAMES, fps=FPS)


@pytest.mark.parametrize('name', list(RECIPES))
def test_same_scores(name: str, video: Path, tmp_path: Path,
                     monkeypatch: pytest.MonkeyPatch) -> None:
    """All agree on all views and on fewer, and the two choices differ."""
    monkeypatch.setenv('LOCAL_RANK', '0')
    cfg = recipe(name, tmp_path, video, FRAMES / FPS)
    checkpoint = save_model(cfg, tmp_path / 'model.pth')
    model = init_recognizer(cfg, checkpoint, device='cpu')
    counts = []
    extract = type(model).extract_feat

    def count(self: Any, inputs: torch.Tensor, *args: Any,
              **kwargs: Any) -> Any:
        counts.append(inputs.shape[:2].numel())
        return extract(self, inputs, *args, **kwargs)

    found = {}
    fewer = FEWER.get(name, 'one')
    for views in ('all', fewer):
        expected = tool_scores(cfg, checkpoint, views)
        with monkeypatch.context() as patch:
            patch.setattr(type(model), 'extract_feat', count)
            result = inference_recognizer(model, str(video), views=views)
        np.testing.assert_allclose(result.pred_score, expected, atol=1e-5)
        assert sum(counts) == (
            dict(one=1, all=RECIPES[name][1]).get(views, views))
        assert max(counts) <= predict.VIEWS_AT_ONCE
        counts.clear()
        inferencer = MMAction2Inferencer(cfg, checkpoint, 'cpu', views=views)
        rows = inferencer(str(video))['predictions']
        np.testing.assert_allclose(
            rows[0]['rec_scores'][0], expected, atol=1e-5)
        found[views] = expected
    assert np.abs(found['all'] - found[fewer]).max() > 1e-4
