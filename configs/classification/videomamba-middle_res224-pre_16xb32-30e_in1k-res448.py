# VideoMamba-Middle at 448 px, from the weights of 224 px, without a teacher.
_base_ = './videomamba-small_res224-pre_8xb64-30e_in1k-res448.py'
load_from = 'checkpoints/videomamba_m16_in1k_res224.pth'

model = dict(
    backbone=dict(arch='middle', drop_path_rate=0.5),
    head=dict(in_channels=576))

train_dataloader = dict(batch_size=32)
val_dataloader = dict(batch_size=48)
test_dataloader = dict(batch_size=48)

# The batch of all processes, and so the learning rate, is the parent's.
auto_scale_lr = dict(base_batch_size=16 * 32)
