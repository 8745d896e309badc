# WIDER FACE as VOC XML: 12880 photographs to train, 3226 to validate and test.
_base_ = './faces.py'

root = dict(data_root='{{ fileDirname }}/../../../data/wider_face', one_based=False)
train = dict(
    ann_file='train.txt',
    img_subdir='WIDER_train',
    ann_subdir='WIDER_train/Annotations',
)
val = dict(
    ann_file='val.txt',
    img_subdir='WIDER_val',
    ann_subdir='WIDER_val/Annotations',
)
train_dataloader = dict(dataset=dict(**root, **train))
val_dataloader = dict(dataset=dict(**root, **val))
test_dataloader = dict(dataset=dict(**root, **val))
