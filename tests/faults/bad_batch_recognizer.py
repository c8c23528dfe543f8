# A batch of the second epoch is bad.
_base_ = '../integration/tiny_recognizer.py'
custom_imports = dict(imports=['mmvideomamba', 'bad_batch'])
custom_hooks = [*_base_.custom_hooks, dict(type='BadBatchHook', iteration=6)]
