# Faces at 64 pixels, for a CPU.
_base_ = './age_gender.py'

image_scale = 64

# One worker: two would take the cores away from the network.
train_dataloader = dict(batch_size=64, num_workers=1)
val_dataloader = dict(num_workers=1)
test_dataloader = dict(num_workers=1)
