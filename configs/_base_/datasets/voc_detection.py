# The lists of data sets in VOC layout.
_base_ = './detection.py'

train_dataloader = dict(dataset=dict(ann_file='ImageSets/Main/train.txt'))
val_dataloader = dict(dataset=dict(ann_file='ImageSets/Main/val.txt'))
test_dataloader = dict(dataset=dict(ann_file='ImageSets/Main/test.txt'))
