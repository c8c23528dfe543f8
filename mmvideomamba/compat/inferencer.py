"""Let mmaction2's inferencers score a video as a test does."""
import functools
import importlib
import sys
import types
from typing import Any, Optional

from .workaround import Workaround, installed_version

_PLACE = 'mmaction.apis.inferencers'


def _ours() -> Any:
    """Import our room of inference; the room needs modules of the host."""
    return importlib.import_module('mmvideomamba.inference')


def _state(inferencer: Any) -> Any:
    """Return our part of an inferencer, None for a model of the host."""
    return getattr(inferencer, 'video_inference', None)


def _choose_views(inferencer: Any, views: Any) -> None:
    """Set the number of views of an inferencer."""
    if views is None:
        return
    state = _state(inferencer)
    if state is None:
        raise ValueError(f'views={views!r} needs a model of mmvideomamba')
    state.pipeline.set_views(views)


def _name_classes(inferencer: Any, label_file: Optional[str]) -> None:
    """Read the names of the classes, for results and drawn videos."""
    state = _state(inferencer)
    if label_file is not None:
        state.read_label_file(label_file)
    if inferencer.visualizer is None:
        # The host draws nothing then, and says nothing.
        inferencer.visualizer = importlib.import_module(
            'mmaction.visualization').ActionVisualizer()
    if state.classes is not None:
        inferencer.visualizer.dataset_meta = dict(classes=state.classes)


def _heal_init(host: Any) -> None:
    """Give the constructor ``views``, and the names of a label file."""
    original = host.__init__

    @functools.wraps(original)
    def init(self: Any,
             model: Any,
             weights: Optional[str] = None,
             device: Optional[str] = None,
             label_file: Optional[str] = None,
             input_format: str = 'video',
             pack_cfg: dict = {},
             scope: Optional[str] = 'mmaction',
             views: Any = None) -> None:
        # A wrong argument ends the call before a model is built.
        later = None if views is None else _ours().check_views(views)
        original(self, model, weights, device, None, input_format, pack_cfg,
                 scope)
        _choose_views(self, later)
        if _state(self) is not None:
            _name_classes(self, label_file)
        elif label_file is not None:
            # As by the host.
            names = importlib.import_module('mmengine.fileio').list_from_file(
                label_file)
            self.visualizer.dataset_meta = dict(classes=names)

    host.__init__ = init


def _heal_reading(host: Any) -> None:
    """Build our pipeline for our models, and take inputs of any kind."""
    build, split = host._init_pipeline, host._inputs_to_list
    load = host._load_weights_to_model

    @functools.wraps(load)
    def load_weights(self: Any, model: Any, checkpoint: Any, cfg: Any) -> None:
        load(self, model, checkpoint, cfg)
        meta = (checkpoint or {}).get('meta', {}).get('dataset_meta')
        if meta is not None and _ours().is_ours(model):
            model.dataset_meta = meta

    @functools.wraps(build)
    def init_pipeline(self: Any, cfg: Any) -> Any:
        ours = _ours()
        if not ours.is_ours(self.model):
            return build(self, cfg)
        self.video_inference = ours.build_inference(self.model, cfg,
                                                    self.input_format,
                                                    self.pack_cfg)
        return self.video_inference.pipeline

    @functools.wraps(split)
    def inputs_to_list(self: Any, inputs: Any) -> list:
        state = _state(self)
        return split(self,
                     inputs) if state is None else state.list_inputs(inputs)

    host._init_pipeline = init_pipeline
    host._inputs_to_list = inputs_to_list
    host._load_weights_to_model = load_weights


def _heal_scoring(host: Any) -> None:
    """Score, draw and name by ours."""
    read, forward = host.preprocess, host.forward
    draw, convert = host.visualize, host.pred2dict

    @functools.wraps(read)
    def preprocess(self: Any,
                   inputs: Any,
                   batch_size: int = 1,
                   **kwargs: Any) -> Any:
        state = _state(self)
        if state is None:
            return read(self, inputs, batch_size, **kwargs)
        return state.batches(inputs, batch_size)

    @functools.wraps(forward)
    def score(self: Any, inputs: Any, **kwargs: Any) -> Any:
        state = _state(self)
        if state is None:
            return forward(self, inputs, **kwargs)
        return state.forward(inputs)

    @functools.wraps(draw)
    def visualize(self: Any, inputs: Any, preds: Any, **kwargs: Any) -> Any:
        if _state(self) is None:
            return draw(self, inputs, preds, **kwargs)
        folder = kwargs.pop('vid_out_dir', '')
        texts = importlib.import_module('mmvideomamba.visualization.host_text')
        with texts.our_texts(self.visualizer):
            return _ours().draw_results(
                functools.partial(draw, self, **kwargs), inputs, preds, folder)

    @functools.wraps(convert)
    def pred2dict(self: Any, data_sample: Any) -> dict:
        if _state(self) is None:
            return convert(self, data_sample)
        return _ours().to_dict(data_sample)

    host.preprocess, host.forward = preprocess, score
    host.visualize, host.pred2dict = visualize, pred2dict


def _heal_inferencer(module: types.ModuleType) -> None:
    """Heal ``ActionRecogInferencer``."""
    for heal in (_heal_init, _heal_reading, _heal_scoring):
        heal(module.ActionRecogInferencer)


def _heal_unified(module: types.ModuleType) -> None:
    """Heal ``MMAction2Inferencer``, around an ``ActionRecogInferencer``."""
    host = module.MMAction2Inferencer
    init, split = host.__init__, host._inputs_to_list
    draw, finish = host.visualize, host.postprocess

    @functools.wraps(init)
    def init_with_views(self: Any,
                        *args: Any,
                        views: Any = None,
                        **kwargs: Any) -> None:
        later = None if views is None else _ours().check_views(views)
        init(self, *args, **kwargs)
        _choose_views(self.actionrecog_inferencer, later)

    @functools.wraps(split)
    def inputs_to_list(self: Any, inputs: Any) -> list:
        inner = self.actionrecog_inferencer
        return (split(self, inputs)
                if _state(inner) is None else inner._inputs_to_list(inputs))

    @functools.wraps(draw)
    def visualize(self: Any, inputs: Any, preds: Any, **kwargs: Any) -> Any:
        inner = self.actionrecog_inferencer
        if _state(inner) is None:
            return draw(self, inputs, preds, **kwargs)
        # The host draws the first of several inputs only.
        return inner.visualize(inputs, [one for one, in preds['rec']],
                               **kwargs)

    @functools.wraps(finish)
    def postprocess(self: Any,
                    preds: Any,
                    visualization: Any = None,
                    print_result: bool = False,
                    pred_out_file: str = '') -> dict:
        if _state(self.actionrecog_inferencer) is None:
            return finish(self, preds, visualization, print_result,
                          pred_out_file)
        # Printed and written below, with the values added here.
        found = finish(self, preds, visualization)
        for result, (one, ) in zip(found['predictions'], preds['rec']):
            more = _ours().extra_values(one)
            if 'pred_classes' in more:
                result['rec_classes'] = [more.pop('pred_classes')]
            result.update(more)
        shown = dict(predictions=found['predictions'])
        if print_result:
            sys.stdout.write(f'{shown}\n')
        if pred_out_file:
            importlib.import_module('mmengine').dump(shown, pred_out_file)
        return found

    host.__init__, host._inputs_to_list = init_with_views, inputs_to_list
    host.visualize, host.postprocess = visualize, postprocess


def _cause() -> str:
    version = installed_version('mmaction2')
    return version and (f'the inferencers of mmaction2 {version} score other '
                        'views than its test')


def _cure(module: types.ModuleType) -> None:
    """Let the inferencers take our models through the steps of the config.

    The host's own steps, put in by the inferencer, raise errors without the
    name of the file, and a cut-off AVI file ends the process. Three crops
    become one, so another class may win than in a test.
    """
    if module.__name__ == f'{_PLACE}.mmaction2_inferencer':
        _heal_unified(module)
    else:
        _heal_inferencer(module)


WORKAROUND = Workaround(
    name='inferencer',
    cause=_cause,
    link='https://github.com/open-mmlab/mmaction2/blob/v1.2.0/mmaction/apis/'
    'inferencers/actionrecog_inferencer.py',
    until='a release of mmaction2 that keeps the steps of the config',
    modules=(f'{_PLACE}.actionrecog_inferencer',
             f'{_PLACE}.mmaction2_inferencer'),
    cure=_cure)
