"""The Triton kernels without a GPU, under Triton's interpreter.

The interpreter is chosen before Triton is imported, so another process runs
small cases of the tests of all backends.
"""
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
CASES = {
    'tests/ops/scan/test_scan_api.py': [
        'test_backend_is_the_definition[triton-(1, 1, 48, 16)-False-'
        'torch.float32]',
        'test_backend_is_the_definition[triton-(3, 2, 65, 4)-True-'
        'torch.bfloat16]',
        'test_backend_is_the_definition[triton-(1, 9, 65, 16)-True-'
        'torch.float32]',
        'test_optional_inputs[triton-absent3-False]',
        # Long enough for several chunks side by side.
        'test_extreme_steps[triton-True-steps4]',
        'test_strides_do_not_matter[triton]',
        'test_odd_offsets_do_not_matter[triton]',
        'test_golden[triton-plain_L20]',
        'test_bidirectional_under_autocast[triton]',
    ],
    'tests/ops/conv/test_conv_api.py': [
        'test_backend_is_the_definition[triton-(3, 8, 48, 2)-False-'
        'torch.float16]',
        'test_options[triton-False-silu]',
        'test_one_token_with_odd_strides[triton]',
        'test_kernels_of_many_very_long_sequences',
    ],
    'tests/ops/clip_augment/test_clip_augment_api.py': [
        'test_each_operation[triton]',
        'test_clips_of_many_sizes_with_several_operations[triton]',
        'test_crop[triton-True-bicubic-1.0-size0]',
        'test_crop[triton-False-bilinear-0.001-size1]',
        'test_noise[triton]',
    ],
    'tests/ops/channels_first/test_channels_first_scan.py': [
        'test_published_sizes[triton-8-torch.float32-2]',
    ],
    'tests/ops/channels_first/test_channels_first_conv.py': [
        'test_published_sizes[triton-8-torch.float16]',
    ],
    'tests/ops/norm/test_norm_api.py': [
        'test_backend_is_the_definition[triton-(3, 7, 65)-torch.float32-True]',
    ],
    'tests/ops/mixer/test_mixer_api.py': [
        'test_backend_is_the_definition[triton-(1, 1, 24, 16)-torch.float16]',
        'test_backend_is_the_definition[triton-(3, 2, 33, 4)-torch.bfloat16]',
        'test_backend_is_the_definition[triton-(2, 9, 24, 16)-torch.float32]',
        'test_backend_is_the_definition[triton-(0, 5, 24, 16)-torch.float16]',
        'test_options[triton-True-_b]',
        'test_logarithms_of_rates[triton-inside]',
        'test_one_token_with_odd_strides[triton]',
    ],
    'tests/ops/mixer/triton/test_mixer_op.py': [
        'test_launches_of_a_training_step[3]',
    ],
    'tests/ops/mixer/triton/test_weight_gradients.py': [
        'test_kernel_is_the_plain_form[(33, 4, 8, 1)-40-2-torch.bfloat16]',
        'test_without_projections_and_with_logarithms',
    ],
    'tests/ops/mixer/triton/test_weights.py': [
        'test_kernel_is_the_plain_form[(33, 4, 8, 1)-torch.float32-'
        'torch.bfloat16]',
        'test_kernel_is_the_plain_form[(70, 64, 45, 5)-torch.float16-'
        'torch.float32]',
        'test_strides_and_mixed_dtypes',
        'test_projections_are_cast[(True, False)-torch.float32]',
    ],
    'tests/ops/scan/triton/test_scan_op.py': ['test_inputs_alone_are_kept'],
    'tests/ops/scan/triton/test_scan_launch.py': [
        'test_kernels[1-(1, 3, 32, 16)-torch.float16-True]',
        'test_kernels[5-(1, 7, 34, 16)-torch.bfloat16-False]',
        'test_the_other_kernels_take_16_states_in_half_precision',
        'test_nothing_beyond_a_tensor_is_fetched_ahead',
        'test_chunks_that_nothing_or_all_is_left_of[300.0]',
        'test_whole_sequences_and_chunks_side_by_side[16]',
    ],
    'tests/models/backbones/test_compile.py': [
        'test_no_graph_break[triton]',
        'test_other_batch_sizes[triton]',
    ],
}


@pytest.mark.skipif(
    torch.cuda.is_available(), reason='the kernels run on the GPU')
@pytest.mark.skipif(
    os.environ.get('TRITON_INTERPRET') == '1',
    reason='all tests run under the interpreter')
@pytest.mark.skipif(
    importlib.util.find_spec('triton') is None, reason='no Triton here')
@pytest.mark.slow(minutes=4)
def test_kernels_under_the_interpreter():
    cases = [f'{file}::{case}' for file in CASES for case in CASES[file]]
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider'] +
        cases,
        cwd=ROOT,
        env=dict(os.environ, TRITON_INTERPRET='1'),
        capture_output=True,
        text=True)
    last = done.stdout.splitlines()[-1]
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    # None of them skipped.
    assert last.startswith(f'{len(cases)} passed'), last
