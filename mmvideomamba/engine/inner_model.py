"""Model inside of the wrapper of a distributed training."""
from typing import Any

from mmengine.model import is_model_wrapper


def inner_model(model: Any) -> Any:
    """Return a model without its wrapper.

    Args:
        model (nn.Module): Of a runner.

    Returns:
        nn.Module: The module inside of, say, ``MMDistributedDataParallel``;
        the model itself without a wrapper.
    """
    return model.module if is_model_wrapper(model) else model
