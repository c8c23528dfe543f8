# VideoMamba-Tiny for videos of several classes at once. Lines of the lists
# are `path label label ...`: docs/adaptation.md.
_base_ = './videomamba-tiny_1xb8-u8-25e_custom-rgb.py'

model = dict(
    cls_head=dict(multi_class=True, loss_cls=dict(type='BCELossWithLogits')))
data = dict(multi_class=True)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)

# The model of the highest mean over classes of average precision is kept.
val_evaluator = dict(
    _delete_=True, type='AccMetric', metric_list='mean_average_precision')
test_evaluator = val_evaluator
default_hooks = dict(
    checkpoint=dict(save_best='acc/mean_average_precision', rule='greater'))
