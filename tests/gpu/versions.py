"""Print the device and the versions of a measurement."""
import importlib.metadata
import platform
from typing import Dict

import torch

PACKAGES = ('torch', 'triton', 'mamba_ssm', 'causal_conv1d', 'mmengine',
            'mmcv-lite', 'mmaction2')


def device_name() -> str:
    """Return number and name of the GPUs, or the processor's kind."""
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        times = f'{count} x ' if count > 1 else ''
        return times + torch.cuda.get_device_name()
    return platform.machine()


def versions() -> Dict[str, str]:
    """Return versions by package; packages that are missing are left out."""
    found = {'Python': platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    # The release of a wheel's local version, such as +cu130.
    found['torch'] = torch.__version__
    return found


if __name__ == '__main__':
    print(device_name())
    print(', '.join(f'{k} {v}' for k, v in versions().items()))
