"""Let pip resolve the package for another kind of machine.

A dry run of pip for ARM Linux or Apple's processors, from any machine: each
requirement must resolve to a wheel. For example::

    python tools/check_wheels.py aarch64 --python 3.12 --extras demo

mmaction2, installed there by ``--no-deps``, takes part as a single wheel.
"""
import argparse
import configparser
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, Sequence

from packaging.markers import default_environment
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
HOST = 'mmaction2'
# Name: variables of markers, and tags of wheels.
MACHINES: Dict[str, dict] = {
    'aarch64':
    dict(
        environment=dict(
            platform_machine='aarch64',
            sys_platform='linux',
            platform_system='Linux',
            os_name='posix'),
        tags=[f'manylinux_2_{i}_aarch64'
              for i in range(17, 29)] + ['manylinux2014_aarch64']),
    'arm64':
    dict(
        environment=dict(
            platform_machine='arm64',
            sys_platform='darwin',
            platform_system='Darwin',
            os_name='posix'),
        tags=[
            f'macosx_{i}_0_{kind}' for i in range(11, 15)
            for kind in ('arm64', 'universal2')
        ] + [f'macosx_10_{i}_universal2' for i in range(9, 16)]),
}
# Released as sources in plain Python, built by pip on any machine.
SOURCES = {
    'moviepy': [
        'decorator<5.0,>=4.0.2', 'imageio<3.0,>=2.5', 'imageio_ffmpeg>=0.2.0',
        'tqdm<5.0,>=4.11.2', 'numpy>=1.17.3', 'requests<3.0,>=2.8.1',
        'proglog<=1.0.0'
    ]
}
# pip --platform evaluates environment markers for the running machine, not
# for the named platform.
PIP = """
import json, sys
from pip._vendor.packaging import markers
environment = {**markers.default_environment(), **json.loads(sys.argv[1])}
markers.default_environment = lambda: environment
from pip._internal.cli.main import main
sys.exit(main(sys.argv[2:]))
"""


def environment_of(machine: str, python: str) -> Dict[str, str]:
    """Return the variables of markers on a machine.

    Args:
        machine (str): A key of ``MACHINES``.
        python (str): Version, for example '3.11'.

    Returns:
        dict[str, str]: Name to value.
    """
    here = {name: str(value) for name, value in default_environment().items()}
    return dict(
        here,
        **MACHINES[machine]['environment'],
        python_version=python,
        python_full_version=f'{python}.0')


def declared(extras: Sequence[str]) -> List[Requirement]:
    """Read the requirements in setup.cfg.

    Args:
        extras (Sequence[str]): Extras of the package.

    Returns:
        list[Requirement]: With markers.
    """
    parser = configparser.ConfigParser()
    parser.read(ROOT / 'setup.cfg')
    lines = parser['options']['install_requires'].splitlines()
    for extra in extras:
        lines += parser['options.extras_require'][extra].splitlines()
    return [Requirement(line) for line in lines if line]


def needed_on(needs: Sequence[Requirement],
              environment: Dict[str, str]) -> List[str]:
    """Choose the requirements of a machine.

    Args:
        needs (Sequence[Requirement]): See :func:`declared`.
        environment (dict[str, str]): See :func:`environment_of`.

    Returns:
        list[str]: Without markers; packages released as sources are replaced
        by the requirements of the package.
    """
    found: List[str] = []
    for need in needs:
        if need.marker is None or need.marker.evaluate(environment):
            text = str(need).split(';', maxsplit=1)[0]
            found += SOURCES.get(need.name, [text])
    return found


def pip_dry_run(machine: str, python: str, needed: List[str], *options:
                str) -> List[str]:
    """Let pip resolve requirements for a machine, from wheels alone.

    Args:
        machine (str): A key of ``MACHINES``.
        python (str): Version of Python.
        needed (list[str]): Requirements.
        *options (str): Further options of ``pip install``.

    Returns:
        list[str]: Names of the wheels.

    Raises:
        subprocess.CalledProcessError: If pip finds no wheel of a package.
    """
    tags = [
        x for tag in MACHINES[machine]['tags'] for x in ('--platform', tag)
    ]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, 'report.json')
        subprocess.run([
            sys.executable, '-c', PIP,
            json.dumps(environment_of(machine, python)), 'install', '--quiet',
            '--dry-run', '--ignore-installed', '--only-binary=:all:',
            '--implementation', 'cp', '--python-version', python, *tags,
            '--target', folder, '--report',
            str(report), *options, *needed
        ],
                       check=True)
        installed = json.loads(report.read_text())['install']
    return [
        one['download_info']['url'].rsplit('/', 1)[-1] for one in installed
    ]


def main() -> None:
    """Print the wheels chosen by pip."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('machine', choices=MACHINES)
    parser.add_argument('--python', default='3.11', help='default: 3.11')
    parser.add_argument(
        '--extras',
        nargs='*',
        default=['quickstart', 'demo'],
        help='default: quickstart demo')
    args = parser.parse_args()
    needs = declared(args.extras)
    host, = (need for need in needs if need.name == HOST)
    found = pip_dry_run(args.machine, args.python, [f'{HOST}{host.specifier}'],
                        '--no-deps')
    here = environment_of(args.machine, args.python)
    found += pip_dry_run(args.machine, args.python, needed_on(needs, here))
    print('\n'.join(sorted(found)))
    print(f'{len(found)} wheels for Python {args.python} on {args.machine}')


if __name__ == '__main__':
    main()
