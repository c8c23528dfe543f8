"""A training step written by hand, the yardstick of real trainings."""
from typing import Any, Callable, Dict, List

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from recipe_parts import Case, clips_of, in_float32
from synthetic_training import SyntheticClips
from torch import Tensor


def merged_groups(groups: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Join groups of an optimizer with equal settings.

    Args:
        groups (list[dict]): Of an optimizer, often a group a parameter.

    Returns:
        list[dict]: Fewer groups with all trained parameters.
    """
    found: Dict[tuple, Dict[str, Any]] = {}
    for group in groups:
        settings = {k: group[k] for k in ('lr', 'weight_decay', 'betas')}
        key = tuple(settings.values())
        joined = found.setdefault(key, dict(settings, params=[]))
        joined['params'] += [p for p in group['params'] if p.requires_grad]
    return [x for x in found.values() if x['params']]


def optimizer_of(model: BaseModel, cfg: Config) -> torch.optim.AdamW:
    """Build a recipe's AdamW with the fewest launches.

    Args:
        model (BaseModel): The model.
        cfg (Config): The recipe.
    """
    wrapper = build_optim_wrapper(model, in_float32(cfg.optim_wrapper))
    on_gpu = next(model.parameters()).is_cuda
    return torch.optim.AdamW(
        merged_groups(wrapper.param_groups),
        fused=on_gpu or None,
        capturable=on_gpu)


class BareStep:
    """Forward, loss, backward and AdamW on a waiting batch.

    Args:
        cfg (Config): A recipe, see ``recipe_parts.load``.
        case (Case): With the number of clips.
        device (torch.device): Of the step.
        compiled (bool): Whether the backbone is compiled. Defaults to False.
    """

    def __init__(self,
                 cfg: Config,
                 case: Case,
                 device: torch.device,
                 compiled: bool = False) -> None:
        MMLogger.get_current_instance().setLevel('ERROR')
        init_default_scope(cfg.default_scope)
        torch.manual_seed(0)
        self.model = MODELS.build(cfg.model).to(device).train()
        self.optimizer = optimizer_of(self.model, cfg)
        self.labelled = 'cls_head' in cfg.model
        if compiled:
            torch._dynamo.utils.counters.clear()
            self.model.backbone = torch.compile(self.model.backbone)
        self.device = device
        self.clips, self.labels = self._batch(cfg, case)

    def _batch(self, cfg: Config, case: Case) -> Any:
        """Prepare a batch as the recipe does, mixed clips included."""
        samples = SyntheticClips(case.clips, **clips_of(cfg))
        drawn = [samples[i] for i in range(case.clips)]
        data = self.model.data_preprocessor(
            {
                key: [x[key] for x in drawn]
                for key in ('inputs', 'data_samples')
            }, True)
        labels = torch.stack(
            [x.gt_label.to(self.device) for x in data['data_samples']])
        return data['inputs'], labels

    def _loss(self) -> Tensor:
        if not self.labelled:
            return self.model.loss(self.clips, None)['loss']
        features, _ = self.model.extract_feat(self.clips)
        scores = self.model.cls_head(features)
        labels = self.labels
        if labels.dim() == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
        return F.cross_entropy(scores.float(), labels)

    def __call__(self) -> None:
        """Run the step, kernel by kernel."""
        self.optimizer.zero_grad(set_to_none=True)
        self._run()

    def _run(self) -> None:
        kind = self.device.type
        with torch.autocast(kind, torch.bfloat16, enabled=kind == 'cuda'):
            loss = self._loss()
        loss.backward()
        self.optimizer.step()

    def capture(self) -> Callable[[], None]:
        """Capture the whole step.

        Returns:
            Callable: Runs the step as a single launch.
        """
        here, side = torch.cuda.current_stream(), torch.cuda.Stream()
        side.wait_stream(here)
        with torch.cuda.stream(side):
            # Libraries take their workspace of the stream.
            self()
        here.wait_stream(side)
        self.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._run()
        return graph.replay
