# Runtime of all image recipes: ours, in the scope of mmpretrain.
_base_ = './default_runtime.py'

default_scope = 'mmpretrain'
default_hooks = dict(
    visualization=dict(type='VisualizationHook', enable=False))
visualizer = dict(type='UniversalVisualizer')
