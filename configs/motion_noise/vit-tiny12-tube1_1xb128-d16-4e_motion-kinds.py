# The ViT on tubelets of a single frame.
_base_ = './vit-tiny12-tube2_1xb128-d16-4e_motion-kinds.py'

model = dict(backbone=dict(tubelet_size=1))
