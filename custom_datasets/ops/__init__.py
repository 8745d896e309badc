"""The operators of mmcv that detectors use, without compiling mmcv.

``mmcv.ops`` needs the compiled module ``mmcv._ext``. Where it is missing,
`install` puts a stand-in in its place that calls the kernels torchvision ships
for CPU and CUDA. It covers ``nms``, ``softnms``, ``nms_match``, ``roi_align``
(average), ``roi_pool``, ``deform_conv``, ``modulated_deform_conv``,
``sigmoid_focal_loss`` and ``softmax_focal_loss``, forward and backward. Half
precision is computed in single precision and rounded once, so the operators
also take the mixed tensors that ``torch.autocast`` produces.
"""

from custom_datasets.ops.extension import install

__all__ = ['install']
