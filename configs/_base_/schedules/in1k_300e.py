# The published image runs: AdamW in mixed precision, 300 epochs. The recipe
# sets learning rate and weight decay.
_base_ = ['./adamw_videomamba.py', './image_cosine_300e.py']

optim_wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16')
