# The small model of the quickstart on your own videos, for a CPU: a trial of
# the whole path rather than a good classifier. --data-root FOLDER of the tools
# names the videos, or change the two lines below.
_base_ = '../../quickstart/videomamba-micro_1xb8-u8-25e_quickstart-rgb.py'

data_root = 'data/custom'  # holds train.txt, val.txt and classes.txt
num_classes = 8  # lines of classes.txt

model = dict(cls_head=dict(num_classes=num_classes))
data = dict(
    data_root=data_root,
    num_classes=num_classes,
    metainfo=dict(classes=f'{data_root}/classes.txt'))
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)

# Curves go into the log alone: TensorBoard is an extra package. To write
# TensorBoard curves, add dict(type='TensorboardVisBackend').
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(vis_backends=vis_backends)

# No top-5: among a handful of classes nearly every prediction is in it.
val_evaluator = dict(metric_options=dict(top_k_accuracy=dict(topk=(1, ))))
test_evaluator = val_evaluator
