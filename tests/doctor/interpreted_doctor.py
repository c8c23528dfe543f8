"""Run the doctor under Triton's interpreter, with kernels right and wrong.

The arguments name functions; the environment has TRITON_INTERPRET=1
and a cache folder of the test's own.
"""
import ast
import json
import logging
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Set, Tuple

import torch
from triton.runtime.interpreter import InterpretedFunction

import mmvideomamba
from mmvideomamba.doctor import kernels
from mmvideomamba.ops import causal_conv1d, dispatch, self_check
from mmvideomamba.ops.conv.triton import launch as conv_launch
from mmvideomamba.ops.norm.triton import launch as norm_launch
from mmvideomamba.ops.runtime import verdicts
from mmvideomamba.ops.scan.triton import schedule
from mmvideomamba.ops.scan.triton.launch import uses_n16_kernels
from mmvideomamba.ops.self_check.cases import Layout

CASES = self_check.CASES
CPU = torch.device('cpu')


class Changed:
    """A kernel with something done in place of, or after, a launch.

    Args:
        launch (Callable): Takes the kernel's launch and the arguments.
        kernel (InterpretedFunction): The kernel.
    """

    def __init__(self, launch: Callable, kernel: Any) -> None:
        self.launch, self.kernel = launch, kernel

    def __getitem__(self, grid: tuple) -> Callable:

        def run(*args: Any, **kwargs: Any) -> None:
            self.launch(self.kernel[grid], *args, **kwargs)

        return run


def all_kernels() -> Set[str]:
    """Return the jitted functions of the models' ops, less helpers.

    The pixels of clip_augment are defined by PIL and OpenCV, not by a form in
    torch for the self-check to compare with.
    """
    jitted, called = set(), set()
    root = Path(mmvideomamba.__file__).parent / 'ops'
    for path in root.rglob('*.py'):
        if 'clip_augment' in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and any(
                    'triton.jit' in ast.unparse(d)
                    for d in node.decorator_list):
                jitted.add(node.name)
                called |= {
                    n.func.id
                    for n in ast.walk(node) if isinstance(n, ast.Call)
                    and isinstance(n.func, ast.Name)
                }
    return jitted - called


def coverage() -> Dict[str, List[str]]:
    """Count the kernels launched by each dtype; none computes anything."""
    seen: Set[str] = set()

    def note(self: Any, *args: Any, grid: tuple, **kwargs: Any) -> None:
        seen.add(self.fn.__name__)

    # Chunks from few tokens on.
    schedule.MIN_CHUNK = 8
    compute, InterpretedFunction.run = InterpretedFunction.run, note
    try:
        rows = self_check.self_check(
            CPU, self_check.Sizes(Layout(1, 9, 4), Layout(1, 3, 4)))
    finally:
        InterpretedFunction.run = compute
    return dict(
        missing=sorted(all_kernels() - seen),
        launched=sorted(seen),
        # Nothing was written, so no row may be right.
        right=[r.case.title for r in rows if r.right],
        errors=[r.worst for r in rows if 'Error' in r.worst])


def two_percent(launch: Callable, *args: Any, **kwargs: Any) -> None:
    """Get a channel block of the normalised stream wrong by 2 %."""
    launch(*args, **kwargs)
    y = args[3]
    y[..., :32] *= 1.02


def unwritten(launch: Callable, *args: Any, **kwargs: Any) -> None:
    """Leave the outputs unwritten."""


def _cases(*titles: str) -> Tuple[self_check.Case, ...]:
    return tuple(c for c in CASES if c.title in titles)


def doctor() -> Dict[str, Any]:
    """Run the doctor on two ops, right first, then with wrong kernels."""
    kernels.TINY_SIZES = self_check.Sizes(Layout(1, 3, 68), Layout(2, 2, 68))
    kernels.CASES = _cases('add_rms_norm')
    codes = [kernels.check_kernels()]
    norm_launch.norm_fwd_kernel = Changed(two_percent,
                                          norm_launch.norm_fwd_kernel)
    conv_launch.conv_bwd_kernel = Changed(unwritten,
                                          conv_launch.conv_bwd_kernel)
    kernels.TINY_SIZES = self_check.Sizes(Layout(1, 2, 36), Layout(2, 1, 36))
    kernels.CASES = _cases('add_rms_norm', 'causal_conv1d')
    codes.append(kernels.check_kernels())
    # Besides, a verdict on kernels too slow for the interpreter.
    facts = verdicts.facts_of(verdicts.CPU)
    found = verdicts.read_verdict(facts)
    assert found is not None
    slow = verdicts.Wrong(verdicts.N16_SCAN, torch.bfloat16, 'errors')
    verdicts.keep_verdict(facts, [*found.wrong, slow])
    return dict(codes=codes)


def later_process() -> Dict[str, Any]:
    """Use the ops as any process does, and return the choices."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)

    def picked(op: str, dtype: torch.dtype) -> str:
        return dispatch.resolve(op, 'auto', torch.ones(1, dtype=dtype))[0]

    def choices() -> List[str]:
        return [
            picked(op, torch.float32)
            for op in ('add_rms_norm', 'causal_conv1d', 'selective_scan',
                       'bidirectional_mixer')
        ]

    found: Dict[str, Any] = dict(
        auto=choices(),
        n16=[
            uses_n16_kernels(t, 32, 16)
            for t in (torch.bfloat16, torch.float16)
        ])
    x = torch.ones(1, 2, 4)
    for _ in range(2):
        causal_conv1d(x, torch.ones(4, 2), backend='triton')
    verdicts.setting = lambda name: 'ignore'  # type: ignore[assignment]
    verdicts.forget()
    found['ignored'] = choices()
    return found


if __name__ == '__main__':
    done = dict(coverage=coverage, doctor=doctor, later_process=later_process)
    print(json.dumps({name: done[name]() for name in sys.argv[1:]}))
