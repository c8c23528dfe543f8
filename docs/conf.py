"""Settings of the site: `make docs`.

Pages lie all over the tree, and link each other by relative paths, as on a
forge. So the source folder of Sphinx is the root, and this file is in docs::

    python -m sphinx -c docs . docs/_build/html
"""
import inspect
from typing import Any, List, Optional, Tuple

from sphinx.application import Sphinx

import mmvideomamba

project = 'mmvideomamba'
author = copyright = 'The mmvideomamba authors'
release = version = mmvideomamba.__version__

root_doc = 'docs/index'
include_patterns = [
    'README.md', 'CONTRIBUTING.md', 'docs/*.md', 'docs/api/*.rst',
    'configs/README.md', 'configs/**/README.md', 'benchmarks/results/*.md',
    'tools/data/README.md', 'mmvideomamba/*/README.md', 'tests/README.md',
    'tests/data/golden/README.md', 'tests/faults/*.md'
]
# Folders of any size without a page.
exclude_patterns = [
    'docs/_build', 'build', 'dist', 'data', 'work_dirs', 'checkpoints',
    '.venv*', '.git', '.tox', '**/.ipynb_checkpoints', 'mmvideomamba/.mim'
]

extensions = [
    'myst_parser',
    'sphinx_external_toc',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
    'sphinx_copybutton',
]
external_toc_path = 'docs/_toc.yml'

# Links to headings, `page.md#heading`, are checked down to this level.
myst_heading_anchors = 4

autodoc_default_options = {
    'members': True,
    'show-inheritance': True,
    'member-order': 'bysource',
    'no-value': True,
}
# Docstrings name the types with their shapes.
autodoc_typehints = 'none'
autodoc_mock_imports = ['mamba_ssm', 'causal_conv1d', 'torchcodec', 'decord']
napoleon_numpy_docstring = False
# Fields of a class are listed once, by the docstring.
napoleon_use_ivar = True
# Docstrings name types of hosts and of Python, without a page on the site.
nitpick_ignore_regex = [('py:.*', r'(?!mmvideomamba\.).*')]

html_theme = 'furo'
html_title = f'mmvideomamba {release}'
html_static_path = ['_static']
html_css_files = ['site.css']
html_extra_path = ['_extra']
html_copy_source = False


def plain_bases(app: Sphinx, name: str, obj: type, options: Any,
                bases: List[Any]) -> None:
    """Name base classes of this package, with or without an entry."""
    bases[:] = [
        f'``{base.__name__}``' if isinstance(base, type)
        and base.__module__.startswith('mmvideomamba.') else base
        for base in bases
    ]


def signature_of_init(app: Sphinx, what: str, name: str, obj: Any,
                      options: Any, signature: Optional[str],
                      returns: Optional[str]) -> Optional[Tuple[str, str]]:
    """Show the arguments of ``__init__`` where ``__new__`` takes any."""
    if what != 'class' or signature != '(*args, **kwargs)':
        return None
    found = inspect.signature(obj.__init__)
    arguments = list(found.parameters.values())[1:]
    plain = [x.replace(annotation=x.empty) for x in arguments]
    return str(found.replace(parameters=plain,
                             return_annotation=found.empty)), returns or ''


def setup(app: Sphinx) -> None:
    """Connect the functions above."""
    app.connect('autodoc-process-signature', signature_of_init)
    app.connect('autodoc-process-bases', plain_bases)
