"""Audio is copied along with the encoded pictures."""
from fractions import Fraction
from pathlib import Path

import av
import pytest
from bad_videos import encode, ffmpeg

from mmvideomamba.datasets.preparation.copied_audio import (AudioError,
                                                            CopiedAudio)


@pytest.fixture
def source(tmp_path: Path) -> str:
    """Return a file of a second of sound."""
    path = tmp_path / 'a.mp4'
    ffmpeg('-f', 'lavfi', '-i', 'sine=duration=1', '-c:a', 'aac', str(path))
    return str(path)


def test_packets_up_to_a_time(source: str, tmp_path: Path) -> None:
    target = tmp_path / 'b.mp4'
    with CopiedAudio(source) as audio, av.open(str(target), 'w') as file:
        audio.begin(file, Fraction(1, 2))
        put, mux = [], file.mux
        file_mux = type('File', (), dict(mux=lambda self, p: put.append(p)))
        audio._target = file_mux()
        audio.put_until(Fraction(1, 4))
        assert put and all(p.dts * p.time_base <= Fraction(1, 4) for p in put)
        early = len(put)
        audio.put_until(Fraction(1, 4))
        assert len(put) == early
        audio.put_until(None)
        for packet in put:
            mux(packet)
    with av.open(str(target)) as file:
        packets = [p for p in file.demux(audio=0) if p.size]
    # Half a second is left, at 44100 Hz in packets of 1024.
    assert len(packets) == len(put) == pytest.approx(22, abs=1)
    assert packets[0].pts in range(1024) and early < len(put)


def test_no_audio(tmp_path: Path) -> None:
    path = encode(tmp_path / 'a.mp4', '-c:v', 'libx264', frames=2)
    with CopiedAudio(str(path)) as audio:
        assert audio.streams == []


def test_stream_of_another_container(source: str, tmp_path: Path) -> None:
    with CopiedAudio(source) as audio, av.open(str(tmp_path / 'b.ogg'),
                                               'w') as file:
        with pytest.raises(AudioError):
            audio.begin(file, Fraction(0))
