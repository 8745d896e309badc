"""Deformable convolutions against torchvision and against resampling."""

from typing import NamedTuple

import pytest
import torch
import torchvision
from mmcv.ops import (
    DeformConv2dPack,
    ModulatedDeformConv2dPack,
    deform_conv2d,
    modulated_deform_conv2d,
)
from torch.autograd import gradcheck
from torch.nn import functional

BATCH, CHANNELS, OUT_CHANNELS, HEIGHT, WIDTH = 4, 8, 6, 7, 9


class Case(NamedTuple):
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    deform_groups: int = 1

    @property
    def arguments(self):
        return self[1:]

    @property
    def size(self):
        sides = zip((HEIGHT, WIDTH), *self[:4], strict=True)
        return tuple(
            (side + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
            for side, kernel, stride, padding, dilation in sides
        )


CASES = [
    pytest.param(Case(), id='plain'),
    pytest.param(Case(groups=2), id='groups'),
    pytest.param(Case(deform_groups=4), id='deform_groups'),
    pytest.param(
        Case((3, 2), (2, 1), (0, 2), (1, 2), groups=2, deform_groups=2),
        id='asymmetric',
    ),
]


def draw(case, device='cpu', dtype=torch.float32, spread=3.0, batch=BATCH):
    """Return input, offset, mask, weight and bias, all requiring gradients."""
    points = case.deform_groups * case.kernel[0] * case.kernel[1]
    shapes = [
        (batch, CHANNELS, HEIGHT, WIDTH),
        (batch, 2 * points, *case.size),
        (batch, points, *case.size),
        (OUT_CHANNELS, CHANNELS // case.groups, *case.kernel),
        (OUT_CHANNELS,),
    ]
    tensors = [torch.randn(shape, device=device, dtype=dtype) for shape in shapes]
    tensors[1] *= spread
    return [tensor.requires_grad_() for tensor in tensors]


def compare(ours, theirs, leaves, **tolerance):
    torch.testing.assert_close(ours, theirs, **tolerance)
    weight = torch.randn_like(ours)
    for pair in zip(
        torch.autograd.grad((ours * weight).sum(), leaves),
        torch.autograd.grad((theirs * weight).sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(*pair, **tolerance)


def resample(x, offset, mask, weight, bias, case):
    """Deformable convolution as grid_sample followed by a matrix product."""
    (kernel_h, kernel_w), stride, padding, dilation, groups, deform_groups = case
    height, width = case.size
    offset = offset.unflatten(1, (deform_groups, kernel_h * kernel_w, 2))
    mask = mask.unflatten(1, (deform_groups, kernel_h * kernel_w))
    rows = torch.arange(height).view(-1, 1) * stride[0] - padding[0]
    columns = torch.arange(width) * stride[1] - padding[1]
    parts = x.chunk(deform_groups, dim=1)
    samples = []
    for point in range(kernel_h * kernel_w):
        i, j = divmod(point, kernel_w)
        sampled = []
        for group, part in enumerate(parts):
            y = rows.to(x) + i * dilation[0] + offset[:, group, point, 0]
            u = columns.to(x) + j * dilation[1] + offset[:, group, point, 1]
            grid = torch.stack((u * 2 / (WIDTH - 1), y * 2 / (HEIGHT - 1)), -1) - 1
            values = functional.grid_sample(part, grid, align_corners=True)
            sampled.append(values * mask[:, group, point].unsqueeze(1))
        samples.append(torch.cat(sampled, dim=1))
    stacked = torch.stack(samples, dim=2).unflatten(1, (groups, -1))
    kernel = weight.flatten(start_dim=2).unflatten(0, (groups, -1))
    output = torch.einsum('bgcpyx,gocp->bgoyx', stacked, kernel)
    return output.flatten(1, 2) + bias.view(-1, 1, 1)


@pytest.mark.parametrize('case', CASES)
def test_resampling(device, case):
    x, offset, mask, weight, bias = draw(case, device, torch.float64)
    leaves = [x, offset, mask, weight, bias]
    ours = modulated_deform_conv2d(*leaves, *case.arguments)
    compare(ours, resample(*leaves, case), leaves)

    ours = deform_conv2d(x, offset, weight, *case.arguments)
    theirs = resample(x, offset, torch.ones_like(mask), weight, 0 * bias, case)
    compare(ours, theirs, [x, offset, weight])


@pytest.mark.parametrize('case', CASES)
def test_agrees_with_torchvision(device, case):
    x, offset, mask, weight, bias = draw(case, device)
    settings = (case.stride, case.padding, case.dilation)
    tolerance = dict(rtol=1e-4, atol=1e-4)

    ours = deform_conv2d(x, offset, weight, *case.arguments)
    theirs = torchvision.ops.deform_conv2d(x, offset, weight, None, *settings)
    compare(ours, theirs, [x, offset, weight], **tolerance)

    ours = modulated_deform_conv2d(x, offset, mask, weight, bias, *case.arguments)
    theirs = torchvision.ops.deform_conv2d(x, offset, weight, bias, *settings, mask)
    compare(ours, theirs, [x, offset, weight, bias, mask], **tolerance)

    ours = modulated_deform_conv2d(x, offset, mask, weight, None, *case.arguments)
    theirs = torchvision.ops.deform_conv2d(x, offset, weight, None, *settings, mask)
    compare(ours, theirs, [x, offset, weight, mask], **tolerance)


@pytest.mark.parametrize('case', CASES)
def test_without_displacement_it_is_a_convolution(device, case):
    x, offset, mask, weight, bias = draw(case, device, torch.float64, spread=0.0)
    ours = modulated_deform_conv2d(
        x, offset, torch.ones_like(mask), weight, bias, *case.arguments
    )
    settings = (case.stride, case.padding, case.dilation, case.groups)
    theirs = functional.conv2d(x, weight, bias, *settings)
    compare(ours, theirs, [x, weight, bias])


def test_gradcheck(device):
    case = Case((2, 2), padding=(0, 0), groups=2, deform_groups=2)
    x, offset, mask, weight, bias = draw(case, device, torch.float64, batch=1)
    x, offset, mask = (leaf.detach() for leaf in (x, offset, mask))
    x, mask = x[..., :3, :3].clone(), mask[..., :2, :2].clone()
    offset = torch.rand_like(offset[..., :2, :2]) * 0.8 + 0.1
    weight, bias = weight.detach()[:2].clone(), bias.detach()[:2].clone()
    leaves = [leaf.requires_grad_() for leaf in (x, offset, mask, weight, bias)]
    arguments = case.arguments
    # Atomic additions on a GPU are not reproducible to the last bit.
    assert gradcheck(
        lambda *operands: modulated_deform_conv2d(*operands, *arguments),
        leaves,
        nondet_tol=1e-9,
    )
    assert gradcheck(
        lambda *operands: deform_conv2d(*operands, *arguments),
        [x, offset, weight],
        nondet_tol=1e-9,
    )


def test_im2col_step_has_no_effect(device):
    case = Case()
    x, offset, _, weight, _ = draw(case, device)
    whole = deform_conv2d(x, offset, weight, *case.arguments, False, 32)
    halves = deform_conv2d(x, offset, weight, *case.arguments, False, 2)
    torch.testing.assert_close(halves, whole)
    with pytest.raises(AssertionError, match='divisible'):
        deform_conv2d(x, offset, weight, *case.arguments, False, 3)


def test_weights_add_up_with_a_scale(extension, device):
    case = Case()
    x, offset, _, weight, _ = (leaf.detach() for leaf in draw(case, device))
    grad = torch.randn(BATCH, OUT_CHANNELS, *case.size, device=device)
    none = x.new_empty(0)
    names = 'kW kH dW dH padW padH dilationW dilationH group deformable_group'
    geometry = dict(zip(names.split(), (3, 3, *[1] * 8), strict=True))

    once, total = torch.zeros_like(weight), torch.ones_like(weight)
    for buffer, scale in ((once, 1.0), (total, 0.5)):
        extension.deform_conv_backward_parameters(
            x, offset, grad, buffer, none, none, **geometry, scale=scale, im2col_step=4
        )
    torch.testing.assert_close(total, 1 + 0.5 * once)

    fresh, used = torch.zeros_like(x), torch.ones_like(x)
    offsets = [torch.full_like(offset, value) for value in (0.0, 5.0)]
    for buffer, grad_offset in zip((fresh, used), offsets, strict=True):
        extension.deform_conv_backward_input(
            x,
            offset,
            grad,
            buffer,
            grad_offset,
            weight,
            none,
            **geometry,
            im2col_step=4,
        )
    torch.testing.assert_close(used, 1 + fresh)
    torch.testing.assert_close(*offsets)


def test_samples_one_pixel_before_the_image_take_no_gradient(device):
    """Where offsets start from 0, padding puts a border of samples there."""
    case = Case()
    x, offset, mask, weight, bias = draw(case, device, spread=0.0)
    output = modulated_deform_conv2d(x, offset, mask, weight, bias, *case.arguments)
    (gradient,) = torch.autograd.grad(output.sum(), offset)
    gradient = gradient.unflatten(1, (3, 3, 2))
    assert not gradient[:, 0, :, :, 0].any()
    assert not gradient[:, :, 0, :, :, 0].any()
    assert gradient[:, 1, :, 0, 0].any()
    assert gradient[:, :, 1, 1, :, 0].any()


@pytest.mark.parametrize('pack', [DeformConv2dPack, ModulatedDeformConv2dPack])
def test_layers_under_autocast(device, pack):
    layer = pack(CHANNELS, OUT_CHANNELS, 3, padding=1).to(device)
    torch.nn.init.normal_(layer.conv_offset.weight, std=0.1)
    x = torch.randn(2, CHANNELS, HEIGHT, WIDTH, device=device)
    expected = layer(x)
    with torch.autocast(device, torch.bfloat16):
        output = layer(x)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), expected, rtol=0.1, atol=0.1)
    output.sum().backward()
    for parameter in layer.parameters():
        assert parameter.grad.dtype == torch.float32
        assert parameter.grad.isfinite().all()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_rounds_once(device, dtype):
    case = Case(groups=2, deform_groups=2)
    half = [leaf.detach().to(dtype).requires_grad_() for leaf in draw(case, device)]
    single = [leaf.detach().float().requires_grad_() for leaf in half]
    outputs = []
    for leaves in (half, single):
        with torch.autocast(device, torch.bfloat16):
            outputs.append(modulated_deform_conv2d(*leaves, *case.arguments))
    assert outputs[0].dtype == dtype
    assert torch.equal(outputs[0], outputs[1].to(dtype))
    for output in outputs:
        output.sum().backward()
    for narrow, wide in zip(half, single, strict=True):
        torch.testing.assert_close(narrow.grad, wide.grad.to(dtype))


@pytest.mark.compiled_mmcv
@pytest.mark.parametrize('spread', [3.0, 0.0])
@pytest.mark.parametrize('case', CASES)
def test_as_compiled(as_compiled, device, case, spread):
    x, offset, mask, weight, bias = draw(case, device, spread=spread)
    grad = torch.randn(BATCH, OUT_CHANNELS, *case.size, device=device)

    def plain():
        output = deform_conv2d(x, offset, weight, *case.arguments)
        return output, *torch.autograd.grad(output, (x, offset, weight), grad)

    tolerance = dict(rtol=1e-4, atol=1e-4)
    as_compiled(plain, **tolerance)

    def with_bias():
        leaves = [x, offset, mask, weight, bias]
        output = modulated_deform_conv2d(*leaves, *case.arguments)
        return output, *torch.autograd.grad(output, leaves, grad)

    as_compiled(with_bias, **tolerance)

    def without_bias():
        leaves = [x, offset, mask, weight]
        output = modulated_deform_conv2d(*leaves, None, *case.arguments)
        return output, *torch.autograd.grad(output, leaves, grad)

    as_compiled(without_bias, **tolerance)
