# The published image runs: AdamW in mixed precision, 300 epochs. Learning
# rate and weight decay are those of the recipe.
_base_ = ['./adamw_videomamba.py', './image_cosine_300e.py']

optim_wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16')
