"""Weights of files: reading, unwrapping, renaming, fitting, reporting.

=======================  ===================================================
module                   holds
=======================  ===================================================
``reader``               the safe reader, and the wording of each bad file
``plain_pickle``         pickles as data: the reader of the next two
``torchscript``          weights of a TorchScript archive, without its code
``dump``                 predictions of a test
``download``             files of an address, before the reader
``published``            the table of the published files
``hub_file``             files of the Hub, by published name or id
``unwrap``               wrappers and prefixes of trainers; EMA weights
``find_source``          where a model is: here, or on the Hub
``saved_folder``         folders of saved models
``model_card``           their model card
``config_text``          the config inside of a checkpoint, as data
``sizes``                arguments of a backbone, from shapes
``rename``               published names of backbone and head
``rename_clip``          names of CLIP's publishers
``fit_clip``             resizing for a CLIP tower; refusal of other towers
``clip_config``          settings of CLIP next to the weights
``bert_file``            files of a BERT, and the fit to a text tower
``hub_folder``           folders of Hugging Face, with shards
``rename_multimodal``    names of published video-text models
``resize``               position tables, inflated patch kernels
``fit``                  resizing for a backbone; refusal of other models
``adapters``             weights of LoRA next to the model's
``class_token``          refusal of Vision Mamba's files
``newest``               the last checkpoint of a training
``kept``                 the best checkpoint of a training
``report``               the table in the log
``load_hook``            the hook that our modules register
``pretrained``           ``init_cfg`` and mmengine's loaders of files
``convert``              what the converter does
=======================  ===================================================
"""
from .adapters import adapt_all, check_no_adapters
from .bert_file import BERT_FIXED, fit_bert, read_bert
from .clip_config import (SETTINGS, ClipConfig, check_clip_config,
                          check_clip_design, read_clip_config,
                          stored_clip_config)
from .config_text import read_config_text
from .convert import HEADS, convert
from .dump import read_dump
from .find_source import find_source
from .fit import adapt_checkpoint, check_fit, fit_tensors
from .fit_clip import describe_tower, fit_clip_tower
from .hub_file import allowed_types, fetch, is_hub_file, locate, resolve_hub
from .hub_folder import find_weights, read_weights
from .load_hook import register_load_hook
from .model_card import model_card
from .pretrained import (for_whole_model, init_from_file, load_pretrained,
                         read_any)
from .published import (PUBLISHED, PublishedFile, find_published,
                        hint_for_missing, published)
from .reader import is_torchscript, read_checkpoint, read_file
from .rename import published_head, select_backbone, strip_prefix
from .rename_clip import find_clip_tower, read_clip_tower
from .rename_multimodal import fit_multimodal, own_key
from .report import Change, log_changes
from .resize import (INFLATIONS, inflate_patch_kernel, resize_spatial_embed,
                     resize_temporal_embed)
from .saved_folder import (CONFIG, FORMAT, LIBRARY, TEXTS, WEIGHTS,
                           check_target, count_changes, find_folder, from_json,
                           load_strict, read_config, read_state, to_json,
                           write_folder)
from .sizes import backbone_sizes
from .torchscript import read_torchscript
from .unwrap import unwrap

__all__ = [
    'BERT_FIXED', 'CONFIG', 'Change', 'ClipConfig', 'FORMAT', 'HEADS',
    'INFLATIONS', 'LIBRARY', 'PUBLISHED', 'PublishedFile', 'SETTINGS', 'TEXTS',
    'WEIGHTS', 'adapt_all', 'adapt_checkpoint', 'allowed_types',
    'backbone_sizes', 'check_clip_config', 'check_clip_design', 'check_fit',
    'check_no_adapters', 'check_target', 'convert', 'count_changes',
    'describe_tower', 'fetch', 'find_clip_tower', 'find_folder',
    'find_published', 'find_source', 'find_weights', 'fit_bert',
    'fit_clip_tower', 'fit_multimodal', 'fit_tensors', 'for_whole_model',
    'from_json', 'hint_for_missing', 'inflate_patch_kernel', 'init_from_file',
    'is_hub_file', 'is_torchscript', 'load_pretrained', 'load_strict',
    'locate', 'log_changes', 'model_card', 'own_key', 'published',
    'published_head', 'read_any', 'read_bert', 'read_checkpoint',
    'read_clip_config', 'read_clip_tower', 'read_config', 'read_config_text',
    'read_dump', 'read_file', 'read_state', 'read_torchscript', 'read_weights',
    'register_load_hook', 'resize_spatial_embed', 'resize_temporal_embed',
    'resolve_hub', 'select_backbone', 'stored_clip_config', 'strip_prefix',
    'to_json', 'unwrap', 'write_folder'
]
