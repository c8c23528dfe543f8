"""Models saved as complete folders."""
from pathlib import Path
from typing import Any, Dict, Optional, Union

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from mmvideomamba.checkpoints import (check_no_adapters, check_target,
                                      count_changes, load_strict, model_card,
                                      write_folder)
from mmvideomamba.models import VideoMamba
from .description import describe
from .load import build_model, load, prompt_classes
from .plain_config import (TRAINING_WEIGHTS, config_values, model_files,
                           plain_model)
from .trusted_types import check_types


def _state_of(model: nn.Module) -> Dict[str, Tensor]:
    """Return the weights for prediction."""
    state = {
        k: v
        for k, v in model.state_dict().items()
        if isinstance(v, Tensor) and not k.startswith(TRAINING_WEIGHTS)
    }
    try:
        check_no_adapters(state)
    except ValueError as error:
        raise ValueError(
            f'{type(model).__name__} has adapters; merge them into the '
            'weights first, see docs/adaptation.md') from error
    return state


def _whole_model(model: nn.Module, folder: Path, config: Any,
                 licence: Optional[str]) -> None:
    """Save a recognizer, classifier or video-text model."""
    cfg = getattr(model, 'cfg', None) if config is None else config
    if isinstance(cfg, (str, Path)):
        cfg = Config.fromfile(str(cfg))
    if cfg is None:
        raise ValueError(
            f'a {type(model).__name__} does not know its config; give config, '
            'a Config or the path of one')
    state = _state_of(model)
    plain, values = plain_model(cfg), config_values(cfg)
    check_types(values, 'the config')
    files = model_files(plain)
    # The folder must load: so a model of the config takes the weights.
    load_strict(
        build_model(plain, values['default_scope'], 'the config'), state,
        f'the {type(model).__name__}', 'its config')
    known = getattr(model, 'description', None)
    found = dict(known) if known else describe(model, cfg)
    # Changed weights no longer have the accuracy of the file.
    if known and count_changes(model) != model.loaded_changes:
        found['results'] = dict(source='unknown')
    if licence is not None:
        found['licence'] = licence
    found.update(values)
    classes = getattr(model, 'prompt_classes', None) or prompt_classes(cfg)
    if found['task'] == 'prompt-classification' and classes:
        found['prompt_classes'] = classes
    write_folder(folder, found, state, model_card(found), files)


def save_pretrained(model: Union[nn.Module, str, Path],
                    folder: Union[str, Path],
                    config: Any = None,
                    licence: Optional[str] = None) -> Path:
    """Save a model as a folder to load without config and data.

    The folder holds ``config.json``, ``model.safetensors``, a model card
    ``README.md``, and for a model with texts the vocabulary. Parts for the
    training alone, like teachers, are left out.

    Args:
        model (nn.Module | str | Path): A recognizer, image classifier,
            video-text model or backbone; or any source of ``load``, like the
            checkpoint of a training.
        folder (str | Path): New or empty folder, or a folder with an older
            saved model.
        config (str | Path | Config, optional): The config, for a
            checkpoint or model without. Defaults to None.
        licence (str, optional): Licence of the weights, for the hub an
            identifier like 'apache-2.0'. Defaults to None: of a published
            file as published, else 'unknown'.

    Returns:
        Path: The folder.

    Raises:
        FileNotFoundError: If the checkpoint does not exist.
        ValueError: If the folder holds something else, or the model cannot
            be saved; the message names the reason.
    """
    folder = check_target(folder)
    if isinstance(model, nn.Module):
        whole: Any = model.module if is_model_wrapper(model) else model
        whole = getattr(whole, '_orig_mod', whole)  # of torch.compile
    else:
        whole, config = load(model, config=config), None
    if isinstance(whole, VideoMamba):
        whole.save_pretrained(folder, licence=licence)
    else:
        _whole_model(whole, folder, config, licence)
    print_log(f'model saved to {folder}', 'current')
    return folder
