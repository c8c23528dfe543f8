"""Learning rates that shrink towards the input, for any model with ours."""
from functools import partial
from typing import Any, List

from mmpretrain.engine.optimizers import \
    LearningRateDecayOptimWrapperConstructor
from torch import nn

from mmvideomamba.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(
        LearningRateDecayOptimWrapperConstructor):
    """mmpretrain's layer-wise decay of learning rates, for recognizers too.

    mmpretrain's constructor asks the model for the depth of each parameter,
    but mmaction2's recognizers have no ``get_layer_depth``; here the backbone
    is asked. With ``paramwise_cfg.layer_decay_rate`` d and L blocks the
    learning rate is multiplied by

    - ``d ** (L + 1)`` for the patch, class, spatial and temporal embeddings,
    - ``d ** (L - i)`` for block i = 0..L-1,
    - 1 for the final norm and the head.

    The published code intends this layer-wise decay, but in fact shrinks the
    embeddings' rates alone. Our recipes do the same by default: ``lr_mult`` in
    ``custom_keys`` with the default constructor. Here ``lr_mult`` has no
    effect, ``decay_mult`` has.

    Raises:
        ValueError: If ``layer_decay_rate`` is not in (0, 1], or the model
            has no backbone with ``get_layer_depth``.

    Source: BEiT, arXiv:2106.08254, Section 3.2.
    """

    def add_params(self,
                   params: List[dict],
                   module: nn.Module,
                   prefix: str = '',
                   **kwargs: Any) -> None:
        """Add the parameters of a module, each as a group.

        Args:
            params (list[dict]): Groups, extended in place.
            module (nn.Module): The module.
            prefix (str): Name of the module in the model. Defaults to '', the
                whole model.
            **kwargs: Passed on between the modules of a model.

        Raises:
            ValueError: See the class.
        """
        if not prefix:
            self._check_rate()
            kwargs['get_layer_depth'] = self._depth_of(module)
        super().add_params(params, module, prefix=prefix, **kwargs)

    def _check_rate(self) -> None:
        rate = self.paramwise_cfg.get('layer_decay_rate', 1.)
        if not 0 < rate <= 1:
            raise ValueError('paramwise_cfg.layer_decay_rate must lie in '
                             f'(0, 1], but is {rate}')

    @staticmethod
    def _depth_of(model: nn.Module) -> partial:
        """Return the function from a parameter's name to a depth."""
        backbone: Any = getattr(model, 'backbone', None)
        if not hasattr(backbone, 'get_layer_depth'):
            raise ValueError(
                f'{type(model).__name__} has no backbone with '
                'get_layer_depth, which layer-wise decay needs; use '
                'mmvideomamba.VideoMamba, or the default constructor')
        # mmpretrain's LoRAModel shows the attributes of the model inside.
        inside = hasattr(getattr(backbone, 'module', None), 'get_layer_depth')
        prefix = 'backbone.module.' if inside else 'backbone.'
        return partial(backbone.get_layer_depth, prefix=prefix)
