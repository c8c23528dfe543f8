# Tubelets of a single frame, as in the published models.
_base_ = './videomamba-tiny12-tube2_1xb128-d16-4e_motion-kinds.py'

model = dict(backbone=dict(tubelet_size=1))
