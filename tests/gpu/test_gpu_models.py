"""The backbone on a GPU: compilers, graphs, autocast, memory, training."""
import os
from typing import Any, Callable, Dict, List, Tuple

import pytest
import torch
import torch.nn.functional as F
from common import assert_close, device_of, small_backbone
from gpu_marks import DEVICE, GPU_ONLY
from torch import Tensor
from torch.nn.utils import parametrizations
from torch.utils.flop_counter import FlopCounterMode

from mmvideomamba.models import VideoMamba
from mmvideomamba.models.backbones import graphed
from mmvideomamba.ops import add_rms_norm, use_backend

pytestmark = GPU_ONLY

TINY = dict(
    arch=dict(embed_dims=48, num_layers=2),
    img_size=32,
    mixer_cfg=dict(backend='triton'))


def tiny(**kwargs) -> VideoMamba:
    """Return a backbone of two blocks on the GPU."""
    return small_backbone(**{**TINY, **kwargs}).to(DEVICE)


def clips(batch: int = 2, side: int = 32) -> Tensor:
    return torch.randn(batch, 3, 4, side, side, device=DEVICE)


def gradients_of(model: torch.nn.Module, forward: Callable,
                 x: Tensor) -> Dict[str, Tensor]:
    """Return the output and the gradients of all weights by name."""
    model.zero_grad()
    y, = forward(x)
    y.square().sum().backward()
    return dict({
        k: p.grad.clone()
        for k, p in model.named_parameters()
    },
                output=y.detach())


def test_compiles_without_a_graph_break():
    torch.compiler.reset()
    model, x = tiny(), clips()
    wanted = gradients_of(model, model, x)
    found = gradients_of(model, torch.compile(model, fullgraph=True), x)
    for name, value in wanted.items():
        assert_close(found[name], value, 'chain', name=name)


def test_compiled_graph_holds_the_kernels():
    """Not the definition in torch, of hundreds of operators a layer."""
    torch.compiler.reset()
    graphs: List[torch.fx.GraphModule] = []

    def keep(graph: torch.fx.GraphModule, _: List[Tensor]) -> Callable:
        graphs.append(graph)
        return graph

    model = tiny()
    torch.compile(model, backend=keep, fullgraph=True)(clips())
    graph, = graphs
    names = [str(node.target) for node in graph.graph.nodes]
    mixers = [name for name in names if 'mmvideomamba.mixer' in name]
    assert len(mixers) == len(model.layers)


def test_compiles_with_drop_path_and_recomputation():
    torch.compiler.reset()
    model = tiny(drop_path_rate=0.5, checkpoint_layers=1).train()
    x, results = clips(6), []
    # The compiler's own generator draws other numbers.
    with torch._inductor.config.patch(fallback_random=True):
        for forward in (model, torch.compile(model, fullgraph=True)):
            torch.manual_seed(1)
            results.append(gradients_of(model, forward, x))
    for name, value in results[0].items():
        assert_close(results[1][name], value, 'chain', name=name)


def test_compiles_for_small_batches():
    torch.compiler.reset()
    model, x = tiny().eval(), clips(1)
    compiled = torch.compile(model, mode='reduce-overhead', fullgraph=True)
    with torch.no_grad(), torch.autocast('cuda', torch.bfloat16):
        wanted = model(x)[0]
        for _ in range(3):
            found = compiled(x)[0]
            assert found.dtype == wanted.dtype
            assert_close(found, wanted, 'chain')


def launches(call: Callable[[], Any]) -> Tuple[int, Any]:
    """Count the kernels, copies and fills of a call."""
    call()
    torch.cuda.synchronize()
    # Else an end of the profiler harms graphs captured before.
    os.environ.setdefault('TEARDOWN_CUPTI', '0')
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        result = call()
        torch.cuda.synchronize()
    kind = torch.autograd.DeviceType.CUDA
    count = sum(e.device_type == kind for e in profile.events() or [])
    if not count:
        pytest.skip('this machine allows no profiles')
    return count, result


@pytest.mark.parametrize('draw', [False, True])
def test_launches_of_a_norm(draw):
    x = torch.randn(4, 99, 192, device=DEVICE).bfloat16().requires_grad_()
    residual = torch.randn(4, 99, 192, device=DEVICE, requires_grad=True)
    weight = torch.ones(192, device=DEVICE, requires_grad=True)
    drop = torch.rand(4, device=DEVICE) if draw else None

    def forward():
        return add_rms_norm(x, residual, weight, draw=drop, drop_prob=.25)

    count, outs = launches(forward)
    assert count == 1
    for through in (outs, outs[:1]):
        cotangents = [torch.ones_like(y) for y in through]
        count, found = launches(lambda: torch.autograd.grad(
            through, (x, residual, weight), cotangents, retain_graph=True))
        # The second sums the weight gradient over programs.
        assert count == 2
        assert all(g.is_contiguous() for g in found)


def count(model: VideoMamba) -> int:
    """Return the number of graphs of a graphed model."""
    return len(model.forward.graphs)


@pytest.mark.parametrize('autocast', [False, True])
def test_graph(autocast):
    model = tiny().eval()
    inputs = [clips(1), clips(1), clips(3), clips(1)]
    with torch.no_grad(), torch.autocast(
            'cuda', torch.bfloat16, enabled=autocast):
        wanted = [model(x)[0] for x in inputs]
        graphed(model)
        # Kept, because a replay must not write over them.
        found = [model(x)[0] for x in inputs]
    assert count(model) == 2
    for a, b in zip(found, wanted):
        assert a.dtype == b.dtype
        assert_close(a, b)


def test_graph_follows_the_weights():
    model, x = graphed(tiny().eval()), clips(1)
    with torch.no_grad():
        before = model(x)[0]
        model.norm_f.weight *= 2
        assert_close(model(x)[0], before * 2)
        other = tiny().eval()
        model.load_state_dict(other.state_dict())
        assert_close(model(x)[0], other(x)[0])
        assert count(model) == 1
        model.bfloat16()
        other.bfloat16()
        x = x.bfloat16()
        assert_close(model(x)[0], other(x)[0])
        assert count(model) == 1


def test_graph_across_inference_modes():
    model, x = graphed(tiny().eval()), clips(1)
    wanted = model(x)[0]
    for context in (torch.inference_mode, torch.no_grad):
        for _ in range(2):
            with context():
                assert_close(model(x)[0], wanted)
    assert count(model) == 1


def test_calls_that_no_graph_can_stand_for():
    model, x = graphed(tiny().eval()), clips(2)
    model(x)[0].sum().backward()
    assert model.cls_token.grad is not None
    mask = torch.zeros(2, 64, dtype=torch.bool, device=DEVICE)
    mask[:, :5] = True
    with torch.no_grad():
        model(x, mask)
        model(x[:0])
        model.train()
        model(x)
    assert count(model) == 0


def test_graphs_end_with_changed_layers():
    model, x = graphed(tiny().eval()), clips(1)
    with torch.no_grad():
        before = model(x)[0]
        assert count(model) == 1
        layer = model.layers[0].mixer.in_proj
        handle = layer.register_forward_hook(lambda layer, args, y: 0 * y)
        assert (model(x)[0] - before).abs().max() > 1e-3
        assert count(model) == 0
        handle.remove()
        assert_close(model(x)[0], before)
        assert count(model) == 1
        weights = {k: 2 * v for k, v in model.state_dict().items()}
        model.load_state_dict(weights, assign=True)
        assert_close(model(x)[0], type(model).forward(model, x)[0])
        assert count(model) == 1


def with_hooks(model: torch.nn.Module) -> torch.nn.Module:
    """Put hooks on all layers, so that each layer is called."""
    for module in model.modules():
        module.register_forward_hook(lambda *_: None)
    return model


def test_layers_with_hooks():
    model, x = tiny(), clips(2)
    fused = gradients_of(model, model, x)
    called = gradients_of(model, with_hooks(model), x)
    for name, value in fused.items():
        assert_close(called[name], value, 'chain', name=name)


def test_layers_with_hooks_under_autocast():
    """Called layers are about as near to float32 as the fused op.

    Called layers and the fused op round to bfloat16 at different points.
    Random models amplify rounding by up to 30 times, in all parameters alike:
    errors of many models are compared, and not errors of each parameter.
    """
    errors = torch.zeros(2)
    for seed in range(8):
        torch.manual_seed(seed)
        model, x = tiny(), clips(2)
        exact = gradients_of(model, model, x)
        with torch.autocast('cuda', torch.bfloat16):
            found = [
                gradients_of(model, model, x),
                gradients_of(model, with_hooks(model), x)
            ]
        for name, value in exact.items():
            if not value.any():
                continue
            for i, part in enumerate(found):
                errors[i] += ((part[name] - value).norm() / value.norm()).cpu()
    fused, called = errors / len(exact) / 8
    assert called < 2 * fused < 0.6


def test_tracers_see_operators_of_torch():
    """Kernels of Triton are not part of exported graphs, nor of counts."""
    model, x = small_backbone().to(DEVICE).eval(), clips(2, 16)
    with torch.no_grad():
        wanted = model(x)[0]
        program = torch.export.export(model, (x, ))
        traced = torch.jit.trace(model, x)
        for forward in (program.module(), traced):
            assert_close(forward(x)[0], wanted, 'chain')
        with FlopCounterMode(display=False) as counter:
            assert_close(model(x)[0], wanted, 'chain')
    names = {str(node.target) for node in program.graph.nodes}
    assert not any('mmvideomamba' in name for name in names)
    cpu = small_backbone().eval()
    with FlopCounterMode(display=False) as expected, torch.no_grad():
        cpu(x.cpu())
    assert counter.get_total_flops() == expected.get_total_flops() > 0


def test_compiles_with_a_called_layer():
    torch.compiler.reset()
    model, x = tiny(), clips()
    parametrizations.weight_norm(model.layers[0].mixer.in_proj)
    wanted = gradients_of(model, model, x)
    found = gradients_of(model, torch.compile(model, fullgraph=True), x)
    for name, value in wanted.items():
        assert_close(found[name], value, 'chain', name=name)


def test_graph_follows_the_settings():
    model, x = graphed(tiny().eval()), clips(1)
    with torch.no_grad():
        before = model(x)[0]
        for block in model.layers:
            block.norm.eps = 1.
        found = model(x)[0]
        assert count(model) == 1
        wanted = tiny().eval()
        wanted.load_state_dict(model.state_dict())
        for block in wanted.layers:
            block.norm.eps = 1.
        assert_close(found, wanted(x)[0])
    assert not torch.equal(found, before)


def test_graphs_have_a_limit():
    model = graphed(tiny().eval(), max_graphs=1)
    with torch.no_grad():
        for batch in (1, 2, 2, 1):
            x = clips(batch)
            assert_close(model(x)[0], type(model).forward(model, x)[0])
    assert [g is None for g in model.forward.graphs.values()] == [False, True]


def test_capture_by_hand():
    model, x = tiny().eval(), clips(1)
    with torch.no_grad():
        wanted = model(x)[0]
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            found = model(x)[0]
        found.fill_(float('nan'))
        graph.replay()
    assert_close(found, wanted)


def test_dtypes_under_autocast(kernels):
    model, x = tiny(mixer_cfg=dict(backend=kernels)), clips()
    streams = []
    for layer in model.layers:
        layer.register_forward_hook(lambda _, __, out: streams.append(out))
    with torch.autocast('cuda', torch.bfloat16):
        y, = model(x)
    assert y.dtype == torch.bfloat16
    for hidden, residual in streams:
        assert hidden.dtype == torch.bfloat16
        assert residual.dtype == torch.float32
    y.float().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.dtype == torch.float32, name


def peak(backend: str) -> int:
    """Return the bytes of a training step besides the weights."""
    model = VideoMamba(
        arch='tiny',
        num_frames=8,
        drop_path_rate=0.,
        mixer_cfg=dict(backend=backend)).to(DEVICE)
    x = torch.randn(16, 3, 8, 224, 224, device=DEVICE)
    for _ in range(2):
        model.zero_grad()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        with torch.autocast('cuda', torch.bfloat16):
            y, = model(x)
        y.float().square().mean().backward()
    return torch.cuda.max_memory_allocated() - before


def test_memory_of_training():
    reason = device_of('mamba_ssm')[1]
    if reason:
        pytest.skip(reason)
    assert peak('triton') <= 0.5 * peak('mamba_ssm')


def moving_squares(steps: int) -> List[tuple]:
    """Return batches of clips of squares that move left or right."""
    batches = []
    for _ in range(steps):
        labels = torch.arange(4) % 2
        x = torch.randn(4, 3, 8, 32, 32) * 0.1
        for clip, label in zip(x, labels):
            row = int(torch.randint(0, 24, ()))
            for t in range(8):
                column = 3 * (7 - t if label else t)
                clip[:, t, row:row + 8, column:column + 8] += 1
        batches.append((x, labels))
    return batches


def loss_curve(optimizer: str, backend: str,
               device: torch.device) -> List[float]:
    """Return the losses of the first 20 steps of a training."""
    torch.manual_seed(0)
    batches = moving_squares(20)
    model = VideoMamba(
        arch=dict(embed_dims=48, num_layers=3),
        img_size=32,
        patch_size=8,
        num_frames=8,
        drop_path_rate=0.,
        mixer_cfg=dict(dt_init_range=(0.001, 0.1)))
    head = torch.nn.Linear(48, 2)
    torch.nn.ModuleList([model, head]).to(device)
    weights = [*model.parameters(), *head.parameters()]
    step = dict(
        SGD=lambda: torch.optim.SGD(weights, lr=0.05, momentum=0.9),
        AdamW=lambda: torch.optim.AdamW(weights, lr=1e-3))[optimizer]()
    losses = []
    with use_backend(backend):
        for x, labels in batches:
            step.zero_grad()
            loss = F.cross_entropy(
                head(model(x.to(device))[0]), labels.to(device))
            loss.backward()
            step.step()
            losses.append(loss.item())
    return losses


@pytest.mark.parametrize('optimizer', ['SGD', 'AdamW'])
def test_training_as_on_the_cpu(optimizer):
    found = loss_curve(optimizer, 'triton', DEVICE)
    wanted = loss_curve(optimizer, 'torch', torch.device('cpu'))
    assert wanted[-1] != wanted[0]
    assert found == pytest.approx(wanted, rel=1e-4)


@pytest.mark.skipif(
    torch.cuda.device_count() < 2, reason='only with a second GPU')
def test_a_gpu_that_is_not_the_current_one():
    model, x = tiny(), clips()
    wanted = gradients_of(model, model, x)
    model.to('cuda:1')
    assert torch.cuda.current_device() == 0
    found = gradients_of(model, model, x.to('cuda:1'))
    for name, value in wanted.items():
        assert found[name].device.index == 1
        assert_close(found[name].to(DEVICE), value, 'chain', name=name)


def test_a_stream_of_ones_own():
    model, x = tiny(), clips()
    wanted = gradients_of(model, model, x)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        # Long enough for kernels on another stream to overtake.
        y = x.clone()
        torch.cuda._sleep(10**8)
        y.mul_(2.).div_(2.)
        found = gradients_of(model, model, y)
    torch.cuda.current_stream().wait_stream(stream)
    for name, value in wanted.items():
        assert_close(found[name], value, 'chain', name=name)
