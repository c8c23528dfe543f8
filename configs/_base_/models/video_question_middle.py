# VideoMamba-Middle and BERT-base for questions about videos. The decoder has
# a layer for each fusion layer of the text tower.
_base_ = './video_text_middle.py'

model = dict(
    _delete_=True,
    type='mmvideomamba.VideoTextQA',
    vision_encoder=_base_.model.vision_encoder,
    text_encoder=_base_.model.text_encoder,
    # Of a question; the answers' is answer_length.
    tokenizer=dict(folder=_base_.model.tokenizer.folder, max_length=25),
    answer_length=5,
    # Answers to order, chosen by the probability of the first word.
    topk=128,
    data_preprocessor=_base_.model.data_preprocessor)
