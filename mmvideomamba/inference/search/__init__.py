"""An index of videos: search by words, and by videos."""
from .adding import Added
from .hits import Hit, Hits
from .planning import Plan
from .records import VideoRecord
from .searchers import Searcher
from .video_index import VideoIndex

__all__ = [
    'Added', 'Hit', 'Hits', 'Plan', 'Searcher', 'VideoIndex', 'VideoRecord'
]
