# The published masked distillation on Something-Something V2. Videos are
# mirrored here, since labels are unused; fine-tuning must not mirror them.
_base_ = './umt-videomamba-middle_clip-b16_32xb64-u8-800e_kinetics400-rgb.py'

data_root = 'data/sthv2'
# With commas, as published; fine-tuning reads train.csv, with spaces.
train_dataloader = dict(
    dataset=dict(data_root=data_root, ann_file='pretraining.csv'))
