"""Loading and saving of a backbone in a line, here and on the Hub."""
from pathlib import Path
from typing import (Any, Dict, List, Mapping, Optional, Sequence, Tuple, Type,
                    TypeVar)

from huggingface_hub import ModelHubMixin
from mmengine.config import ConfigDict
from torch import Tensor, nn

from mmvideomamba.checkpoints import saved_folder
from mmvideomamba.checkpoints.adapters import check_no_adapters
from mmvideomamba.checkpoints.config_text import read_config_text
from mmvideomamba.checkpoints.find_source import find_source
from mmvideomamba.checkpoints.hub_file import allowed_types
from mmvideomamba.checkpoints.hub_folder import read_weights
from mmvideomamba.checkpoints.model_card import model_card
from mmvideomamba.checkpoints.published import find_published
from mmvideomamba.checkpoints.rename import select_backbone
from mmvideomamba.checkpoints.saved_folder import CONFIG, FORMAT, WEIGHTS
from mmvideomamba.checkpoints.sizes import backbone_sizes
from mmvideomamba.checkpoints.unwrap import unwrap
from mmvideomamba.version import __version__

Backbone = TypeVar('Backbone', bound='HubBackbone')
_TYPE = 'mmvideomamba.VideoMamba'
_CLASS = 'VideoMamba'
# A backbone alone, in a recognizer or classifier, in a video-text model.
_PLACES: Tuple[Tuple[str, ...],
               ...] = ((), ('backbone', ), ('vision_encoder', 'backbone'))


def backbone_place(
        model: Mapping[str, Any],
        name: str,
        kinds: Sequence[str] = (_CLASS, ),
) -> Tuple[Dict[str, Any], str]:
    """Find the VideoMamba in the config of a model.

    Args:
        model (Mapping): Config of a backbone, or of a whole model.
        name (str): Name of the file, for an error.
        kinds (Sequence[str]): Names of VideoMamba and of subclasses to
            take. Defaults to ('VideoMamba', ).

    Returns:
        tuple[dict, str]: Arguments of the backbone without ``init_cfg``, and
        the prefix of the weights.

    Raises:
        ValueError: If there is no backbone, or adapters.
    """
    for place in _PLACES:
        node: Any = model
        for key in place:
            node = node.get(key) if isinstance(node, Mapping) else None
        kind = str(node.get('type')) if isinstance(node, Mapping) else ''
        if kind.rpartition('.')[2] == 'LoRAModel':
            raise ValueError(
                f'{name}: the backbone has adapters; merge them into the '
                'weights first, see docs/adaptation.md')
        if kind.rpartition('.')[2] in kinds:
            arguments = {
                k: v
                for k, v in node.items() if k not in ('type', 'init_cfg')
            }
            return arguments, ''.join(f'{key}.' for key in place)
    raise ValueError(f'{name}: the model inside has no VideoMamba as its '
                     'backbone; give a file of a model with one')


def _from_folder(
    folder: Path, kinds: Sequence[str]
) -> Tuple[Dict[str, Any], Dict[str, Tensor], Dict[str, Any]]:
    """Return arguments, weights and origin of a saved model."""
    config = saved_folder.read_config(folder)
    origin: Dict[str, Any] = {
        k: config[k]
        for k in ('licence', 'results') if k in config
    }
    model = saved_folder.from_json(config['model'])
    arguments, prefix = backbone_place(model, str(folder / CONFIG), kinds)
    return arguments, {
        k[len(prefix):]: v
        for k, v in saved_folder.read_state(folder).items()
        if k.startswith(prefix)
    }, origin


def _published_origin(path: Path) -> Dict[str, Any]:
    """Return licence and results of a published file, else nothing."""
    row = find_published(path.name)
    if row is None:
        return {}
    results = dict(source='published', file=row.name, dataset=row.data)
    return dict(licence=row.licence, results=results)


def _with_origin(backbone: Any, origin: Dict[str, Any]) -> Any:
    """Note where weights come from, and end the training mode."""
    backbone.origin = dict(
        origin, changes=saved_folder.count_changes(backbone))
    return backbone.eval()


def _from_file(
        path: Path, ema: bool, img_size: Any,
        kinds: Sequence[str]) -> Tuple[Dict[str, Any], Dict[str, Tensor]]:
    """Return the arguments and weights in a file of any training."""
    file = read_weights(path, allow=allowed_types(path))
    try:
        weights, _ = select_backbone(unwrap(file, ema))
        check_no_adapters(weights)
        sizes = backbone_sizes(weights, img_size)
        text = (file.get('meta') or {}).get('cfg') if isinstance(
            file.get('meta'), Mapping) else None
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
    if not isinstance(text, str):
        return sizes, weights
    model = ConfigDict(read_config_text(text, str(path)).get('model') or {})
    return backbone_place(model, str(path), kinds)[0], weights


class HubBackbone(
        ModelHubMixin,
        library_name=saved_folder.LIBRARY,
        tags=['videomamba', saved_folder.LIBRARY],
        pipeline_tag='feature-extraction'):
    """``from_pretrained``, ``save_pretrained`` and ``push_to_hub``.

    A mixin for backbones, with the arguments of the constructor kept for
    ``config.json``.
    """

    not_in_json: List[str]
    # Licence and results of the file, and ``count_changes`` after loading.
    origin: Dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> 'HubBackbone':
        """Keep the arguments; note values beyond JSON."""
        self = super().__new__(cls, *args, **kwargs)
        # The first parameter is self.
        names = list(cls._hub_mixin_init_parameters)[1:]
        given = {**dict(zip(names, args)), **kwargs}
        self.not_in_json = [
            name for name, value in given.items()
            if not cls._is_jsonable(value)
        ]
        self.origin = {}
        return self

    # The signature of huggingface_hub has options of downloads alone.
    @classmethod
    def from_pretrained(  # type: ignore[override]
            cls: Type[Backbone],
            source: Any,
            *,
            ema: bool = False,
            **overrides: Any) -> Backbone:
        """Build a backbone with the weights of a file, in evaluation mode.

        Args:
            source (str | Path): A folder of ``save_pretrained``, of a
                backbone or a whole model; a checkpoint of a training or a
                published file, by path or name; or an id of the Hub. Without a
                configuration inside the shapes of the weights tell the sizes.
            ema (bool): Whether to take the EMA weights of a file with
                both. Defaults to False.
            **overrides: Arguments of the backbone to change, like
                ``num_frames`` and ``img_size``; the position embeddings are
                resized.

        Returns:
            VideoMamba: The backbone.

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If the file cannot be used or downloaded, or does not
                fit; the message names the file.
        """
        path = find_source(source)
        folder = saved_folder.find_folder(path)
        kinds = [c.__name__ for c in cls.__mro__ if issubclass(c, nn.Module)]
        if folder is not None:
            path = folder / WEIGHTS
            arguments, weights, origin = _from_folder(folder, kinds)
            if ema:
                raise ValueError(f'{folder} holds one set of weights; leave '
                                 'ema out')
        else:
            arguments, weights = _from_file(path, ema,
                                            overrides.get('img_size'), kinds)
            origin = _published_origin(path)
        unknown = [
            k for k in overrides if k not in cls._hub_mixin_init_parameters
        ]
        if unknown:
            raise ValueError(
                f'{cls.__name__} has no argument {", ".join(unknown)}; '
                'from_pretrained takes source, ema and its arguments')
        # The strict load comes first, also under overrides: a load that adapts
        # shapes would hide weights that do not fit the config of the folder.
        if folder is not None:
            stored: Any = cls(**arguments)
            saved_folder.load_strict(stored, weights, path)
            if not overrides:
                return _with_origin(stored, origin)
        model: Any = cls(**{**arguments, **overrides})
        try:
            model.load_state_dict(weights)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f'{path}: {error}') from error
        return _with_origin(model, origin)

    def save_pretrained(self,
                        save_directory: Any,
                        *,
                        licence: Optional[str] = None,
                        push_to_hub: bool = False,
                        repo_id: Optional[str] = None,
                        **kwargs: Any) -> Optional[str]:
        """Save the backbone as a folder for ``from_pretrained``.

        Args:
            save_directory (str | Path): New or empty folder, or a folder
                with an older saved model.
            licence (str, optional): Licence of the weights. Defaults to
                None: the licence of the weights' file.
            push_to_hub (bool): Whether to upload too. Defaults to False.
            repo_id (str, optional): Id on the Hub. Defaults to None: the
                name of the folder.
            **kwargs: Of huggingface_hub, for the upload.

        Returns:
            str, optional: Address of the commit, if pushed.

        Raises:
            ValueError: If the folder holds something else, or the backbone
                has adapters or arguments beyond JSON.
        """
        unknown = set(kwargs) - {'config', 'model_card_kwargs'}
        if unknown and not push_to_hub:
            raise ValueError(
                f'save_pretrained has no argument {", ".join(sorted(unknown))}'
                '; it takes licence, push_to_hub and repo_id')
        folder = saved_folder.check_target(save_directory)
        if licence is not None:
            self.origin = dict(self.origin, licence=licence)
        # The mixin would first remove config.json of an older model.
        self._save_pretrained(folder)
        if not push_to_hub:
            return None
        return self.push_to_hub(repo_id or folder.resolve().name, **kwargs)

    def _save_pretrained(self, save_directory: Path) -> None:
        """Write weights, model card and ``config.json``."""
        config = self.hub_config()
        module: Any = self
        saved_folder.write_folder(save_directory, config, module.state_dict(),
                                  model_card(config))

    def hub_config(self) -> Dict[str, Any]:
        """Describe the backbone, see ``inference.saved.describe``.

        Returns:
            dict: Content of ``config.json``.

        Raises:
            ValueError: If the backbone has adapters, or arguments without a
                JSON form.
        """
        module: Any = self
        if self.not_in_json:
            raise ValueError(
                f'{type(self).__name__} cannot be saved: its arguments '
                f'{", ".join(self.not_in_json)} are not plain values')
        try:
            check_no_adapters(nn.Module.state_dict(module))
        except ValueError as error:
            raise ValueError(
                f'{type(self).__name__} cannot be saved: it has adapters; '
                'merge them into the weights first, see '
                'docs/adaptation.md') from error
        arguments: Any = self._hub_mixin_config or {}
        given = dict(arguments, out_type=module.out_type)
        given.pop('init_cfg', None)
        height, width = module.img_size
        own = type(self)
        # A subclass by path: another class would compute something else.
        kind = _TYPE if own.__name__ == _CLASS else (
            f'{own.__module__}.{own.__qualname__}')
        results = dict(source='unknown')
        if self.origin.get('changes') == saved_folder.count_changes(module):
            results = self.origin.get('results', results)
        return dict(
            format=FORMAT,
            library=saved_folder.LIBRARY,
            library_version=__version__,
            task='feature-extraction',
            classes=None,
            licence=self.origin.get('licence', 'unknown'),
            results=results,
            input=dict(
                frames=module.num_frames,
                height=height,
                width=width,
                channels='RGB',
                mean=[0.] * 3,
                std=[1.] * 3),
            sampling=None,
            average=None,
            probability=None,
            default_scope=None,
            test_pipeline=None,
            model=saved_folder.to_json(dict(type=kind, **given)))
