# Two epochs of the embedded default on few clips, on CPU processes.
_base_ = ('../../configs/retrieval/quickstart/retrieval-videomamba-micro_'
          'scratch_1xb32-u4-8e_quickstart-captions.py')
from mmvideomamba.config_edit import edit

model = dict(
    vision_encoder=dict(
        backbone=dict(arch=dict(embed_dims=32, num_layers=2), img_size=32)),
    text_encoder=dict(encoder_width=32))
edit(_base_, '*_pipeline', 'Resize', scale=(32, 32))
train_dataloader = dict(num_workers=0, dataset=dict(data_root='data'))
val_dataloader = dict(
    # Other batches for another number of processes, the last ones smaller.
    batch_size=6,
    num_workers=0,
    dataset=dict(data_root='data'))
test_dataloader = val_dataloader
model['tokenizer'] = dict(folder='data')
train_cfg = dict(max_epochs=1, val_interval=1)
val_cfg = dict(topk=7)
test_cfg = dict(topk=7)
param_scheduler = dict(_delete_=True, type='ConstantLR', factor=1.)
default_hooks = dict(logger=dict(interval=1))

env_cfg = dict(dist_cfg=dict(backend='gloo'))
model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None)
