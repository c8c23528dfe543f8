"""Masks for masked distillation, drawn in the data pipeline."""
from math import isfinite
from numbers import Real
from typing import Any, Tuple

import numpy as np
from mmcv.transforms import BaseTransform

from mmvideomamba.registry import TRANSFORMS

KINDS = ('tube', 'random', 'tube_row', 'random_row')


@TRANSFORMS.register_module()
class TokenMask(BaseTransform):
    """Draw the mask of patch tokens hidden from the student.

    The draws come from numpy's global generator, as in the host's
    transforms. With n = h * w patches in a frame and ratio r:

    - 'tube': ``int(r n)`` places, the same in all frames
    - 'random': ``int(r t n)`` tokens of the clip
    - 'tube_row': ``int(r h)`` rows, drawn anew in each frame (the published
      name notwithstanding)
    - 'random_row': ``t int(r h)`` of the ``t h`` rows of the clip

    Pass the mask on with ``PackActionInputs(algorithm_keys=('mask', ))`` to a
    ``UMT`` with ``mask_source='data'``.

    Added Keys:

    - mask (np.ndarray): True = dropped, bool, shape (t * h * w, ), frame by
      frame, row by row, without the class token

    Args:
        kind (str): A name of the list above.
        mask_ratio (float): Share r of dropped tokens. Defaults to 0.8.
        grid (tuple[int, int, int]): Token frames t, rows h, columns w of the
            student. Defaults to (8, 14, 14).

    Raises:
        ValueError: If an argument is not allowed, or the ratio leaves no
            token visible, or all of them.

    Source: Tong et al., VideoMAE, arXiv:2203.12602, Section 3.3 (tubes).
    """

    def __init__(
            self,
            kind: str,
            mask_ratio: float = 0.8,
            grid: Tuple[int, int, int] = (8, 14, 14),
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f'kind of TokenMask must be one of '
                             f'{list(KINDS)}, but got {kind!r}')
        if len(grid) != 3 or min(grid) < 1:
            raise ValueError('grid of TokenMask must be (frames, rows, '
                             f'columns), all positive, but got {grid}')
        given: Any = mask_ratio  # also a number of numpy
        if not isinstance(given, Real) or not isfinite(given):
            raise ValueError('mask_ratio of TokenMask must be a number '
                             f'between 0 and 1, but got {mask_ratio!r}')
        self.kind, self.mask_ratio = kind, mask_ratio
        self.grid = tuple(grid)
        t, h, w = self.grid
        # Things to choose from, and how many of them are dropped.
        # Whole numbers are multiplied first: a product of floats in another
        # order can be cut to another whole number.
        self.count, self.dropped = {
            'tube': (h * w, int(mask_ratio * (h * w))),
            'random': (t * h * w, int(mask_ratio * (t * h * w))),
            'tube_row': (h, int(mask_ratio * h)),
            'random_row': (t * h, t * int(mask_ratio * h)),
        }[kind]
        if not 0 < self.dropped < self.count:
            what = 'rows' if 'row' in kind else 'tokens'
            raise ValueError(
                f'mask_ratio={mask_ratio} of TokenMask drops {self.dropped} '
                f'of {self.count} {what} ({kind!r}, grid {self.grid}); some '
                'must be dropped and some must stay')

    def _draw(self) -> np.ndarray:
        mask = np.arange(self.count) < self.dropped
        np.random.shuffle(mask)
        return mask

    def transform(self, results: dict) -> dict:
        """Add a mask to a sample.

        Args:
            results (dict): The sample.

        Returns:
            dict: The sample, with ``mask``.
        """
        t, h, w = self.grid
        if self.kind == 'tube':
            mask = np.tile(self._draw(), t)
        elif self.kind == 'random':
            mask = self._draw()
        elif self.kind == 'tube_row':
            # Rows, (t * h, ), become tokens, (t * h * w, ).
            mask = np.concatenate([self._draw() for _ in range(t)]).repeat(w)
        else:
            mask = self._draw().repeat(w)
        results['mask'] = mask
        return results

    def __repr__(self) -> str:
        return (f'{self.__class__.__name__}(kind={self.kind!r}, '
                f'mask_ratio={self.mask_ratio}, grid={self.grid})')
