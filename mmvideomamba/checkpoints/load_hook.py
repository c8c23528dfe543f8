"""The hook by which a module fits a state dict before loading."""
from typing import Any, Dict, List, Protocol, Tuple

from torch import Tensor, nn

from .report import Change, log_changes

State = Dict[str, Tensor]
# Metadata of a backbone: names in the state dict that may have no place.
SPARE = 'spare_names'


class Loads(Protocol):
    """A module with a method to fit the weights of files."""

    def fit_state_dict(self, state_dict: State,
                       prefix: str) -> Tuple[State, List[Change]]:
        """Fit weights to the module.

        Args:
            state_dict (dict[str, Tensor]): Names below the prefix, shortened;
                for an empty prefix the content of the file, wrappers
                included.
            prefix (str): Name of the module in the model to load, '' if the
                module is loaded alone.

        Returns:
            tuple: Weights under the module's own names, and the changes.

        Raises:
            ValueError: If the weights do not fit.
        """


def register_load_hook(module: nn.Module) -> None:
    """Let a module fit every state dict before loading.

    Args:
        module (Module): With a method ``fit_state_dict``, see ``Loads``.
    """
    module.register_load_state_dict_pre_hook(_fit)


def _fit(module: Loads, state_dict: Dict[str, Any], prefix: str,
         metadata: Dict[str, Any], strict: bool, missing: List[str],
         unexpected: List[str], *_: Any) -> None:
    """Replace the module's part of a state dict, in place."""
    spare = metadata.get(SPARE, ())
    # A file cannot tell whether a recognizer or a classifier loads: the head
    # comes under both names, and one is left over.
    unexpected[:] = [key for key in unexpected if key not in spare]
    part = {
        k[len(prefix):]: v
        for k, v in state_dict.items() if k.startswith(prefix)
    }
    fitted, changes = module.fit_state_dict(part, prefix)
    log_changes(changes)
    # In place: the modules inside read the same dict.
    for key in part:
        state_dict.pop(prefix + key)
    state_dict.update({prefix + k: v for k, v in fitted.items()})
