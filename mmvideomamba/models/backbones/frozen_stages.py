"""Frozen stages of a backbone."""
from typing import Any, Iterator

from torch import nn

# Embeddings before the blocks; a clip model has all of them.
_TABLES = ('cls_token', 'pos_embed', 'temporal_pos_embedding')


def check_stages(frozen_stages: Any, num_layers: int) -> int:
    """Refuse unknown stages.

    Args:
        frozen_stages (Any): The argument of the backbone.
        num_layers (int): Blocks of the backbone.

    Returns:
        int: ``frozen_stages``.

    Raises:
        ValueError: If the backbone has no stage of the number.
    """
    known = isinstance(frozen_stages,
                       int) and not isinstance(frozen_stages, bool)
    if not known or not -1 <= frozen_stages <= num_layers:
        raise ValueError(
            'frozen_stages must be -1 (nothing is frozen), 0 (the '
            f'embeddings) or the number of the first blocks, up to '
            f'{num_layers} (all blocks and the final norm), but got '
            f'{frozen_stages!r}')
    return frozen_stages


def frozen_modules(backbone: Any) -> Iterator[nn.Module]:
    """Yield the modules of the frozen stages.

    A block drops the branch of the block before. The path after the last
    frozen block is therefore frozen as well, though a learning block owns the
    drop.

    Args:
        backbone (VideoMamba): The backbone.

    Yields:
        nn.Module: Modules; class token and position embeddings are parameters
        of the backbone and no modules.
    """
    count = backbone.frozen_stages
    if count < 0:
        return
    yield backbone.patch_embed
    yield backbone.drop_after_pos
    yield from (backbone.layers[i] for i in range(count))
    # The branch of a block is dropped by the next block, or after the last
    # block by the backbone.
    if count == backbone.num_layers:
        yield backbone.drop_path
        yield backbone.norm_f
    elif count > 0:
        yield backbone.layers[count].drop_path


def freeze_stages(backbone: Any) -> None:
    """Take the parameters of the frozen stages out of the training.

    Frozen parameters ask for no gradient, so autograd keeps no tensor of the
    stages. An adapter inside, or an input asking for a gradient, still gets
    a gradient.

    Args:
        backbone (VideoMamba): The backbone, changed in place.
    """
    if backbone.frozen_stages < 0:
        return
    for name in _TABLES:
        if hasattr(backbone, name):
            getattr(backbone, name).requires_grad_(False)
    for module in frozen_modules(backbone):
        module.requires_grad_(False)
        module.train(False)
