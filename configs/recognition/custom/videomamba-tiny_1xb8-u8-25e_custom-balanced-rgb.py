# VideoMamba-Tiny on your own videos, where some classes have few: videos of
# rare classes come several times in an epoch.
_base_ = './videomamba-tiny_1xb8-u8-25e_custom-rgb.py'

# A class with less than this share of the videos is rare: a video of a rare
# class comes sqrt(threshold / share) times, rounded up. Set the threshold to
# 1 / num_classes at least.
oversample_thr = 0.125

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ClassBalancedDataset',
        oversample_thr=oversample_thr,
        dataset=_base_.train_dataloader.dataset))
# The mean over classes: a rare class counts as much as a frequent class.
default_hooks = dict(checkpoint=dict(save_best='acc/mean1'))
