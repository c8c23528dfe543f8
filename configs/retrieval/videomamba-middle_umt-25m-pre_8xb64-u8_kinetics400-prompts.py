# Kinetics-400 recognised by prompts (zero-shot): a test of a published file.
_base_ = [
    '../_base_/models/video_text_middle.py',
    '../_base_/datasets/kinetics400_prompts.py', '../_base_/default_runtime.py'
]

model = dict(
    type='mmvideomamba.VideoTextClassifier',
    # Each class in 16 templates, worded here; a .txt file with a template a
    # line, or a .json file with the texts of each class, may stand here.
    prompts=[
        'somebody is {}', 'people are seen {}', 'a short clip with {}',
        'footage that shows {}', 'in this scene there is {}',
        'the camera follows {}', 'a close view of {}', 'a wide shot of {}',
        'two friends spend their time {}', 'an amateur recording of {}',
        'the topic of the clip is {}', 'a child or an adult is {}',
        'what happens here is {}', 'an outdoor or indoor moment of {}',
        'learning how {} is done', 'slow and fast moments of {}'
    ],
    # The judge orders the 8 nearest classes, 128 prompts for each video.
    topk=8)
test_cfg = dict(type='mmvideomamba.PromptTestLoop')
randomness = dict(seed=42)
