# The face mask photographs, with or without a mask: all three classes are faces.
_base_ = './faces.py'

dataset = dict(
    data_root='{{ fileDirname }}/../../../data/face_mask',
    img_subdir='images',
    ann_subdir='annotations',
    class_map=dict(with_mask='face', without_mask='face', mask_weared_incorrect='face'),
)
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)
