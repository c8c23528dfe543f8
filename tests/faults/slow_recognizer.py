# The small recognizer; the save of the second epoch never ends.
_base_ = '../integration/tiny_recognizer.py'

custom_imports = dict(imports=['mmvideomamba', 'slow_disk'])
custom_hooks = [
    *_base_.get('custom_hooks', []),
    dict(type='SlowDisk', name='epoch_2.pth')
]
