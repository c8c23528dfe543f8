"""Scores equal the test's, for every form of model and video."""
import json
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from text_model_files import TextFile

import mmvideomamba
from mmvideomamba.datasets.video import MediaError, VideoReader, open_video
from mmvideomamba.inference import TextTooLong, VideoTextPredictor
from mmvideomamba.models.multimodal.retrieval import RetrievalScorer

TEXTS = ['a square moves left', 'a disc moves up over a square', 'green']


def predictor(one: TextFile, **kwargs: Any) -> VideoTextPredictor:
    """Load a model on the CPU."""
    return VideoTextPredictor(one.file, 'cpu', **kwargs)


def runner_of(one: TextFile, folder: Path, entries: List[dict],
              **data: Any) -> Runner:
    """Prepare the test of a model on a list of videos."""
    cfg: Any = Config(dict(one.cfg))
    (folder / 'test.json').write_text(json.dumps(entries))
    cfg.test_dataloader.update(
        batch_size=2, num_workers=0, persistent_workers=False)
    cfg.test_dataloader.dataset.update(
        data_root=None,
        ann_file=str(folder / 'test.json'),
        data_prefix=dict(video=str(folder)),
        **data)
    cfg.work_dir, cfg.load_from = str(folder / 'work'), str(one.file)
    cfg.experiment_name = f'{folder.name}-{one.file.stem}'
    return Runner.from_cfg(cfg)


def test_retrieval(text_models: Dict[str, TextFile], three_videos: Path,
                   monkeypatch: pytest.MonkeyPatch) -> None:
    """Cosines and logits of tools/test.py, of a set of videos."""
    one, kept = text_models['retrieval'], []
    score = RetrievalScorer.score

    def keep(self: Any, texts: List[str]) -> Any:
        kept.append(score(self, texts))
        return kept[-1]

    monkeypatch.setattr(RetrievalScorer, 'score', keep)
    entries = [
        dict(video=f'{name}.mp4', caption=text)
        for name, text in zip('abc', TEXTS)
    ]
    runner_of(one, three_videos, entries).test()
    expected, = kept
    found = predictor(one, batch_size=2)
    videos = list(found.embed_videos(three_videos, tokens=True))
    assert [Path(v.input).stem for v in videos] == ['a', 'b', 'c']
    vectors = np.concatenate([v.vectors for v in videos])
    texts = found.embed_texts(TEXTS)
    for rows in (vectors, texts):
        assert rows.dtype == np.float32 and rows.shape == (3, found.embed_dim)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(vectors @ texts.T, expected.dual, atol=1e-6)
    assert (vectors[:, -1] > 1e-3).all()  # the mean alone is shorter than 1
    tokens = np.concatenate([v.tokens for v in videos])
    assert tokens.dtype == np.float16
    assert tokens.shape == (3, *found.token_shape)
    logits = found.judge(tokens, TEXTS).logits
    np.testing.assert_allclose(logits, expected.v2t, atol=2e-3)
    # With tokens in full precision the logits are the same.
    with torch.no_grad():
        exact = torch.cat([
            one.model.encode_videos(
                one.model.data_preprocessor(found.model.pipeline(
                    v.input))['inputs']).tokens for v in videos
        ])
    logits = found.judge(exact, TEXTS).logits
    np.testing.assert_allclose(logits, expected.v2t, atol=1e-5)
    assert np.ptp(logits) > 0.01  # the judge tells pairs apart


def test_windows(text_models: Dict[str, TextFile], three_videos: Path) -> None:
    """A window has the embedding of a video of the window's frames."""
    found = predictor(text_models['retrieval'], batch_size=3)
    path = str(three_videos / 'c.mp4')
    one, = found.embed_videos(path, window=1.5, stride=1, tokens=True)
    np.testing.assert_allclose(one.starts, [0, 1, 2, 2.5], atol=1e-9)
    np.testing.assert_allclose(one.ends, [1.5, 2.5, 3.5, 4], atol=1e-9)
    assert (one.duration, one.fps) == (pytest.approx(4), 10)
    frames = open_video(path).get_frames(range(40))
    for i, start in enumerate((0, 10, 20, 25)):
        cut, = found.embed_videos(frames[start:start + 15], tokens=True)
        np.testing.assert_allclose(one.vectors[i], cut.vectors[0], atol=1e-6)
        np.testing.assert_allclose(one.tokens[i], cut.tokens[0], atol=1e-2)
    assert np.abs(one.vectors[0] - one.vectors[2]).max() > 1e-4


@pytest.mark.parametrize('workers, batch_size', [(1, 1), (2, 8), (3, 2)])
def test_bad_videos_among_others(text_models: Dict[str, TextFile],
                                 three_videos: Path, workers: int,
                                 batch_size: int) -> None:
    """Good videos keep embeddings and order."""
    (three_videos / 'aa.mp4').write_bytes(b'no video')
    found = predictor(
        text_models['retrieval'], workers=workers, batch_size=batch_size)
    wanted = [str(three_videos / f'{n}.mp4') for n in ('c', 'aa', 'a', 'b')]
    wanted.append('missing.mp4')
    videos = list(found.embed_videos(wanted, window=.5, stride=.3))
    assert [v.input for v in videos] == wanted
    assert [v.error is None
            for v in videos] == [True, False, True, True, False]
    assert 'aa.mp4' in str(videos[1].error)
    assert 'missing.mp4 does not exist' in str(videos[4].error)
    assert videos[1].vectors.shape == (0, found.embed_dim)
    alone, = found.embed_videos(wanted[3], window=.5, stride=.3)
    np.testing.assert_allclose(videos[3].vectors, alone.vectors, atol=1e-6)
    no_rate, = found.embed_videos(np.zeros((4, 9, 9, 3), np.uint8), window=1)
    assert 'frame rate' in str(no_rate.error)


def test_a_damaged_end(text_models: Dict[str, TextFile], three_videos: Path,
                       monkeypatch: pytest.MonkeyPatch) -> None:
    """A video failing after the first windows is bad as a whole."""
    get_frames = VideoReader.get_frames

    def fails(self: Any, indices: Any) -> np.ndarray:
        if self.path.endswith('c.mp4') and np.max(indices) > 20:
            raise MediaError(self.path, 'is cut off')
        return get_frames(self, indices)

    monkeypatch.setattr(VideoReader, 'get_frames', fails)
    found = predictor(text_models['retrieval'], batch_size=2)
    videos = list(found.embed_videos(three_videos, window=.5))
    assert [v.error is None for v in videos] == [True, True, False]
    assert 'is cut off' in str(videos[2].error)


def test_texts(text_models: Dict[str, TextFile]) -> None:
    found = predictor(text_models['retrieval'])
    same = found.embed_texts(['A square, moves LEFT!', 'a square moves left'])
    np.testing.assert_array_equal(same[0], same[1])
    assert found.embed_texts([]).shape == (0, found.embed_dim)
    both = found.embed_class('square_left', ['a {} moves', '{}'])
    rows = found.embed_texts(['a square left moves', 'square left'])
    mean = rows.mean(0) / np.linalg.norm(rows.mean(0))
    np.testing.assert_allclose(both, mean, atol=1e-6)
    bare = found.embed_class('square')
    np.testing.assert_allclose(
        bare, found.embed_texts(['square'])[0], atol=1e-6)
    with pytest.raises(TextTooLong, match='has 42 tokens.* reads 16') as error:
        found.embed_texts(['up', 'a square ' * 20])
    assert (error.value.tokens, error.value.most) == (42, 16)
    found.embed_texts(['a ' * 14])
    with pytest.raises(TextTooLong, match='has 17 tokens'):
        found.embed_texts(['a ' * 15])
    for text, message in (('', 'is empty'), (' ?! ', 'is empty'),
                          ('猫 🎬', 'knows no word of the text'),
                          (3, 'is not a text'), ('\ud800', 'not Unicode')):
        with pytest.raises(ValueError, match=message):
            found.embed_texts([text])
    with pytest.raises(ValueError, match='a list of texts is needed'):
        found.embed_texts('a square')
    words = ['a 猫 moves', 'moves', '猫 zebra!']
    assert found.unknown_words(words) == ['猫', 'zebra']


def test_match(text_models: Dict[str, TextFile],
               monkeypatch: pytest.MonkeyPatch) -> None:
    """Probabilities of all pairs, however many are judged at a time."""
    one = text_models['retrieval']
    found = predictor(one)
    tokens = torch.randn(5, *found.token_shape)
    whole = found.match(tokens, TEXTS)
    for i in range(5):
        for k, text in enumerate(TEXTS):
            ids = one.model.tokenize([text])
            with torch.no_grad():
                logits = one.model.match_logit(
                    one.model.text_encoder.encode(*ids), ids.mask,
                    tokens[i:i + 1])
            assert whole[i, k] == pytest.approx(
                float(logits.softmax(1)[0, 1]), abs=1e-5)
    tools = 'mmvideomamba.inference.video_text.texts'
    monkeypatch.setattr(f'{tools}.PAIR_BATCH', 2)
    np.testing.assert_allclose(found.match(tokens, TEXTS), whole, atol=1e-5)
    assert found.match(tokens[:0], TEXTS).shape == (0, 3)
    assert found.match(tokens, []).shape == (5, 0)
    with pytest.raises(ValueError, match=r'shape \(5, 16\).* another model'):
        found.match(tokens[..., 0], TEXTS)


def test_answers(text_models: Dict[str, TextFile], three_videos: Path) -> None:
    """The best answer equals tools/test.py's, by file and by folder."""
    one = text_models['questions']
    questions = ['a square moves?', 'Left or right', 'green']
    found = predictor(one)
    assert found.can == {'answer'} and found.token_shape is None
    folder = mmvideomamba.save_pretrained(one.file, three_videos / 'saved')
    saved = VideoTextPredictor(folder, 'cpu')
    assert saved.fingerprint == found.fingerprint
    init_default_scope('mmaction')
    for name in 'abc':
        video = str(three_videos / f'{name}.mp4')
        several = found.answer_all(video, questions, 9)
        for question, answers in zip(questions, several):
            batch = found.model.pipeline(video)
            clean = question.lower().replace('?', '')
            batch['data_samples'][0].question = clean
            expected = one.model.test_step(batch)[0].pred_answer
            assert answers[0].text == expected
            shares = [a.probability for a in answers]
            assert sum(shares) == pytest.approx(1)
            assert shares == sorted(shares, reverse=True) and len(shares) == 5
            again = saved.answer(video, question, 2)
            assert len(again) == 2 and again[0].text == expected
            assert again[0].probability == pytest.approx(shares[0], abs=1e-5)


def test_part_of_a_video(text_models: Dict[str, TextFile],
                         three_videos: Path) -> None:
    """A part is asked about as a video of the part's frames."""
    found = predictor(text_models['questions'])
    video = str(three_videos / 'c.mp4')
    frames = open_video(video).get_frames(range(40))
    part = found.answer(video, 'a square', start=1, end=2.5)
    cut = found.answer(frames[10:25], 'a square')
    for one, other in zip(part, cut):
        assert one.text == other.text
        assert one.probability == pytest.approx(other.probability, abs=1e-5)
    with pytest.raises(ValueError, match='lasts 4.000 s, but .*at 7 s'):
        found.answer(video, 'a square', start=7)
    with pytest.raises(ValueError, match='frame rate, which start'):
        found.answer(frames, 'a square', start=1)


@pytest.mark.parametrize('kind', ['choice', 'retrieval'])
def test_choices(text_models: Dict[str, TextFile], three_videos: Path,
                 kind: str) -> None:
    """Scores equal the scores of the multiple-choice test."""
    found, judge = predictor(text_models[kind]), text_models['choice'].model
    judge.load_state_dict(text_models[kind].model.state_dict())
    init_default_scope('mmaction')
    for name in 'abc':
        video = str(three_videos / f'{name}.mp4')
        batch = found.model.pipeline(video)
        batch['data_samples'][0].caption_options = [t.lower() for t in TEXTS]
        expected = judge.test_step(batch)[0]
        answers = found.choose(video, [t.upper() for t in TEXTS])
        assert answers[0].text == TEXTS[expected.pred_label].upper()
        scores = {a.text: a.probability for a in answers}
        for text, score in zip(TEXTS, expected.score):
            assert scores[text.upper()] == pytest.approx(score, abs=1e-6)
    for options, message in ((['up'], 'two options or more, but 1'), ([
            'up', 'Up!'
    ], "'up' and 'Up!' are the same"), (['up', 'up'], 'are the same'),
                             (['up', ''], 'the option .* is empty'),
                             (['up', 'a ' * 15], 'the option .* 17 tokens')):
        with pytest.raises(ValueError, match=message):
            found.choose(str(three_videos / 'a.mp4'), options)


def test_fingerprint(text_models: Dict[str, TextFile], tmp_path: Path) -> None:
    """Another weight, sampling or vocabulary is another model."""
    one = text_models['retrieval']
    first = predictor(one)
    assert len(first.fingerprint) == 32
    folder = mmvideomamba.save_pretrained(one.file, tmp_path / 'saved')
    assert VideoTextPredictor(folder, 'cpu').fingerprint == first.fingerprint
    found = {first.fingerprint}
    model = mmvideomamba.load(folder)
    with torch.no_grad():
        model.itm_head.bias[0] += 1e-3
    found.add(VideoTextPredictor(model).fingerprint)
    cfg: Any = Config(dict(one.cfg))
    for step in cfg.test_dataloader.dataset.pipeline:
        if step['type'] == 'Resize':
            step['interpolation'] = 'nearest'
    found.add(predictor(one, config=cfg).fingerprint)
    words = folder / 'tokenizer' / 'vocab.txt'
    words.write_text(words.read_text().replace('left', 'back'))
    found.add(VideoTextPredictor(folder, 'cpu').fingerprint)
    assert len(found) == 4


def test_mistakes(text_models: Dict[str, TextFile], three_videos: Path,
                  make_video: Callable) -> None:
    """Each mistake gives a one-line error with value and remedy."""
    video = str(three_videos / 'a.mp4')
    asks, finds = (
        predictor(text_models[k]) for k in ('questions', 'retrieval'))
    for call, message in (
        (lambda: finds.answer(video, 'up'),
         'for video-text-retrieval and can choose, rerank, search, but not '
         'answer; for that, take a model with a decoder'),
        (lambda: asks.choose(video, ['a', 'b']),
         'for video-question-answering and can answer, but not choose'),
        (lambda: asks.embed_videos(video), 'but not search'),
        (lambda: asks.embed_texts(['a']), 'but not search'),
        (lambda: asks.match(np.zeros((1, 1, 1)), ['a']), 'but not rerank'),
        (lambda: asks.answer(video, ' ?'), 'the question .* is empty'),
        (lambda: asks.answer(video, 'a ' * 15), 'the question .* 17 tokens'),
        (lambda: asks.answer(video, 'up', 0), 'topk must be at least 1'),
        (lambda: asks.answer_all(video, []), 'no question is given'),
        (lambda: asks.answer('none.mp4', 'up'), 'none.mp4 does not exist'),
        (lambda: asks.answer(str(three_videos), 'up'), '3 videos are given'),
        (lambda: predictor(text_models['choice'], workers=0), 'workers must'),
        (lambda: VideoTextPredictor(text_models['choice'].file, 'gpu'),
         "device 'gpu' cannot be used"),
        (lambda: VideoTextPredictor('x.onnx'), 'is an exported file'),
    ):
        with pytest.raises(ValueError, match=message) as error:
            call()  # type: ignore[no-untyped-call]
        assert '\n' not in str(error.value)


def test_missing_files(text_models: Dict[str, TextFile],
                       tmp_path: Path) -> None:
    """A saved folder without vocabulary or answers is refused."""
    folder = mmvideomamba.save_pretrained(text_models['questions'].file,
                                          tmp_path / 'saved')
    (folder / 'answers.json').unlink()
    found = VideoTextPredictor(folder, 'cpu')
    with pytest.raises(ValueError, match='there is no .*answers.json'):
        found.answer('none.mp4', 'up')
    (folder / 'tokenizer' / 'vocab.txt').unlink()
    with pytest.raises(ValueError, match='has no vocab.txt'):
        VideoTextPredictor(folder, 'cpu')


def test_other_models(text_models: Dict[str, TextFile],
                      trained_file: Any) -> None:
    with pytest.raises(ValueError, match='a bare VideoTextModel does not'):
        VideoTextPredictor(text_models['retrieval'].model)
    with pytest.raises(ValueError, match='video-classification and reads no '):
        VideoTextPredictor(trained_file.file, 'cpu')
