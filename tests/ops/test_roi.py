"""RoI operators against torchvision and against sampling by hand."""

import math

import pytest
import torch
import torchvision
from mmcv.ops import roi_align, roi_pool
from torch.autograd import gradcheck

SCALE = 0.5


def draw(device='cpu', dtype=torch.float32):
    """Features of two images, and RoIs of either that reach beyond them."""
    features = torch.rand(2, 3, 9, 11, device=device, dtype=dtype)
    corners = torch.rand(6, 2, device=device, dtype=dtype) * 18 - 3
    sizes = torch.rand(6, 2, device=device, dtype=dtype) * 12 + 0.5
    images = torch.tensor([0, 1, 1, 0, 1, 0], device=device, dtype=dtype)
    return features, torch.cat((images[:, None], corners, corners + sizes), dim=1)


def bilinear(plane, y, x):
    height, width = plane.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return plane.new_zeros(())
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = math.floor(y), math.floor(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    v, u = y - top, x - left
    upper = plane[top, left] * (1 - u) + plane[top, right] * u
    lower = plane[bottom, left] * (1 - u) + plane[bottom, right] * u
    return upper * (1 - v) + lower * v


def align_by_hand(features, rois, size, ratio, aligned):
    shift = 0.5 if aligned else 0
    output = features.new_zeros(len(rois), features.shape[1], *size)
    for r, (image, *corners) in enumerate(rois.tolist()):
        x1, y1, x2, y2 = (corner * SCALE - shift for corner in corners)
        width, height = x2 - x1, y2 - y1
        if not aligned:
            width, height = max(width, 1), max(height, 1)
        rows = ratio or math.ceil(height / size[0])
        columns = ratio or math.ceil(width / size[1])
        for c, plane in enumerate(features[int(image)]):
            for i in range(size[0] * rows):
                for j in range(size[1] * columns):
                    y = y1 + (i + 0.5) * height / size[0] / rows
                    x = x1 + (j + 0.5) * width / size[1] / columns
                    sample = bilinear(plane, y, x) / (rows * columns)
                    output[r, c, i // rows, j // columns] += sample
    return output


def pool_by_hand(features, rois, size):
    """Return the maxima and how often each pixel is one, as in mmcv."""
    _, channels, height, width = features.shape
    output = features.new_zeros(len(rois), channels, *size)
    gradient = torch.zeros_like(features)
    for r, (image, x1, y1, x2, y2) in enumerate(rois.tolist()):
        left, top = x1 * SCALE, y1 * SCALE
        step_x = ((x2 + 1) * SCALE - left) / size[1]
        step_y = ((y2 + 1) * SCALE - top) / size[0]
        if step_x <= 0 or step_y <= 0:
            continue
        for i in range(size[0]):
            for j in range(size[1]):
                rows = slice(
                    min(max(math.floor(top + i * step_y), 0), height),
                    min(max(math.ceil(top + (i + 1) * step_y), 0), height),
                )
                columns = slice(
                    min(max(math.floor(left + j * step_x), 0), width),
                    min(max(math.ceil(left + (j + 1) * step_x), 0), width),
                )
                for c in range(channels):
                    area = features[int(image), c, rows, columns]
                    if area.numel():
                        output[r, c, i, j] = area.max()
                        hits = gradient[int(image), c, rows, columns]
                        hits.view_as(area)[area == area.max()] += 1
    return output, gradient


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
def test_roi_align_samples_as_by_hand(device, ratio, aligned):
    features, rois = draw()
    expected = align_by_hand(features, rois, (3, 2), ratio, aligned)
    arguments = (rois.to(device), (3, 2), SCALE, ratio, 'avg', aligned)
    output = roi_align(features.to(device), *arguments)
    torch.testing.assert_close(output.cpu(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
def test_roi_align_agrees_with_torchvision(device, ratio, aligned):
    features, rois = draw(device)
    features.requires_grad_()
    weight = torch.rand(6, 3, 7, 7, device=device)
    ours = roi_align(features, rois, 7, SCALE, ratio, 'avg', aligned)
    theirs = torchvision.ops.roi_align(features, rois, 7, SCALE, ratio, aligned)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    gradients = [
        torch.autograd.grad((output * weight).sum(), features)[0]
        for output in (ours, theirs)
    ]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize('aligned', [True, False])
def test_roi_align_gradcheck(device, aligned):
    features, rois = draw(device, torch.float64)
    features.requires_grad_()
    settings = (rois, (2, 3), SCALE, 0, 'avg', aligned)
    # Atomic additions on a GPU are not reproducible to the last bit.
    assert gradcheck(lambda x: roi_align(x, *settings), features, nondet_tol=1e-9)


def test_roi_align_by_maximum_is_not_covered(extension, device):
    features, rois = draw(device)
    with pytest.raises(NotImplementedError, match=r"roi_align .*'max'.* pip install"):
        roi_align(features, rois, 2, SCALE, 0, 'max')
    with pytest.raises(NotImplementedError, match='roi_align'):
        extension.roi_align_backward(
            *(features,) * 5, 2, 2, SCALE, 0, pool_mode=0, aligned=True
        )


def test_roi_pool_as_by_hand(device):
    features, rois = draw()
    expected, gradient = pool_by_hand(features, rois, (3, 2))
    features = features.to(device).requires_grad_()
    output = roi_pool(features, rois.to(device), (3, 2), SCALE)
    output.sum().backward()
    torch.testing.assert_close(output.detach().cpu(), expected, rtol=0, atol=0)
    torch.testing.assert_close(features.grad.cpu(), gradient)


def test_roi_pool_gradcheck(device):
    """Of distinct values, since equal maxima have no derivative."""
    features, rois = draw(device, torch.float64)
    pixels = torch.randperm(features.numel(), device=device)
    features = pixels.view_as(features).double().requires_grad_()
    assert gradcheck(
        lambda x: roi_pool(x, rois, (2, 3), SCALE), features, nondet_tol=1e-9
    )


def test_roi_pool_agrees_with_torchvision_on_whole_pixels(device):
    features, rois = draw(device)
    rois[:, 1:] = rois[:, 1:].round()
    rois[:, 3:] = rois[:, 1:3] + 3
    ours = roi_pool(features, rois, 2, 1.0)
    theirs = torchvision.ops.roi_pool(features, rois, 2, 1.0)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_bins_are_cut_as_mmcv_cuts_them(extension, device):
    """Of 4 columns in 3 bins, neighbours share the column that both touch."""
    features = torch.arange(4.0, device=device).view(1, 1, 1, 4)
    rois = torch.tensor([[0.0, 0, 0, 3, 0]], device=device)
    output = torch.zeros(1, 1, 1, 3, device=device)
    argmax = torch.zeros(1, 1, 1, 3, device=device, dtype=torch.int32)
    extension.roi_pool_forward(features.flip(3), rois, output, argmax, 1, 3, 1.0)
    assert output.flatten().tolist() == [3, 2, 1]
    assert argmax.flatten().tolist() == [0, 1, 2]


@pytest.mark.parametrize('pool', [roi_align, roi_pool])
def test_no_rois(device, pool):
    features, rois = draw(device)
    features.requires_grad_()
    output = pool(features, rois[:0], (2, 2), SCALE)
    assert output.shape == (0, 3, 2, 2)
    output.sum().backward()
    assert not features.grad.any()


@pytest.mark.parametrize('pool', [roi_align, roi_pool])
@pytest.mark.parametrize(
    'corners',
    [
        pytest.param((100, 100, 120, 120), id='beyond the image'),
        pytest.param((-50, -50, -20, -20), id='before the image'),
    ],
)
def test_rois_outside_yield_zero_and_no_gradient(device, pool, corners):
    features = torch.rand(1, 2, 6, 6, device=device, requires_grad=True)
    rois = torch.tensor([[0.0, *corners]], device=device)
    output = pool(features, rois, (2, 2), SCALE)
    output.sum().backward()
    assert not output.any()
    assert not features.grad.any()


def test_rois_without_area(device):
    features = torch.rand(1, 1, 6, 6, device=device, requires_grad=True)
    point = torch.tensor([[0.0, 4, 4, 4, 4]], device=device)
    assert roi_align(features, point, 2, SCALE, 0, 'avg', True).eq(0).all()
    expected = torchvision.ops.roi_align(features, point, 2, SCALE, aligned=False)
    output = roi_align(features, point, 2, SCALE, 0, 'avg', False)
    torch.testing.assert_close(output, expected)
    # The second turns over within a pixel, so its bins would not be empty.
    corners = [[0, 8, 8, 2, 2], [0, 2.6, 2.6, 1.5, 1.5]]
    inverted = torch.tensor(corners, device=device)
    output = roi_pool(features, inverted, 2, SCALE)
    output.sum().backward()
    assert not output.any()
    assert not features.grad.any()


@pytest.mark.parametrize('pool', [roi_align, roi_pool])
def test_strides_do_not_matter(device, pool):
    features, rois = draw(device)
    strided = features.transpose(2, 3).contiguous().transpose(2, 3).requires_grad_()
    features.requires_grad_()
    weight = torch.rand(2, 2, 3, 6, device=device)
    for leaf in (features, strided):
        output = pool(leaf, rois, (2, 2), SCALE)
        output.backward(weight.permute(3, 2, 0, 1))
    torch.testing.assert_close(strided.grad, features.grad)


@pytest.mark.parametrize('pool', [roi_align, roi_pool])
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_rounds_once(device, pool, dtype):
    """Mixed with single-precision RoIs, as autocast produces them."""
    features, rois = draw(device)
    half = features.to(dtype).requires_grad_()
    single = half.detach().float().requires_grad_()
    with torch.autocast(device, torch.bfloat16):
        output = pool(half, rois, (2, 2), SCALE)
    expected = pool(single, rois, (2, 2), SCALE)
    assert output.dtype == dtype
    assert torch.equal(output, expected.to(dtype))
    output.sum().backward()
    expected.sum().backward()
    torch.testing.assert_close(half.grad, single.grad.to(dtype))


def test_gradients_are_added(extension, device):
    features, rois = draw(device)
    grad_output = torch.rand(6, 3, 2, 2, device=device)
    argmax = torch.zeros(6, 3, 2, 2, device=device, dtype=torch.int32)
    none = features.new_zeros(0)

    def align(total):
        extension.roi_align_backward(
            grad_output, rois, none, none, total, 2, 2, SCALE, 0, 1, True
        )

    def pool(total):
        extension.roi_pool_backward(grad_output, rois, argmax, total, 2, 2, SCALE)

    for backward in (align, pool):
        once, twice = torch.zeros_like(features), torch.zeros_like(features)
        backward(once)
        backward(twice)
        backward(twice)
        torch.testing.assert_close(twice, 2 * once)


@pytest.mark.compiled_mmcv
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
def test_roi_align_as_compiled(as_compiled, device, ratio, aligned):
    features, rois = draw(device)
    features.requires_grad_()
    weight = torch.rand(6, 3, 7, 7, device=device)

    def call():
        output = roi_align(features, rois, 7, SCALE, ratio, 'avg', aligned)
        return output, *torch.autograd.grad((output * weight).sum(), features)

    as_compiled(call)


@pytest.mark.compiled_mmcv
@pytest.mark.skipif(not torch.cuda.is_available(), reason='mmcv pools on GPUs only')
@pytest.mark.parametrize('scale', [0.0625, 0.3, 1.0])
def test_roi_pool_as_compiled(as_compiled, scale):
    features, rois = draw('cuda')
    features.requires_grad_()
    rois[:, 1:] /= scale

    def call():
        output = roi_pool(features, rois, 7, scale)
        return output, *torch.autograd.grad(output.square().sum(), features)

    as_compiled(call)
