"""Code to run in an interpreter without the package imported."""
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_python(code: str, *paths: Path) -> 'subprocess.CompletedProcess[str]':
    """Run code in a fresh interpreter with the package on the path."""
    path = os.pathsep.join(map(str, [ROOT, *paths]))
    return subprocess.run([sys.executable, '-W', 'ignore', '-c', code],
                          env={
                              **os.environ, 'PYTHONPATH': path
                          },
                          capture_output=True,
                          text=True,
                          timeout=900)
