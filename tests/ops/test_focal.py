"""Focal losses against their formula, differentiated by autograd."""

import pytest
import torch
import torchvision
from mmcv.ops import (
    SigmoidFocalLoss,
    SoftmaxFocalLoss,
    sigmoid_focal_loss,
    softmax_focal_loss,
)
from torch.autograd import gradcheck
from torch.nn import functional

COUNT, CLASSES = 40, 5
SETTINGS = [(2.0, 0.25), (0.0, 0.5), (0.5, 0.75), (1.5, 1.0)]


def draw(device='cpu', dtype=torch.float32, background=True):
    logits = torch.randn(COUNT, CLASSES, device=device, dtype=dtype) * 3
    target = torch.randint(0, CLASSES + background, (COUNT,), device=device)
    return logits.requires_grad_(), target


def by_formula(logits, target, gamma, alpha):
    """Sigmoid focal loss, (N, C), without a reduction."""
    hot = functional.one_hot(target, CLASSES + 1)[:, :CLASSES].to(logits)
    p = torch.sigmoid(logits)
    right = hot * p + (1 - hot) * (1 - p)
    balance = hot * alpha + (1 - hot) * (1 - alpha)
    entropy = functional.binary_cross_entropy_with_logits(logits, hot, reduction='none')
    return balance * (1 - right) ** gamma * entropy


def softmax_by_formula(logits, target, gamma, alpha):
    """Softmax focal loss, (N,), without a reduction."""
    log_p = functional.log_softmax(logits, dim=1)
    log_p = log_p.gather(1, target[:, None])[:, 0]
    return -alpha * (1 - log_p.exp()) ** gamma * log_p


def compare(ours, theirs, logits, **tolerance):
    torch.testing.assert_close(ours, theirs, **tolerance)
    gradients = [torch.autograd.grad(loss.sum(), logits)[0] for loss in (ours, theirs)]
    torch.testing.assert_close(*gradients, **tolerance)


@pytest.mark.parametrize(('gamma', 'alpha'), SETTINGS)
@pytest.mark.parametrize('reduction', ['none', 'mean', 'sum'])
def test_sigmoid_formula(device, gamma, alpha, reduction):
    logits, target = draw(device)
    ours = sigmoid_focal_loss(logits, target, gamma, alpha, None, reduction)
    theirs = by_formula(logits, target, gamma, alpha)
    if reduction != 'none':
        theirs = theirs.sum()
    if reduction == 'mean':
        theirs = theirs / COUNT
    compare(ours, theirs, logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(('gamma', 'alpha'), SETTINGS)
@pytest.mark.parametrize('reduction', ['none', 'mean', 'sum'])
def test_softmax_formula(device, gamma, alpha, reduction):
    logits, target = draw(device, background=False)
    ours = softmax_focal_loss(logits, target, gamma, alpha, None, reduction)
    theirs = softmax_by_formula(logits, target, gamma, alpha)
    if reduction != 'none':
        theirs = theirs.sum()
    if reduction == 'mean':
        theirs = theirs / COUNT
    if reduction == 'none':
        # mmcv multiplies (N, C) gradients with the (N,) of this output.
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    else:
        compare(ours, theirs, logits, rtol=1e-4, atol=1e-5)


def test_sigmoid_agrees_with_torchvision(device):
    logits, target = draw(device)
    ours = sigmoid_focal_loss(logits, target, 2.0, 0.25, None, 'none')
    hot = functional.one_hot(target, CLASSES + 1)[:, :CLASSES].to(logits)
    theirs = torchvision.ops.sigmoid_focal_loss(logits, hot, 0.25, 2.0)
    compare(ours, theirs, logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(('gamma', 'alpha'), SETTINGS)
def test_gradcheck(device, gamma, alpha):
    logits, target = draw(device, torch.float64)
    logits, target = logits.detach()[:8].requires_grad_(), target[:8]
    assert gradcheck(SigmoidFocalLoss(gamma, alpha), (logits, target))
    softmax = SoftmaxFocalLoss(gamma, alpha)
    assert gradcheck(softmax, (logits, target.clamp(max=CLASSES - 1)))


def test_weights_go_by_the_class_of_the_target(device):
    """Background is no class, so it has the weight 1."""
    logits, target = draw(device)
    weight = torch.rand(CLASSES, device=device, dtype=torch.float64)
    factor = torch.cat((weight, weight.new_ones(1)))[target].float()

    ours = sigmoid_focal_loss(logits, target, 2.0, 0.25, weight, 'sum')
    theirs = by_formula(logits, target, 2.0, 0.25) * factor[:, None]
    compare(ours, theirs.sum(), logits, rtol=1e-4, atol=1e-5)

    target, factor = target[target < CLASSES], factor[target < CLASSES]
    logits = logits.detach()[: len(target)].requires_grad_()
    ours = softmax_focal_loss(logits, target, 2.0, 0.25, weight, 'sum')
    theirs = softmax_by_formula(logits, target, 2.0, 0.25) * factor
    compare(ours, theirs.sum(), logits, rtol=1e-4, atol=1e-5)


def test_sigmoid_takes_negative_targets_for_background(device):
    logits, target = draw(device)
    weight = torch.rand(CLASSES, device=device)
    losses = []
    for value in (CLASSES, -2):
        target[:] = value
        losses.append(sigmoid_focal_loss(logits, target, 2.0, 0.25, weight, 'none'))
    assert torch.equal(*losses)


def test_softmax_ignores_negative_targets(device):
    logits, target = draw(device, background=False)
    target[::2] = -1
    loss = softmax_focal_loss(logits, target, 2.0, 0.25, None, 'none')
    assert not loss[::2].any()
    assert loss[1::2].all()
    (gradient,) = torch.autograd.grad(
        softmax_focal_loss(logits, target, 2.0, 0.25, None, 'sum'), logits
    )
    assert not gradient[::2].any()
    assert gradient[1::2].any(dim=1).all()


@pytest.mark.parametrize('dtype', [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize('loss', [sigmoid_focal_loss, softmax_focal_loss])
def test_saturated_logits_stay_finite(device, loss, dtype):
    extreme = torch.tensor([[6e4, -6e4], [-6e4, 6e4]], device=device, dtype=dtype)
    extreme.requires_grad_()
    for gamma in (0.0, 0.5, 2.0):
        for target in ([0, 1], [1, 0]):
            target = torch.tensor(target, device=device)
            value = loss(extreme, target, gamma, 0.25, None, 'sum')
            (gradient,) = torch.autograd.grad(value, extreme)
            assert value.isfinite()
            assert gradient.isfinite().all()


def test_confident_mistakes_cost_their_logit(device):
    """At 30, 1 - sigmoid rounds to 0 in single precision."""
    logits = torch.tensor([[30.0]], device=device, requires_grad=True)
    background = torch.tensor([1], device=device)
    loss = sigmoid_focal_loss(logits, background, 2.0, 0.25, None, 'sum')
    torch.testing.assert_close(loss.item(), 0.75 * 30)
    (gradient,) = torch.autograd.grad(loss, logits)
    torch.testing.assert_close(gradient.item(), 0.75)


@pytest.mark.parametrize('loss', [sigmoid_focal_loss, softmax_focal_loss])
def test_no_rows(device, loss):
    logits = torch.zeros(0, CLASSES, device=device, requires_grad=True)
    target = torch.zeros(0, dtype=torch.long, device=device)
    value = loss(logits, target, 2.0, 0.25, None, 'sum')
    value.backward()
    assert value.item() == 0
    assert logits.grad.shape == (0, CLASSES)


@pytest.mark.parametrize(
    ('loss', 'beyond'),
    [(sigmoid_focal_loss, CLASSES + 1), (softmax_focal_loss, CLASSES)],
)
def test_targets_beyond_the_classes(device, loss, beyond):
    logits, target = draw(device, background=False)
    target[3] = beyond
    with pytest.raises(ValueError, match=f'target {beyond} .*num_classes'):
        loss(logits, target, 2.0, 0.25, None, 'sum')


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_rounds_once(device, dtype):
    """Mixed with a single-precision weight, as autocast produces them."""
    logits, target = draw(device)
    weight = torch.rand(CLASSES, device=device)
    half = logits.detach().to(dtype).requires_grad_()
    single = half.detach().float().requires_grad_()
    losses = []
    for leaf in (half, single):
        with torch.autocast(device, torch.bfloat16):
            losses.append(sigmoid_focal_loss(leaf, target, 2.0, 0.25, weight, 'none'))
    assert losses[0].dtype == dtype
    assert torch.equal(losses[0], losses[1].to(dtype))
    for loss in losses:
        loss.sum().backward()
    assert torch.equal(half.grad, single.grad.to(dtype))


def test_layers_under_autocast(device):
    linear = torch.nn.Linear(4, CLASSES).to(device)
    _, target = draw(device, background=False)
    for layer in (SigmoidFocalLoss(2.0, 0.25), SoftmaxFocalLoss(2.0, 0.25)):
        linear.zero_grad()
        with torch.autocast(device, torch.bfloat16):
            logits = linear(torch.randn(COUNT, 4, device=device))
            loss = layer(logits, target)
        assert logits.dtype == torch.bfloat16
        loss.backward()
        assert linear.weight.grad.isfinite().all()
        assert linear.weight.grad.any()


@pytest.mark.compiled_mmcv
@pytest.mark.skipif(not torch.cuda.is_available(), reason='mmcv has it on GPUs only')
@pytest.mark.parametrize(('gamma', 'alpha'), SETTINGS)
@pytest.mark.parametrize('loss', [sigmoid_focal_loss, softmax_focal_loss])
def test_as_compiled(as_compiled, loss, gamma, alpha):
    logits, target = draw('cuda', background=False)
    weight = torch.rand(CLASSES, device='cuda')

    def call():
        value = loss(logits, target, gamma, alpha, weight, 'sum')
        return value, *torch.autograd.grad(value, logits)

    as_compiled(call, rtol=1e-4, atol=1e-4)
