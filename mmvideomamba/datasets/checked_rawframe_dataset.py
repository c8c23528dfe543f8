"""Data set of folders of frames, with a checked annotation file."""
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, List, Optional, Tuple

from mmengine.logging import print_log

from mmvideomamba.registry import DATASETS
from .annotation_faults import check_exist, fault_list, quote_line
from .checked_video_dataset import CheckedVideoDataset
from .video.errors import MediaError

# Key of a column in a sample, and its least value.
_COLUMNS = dict(OFFSET=('offset', 0), FRAMES=('total_frames', 1))


@DATASETS.register_module()
class CheckedRawframeDataset(CheckedVideoDataset):
    """The host's ``RawframeDataset``, refusing a faulty annotation file.

    Videos are folders of images, as Something-Something V2 is kept by many.
    A line is ``FOLDER FRAMES LABEL``, the order of the published lists; with
    ``with_offset`` ``FOLDER OFFSET FRAMES LABEL``; with ``multi_class``
    several labels follow, and in ``test_mode`` a file may leave out all
    labels. ``CheckedVideoDataset`` has the same checks, ``num_repeats`` and
    policies for bad media. The pipeline opens no video;
    ``mmvideomamba.DecodeRawFrames`` decodes.

    Args:
        ann_file (str): Path of the annotation file.
        pipeline (list[dict]): Transforms.
        data_prefix (dict, optional): Folder of the folders. Defaults to
            None, ``dict(img='')``.
        filename_tmpl (str): Name of an image. Defaults to 'img_{:05}.jpg'.
        with_offset (bool): Whether lines have an offset, which is added to
            the numbers of the images. Defaults to False.
        multi_class (bool): See ``CheckedVideoDataset``. Defaults to False.
        num_classes (int, optional): Likewise. Defaults to None.
        start_index (int): Number of the first image. Defaults to 1.
        modality (str): Kind of the frames. Defaults to 'RGB'.
        test_mode (bool): Whether the data are for a test. Defaults to False.
        check_files (bool): Whether to check that each folder exists and has
            an image of the last number. Only local files are checked.
            Defaults to True.
        **kwargs: Further arguments of ``CheckedVideoDataset``.

    Raises:
        FileNotFoundError: If the annotation file does not exist, or more
            folders, or last images of folders, than ``bad_media`` allows.
        ValueError: If a number of frames is below 1 or an offset below 0,
            and as in ``CheckedVideoDataset``.
    """

    path_key = 'frame_dir'

    def __init__(self,
                 ann_file: str,
                 pipeline: List[Any],
                 data_prefix: Optional[dict] = None,
                 filename_tmpl: str = 'img_{:05}.jpg',
                 with_offset: bool = False,
                 multi_class: bool = False,
                 num_classes: Optional[int] = None,
                 start_index: int = 1,
                 modality: str = 'RGB',
                 test_mode: bool = False,
                 *,
                 check_files: bool = True,
                 **kwargs: Any) -> None:
        if kwargs.get('regression'):
            raise ValueError('regression=True is not supported for folders '
                             'of frames')
        self.filename_tmpl = filename_tmpl
        self.with_offset = with_offset
        super().__init__(
            ann_file,
            pipeline,
            dict(img='') if data_prefix is None else data_prefix,
            multi_class,
            num_classes,
            start_index,
            modality,
            test_mode,
            check_files=check_files,
            **kwargs)

    def locate(self, error: MediaError) -> Tuple[str, str]:
        """Name the folder of a bad image.

        Args:
            error (MediaError): Of the image.

        Returns:
            tuple[str, str]: The folder, and its fault.
        """
        folder, name = os.path.split(error.path)
        ending = os.path.splitext(self.filename_tmpl)[1]
        if not name.endswith(ending):  # the error is of the folder
            return error.path, error.fault
        return folder, f'holds {name}, which {error.fault}'

    def _counts(self) -> List[str]:
        """Return the columns between the folder and the label."""
        return ['OFFSET', 'FRAMES'] if self.with_offset else ['FRAMES']

    def _form(self) -> str:
        labels = ['LABEL', 'LABEL', '...'] if self.multi_class else ['LABEL']
        return self.delimiter.join(['FOLDER', *self._counts(), *labels])

    def _parse(self, line: str) -> dict:
        path, *columns = line.split(self.delimiter)
        counts = self._counts()
        texts = columns[len(counts):]
        if len(columns) < len(counts) or not self.multi_class and texts[1:]:
            raise ValueError(
                f'{quote_line(line)} has {len(columns) + 1} columns '
                f'separated by {self.delimiter!r}')
        folder = os.path.join(self.data_prefix['img'] or '', path)
        sample: Dict[str, Any] = dict(frame_dir=folder)
        for name, text in zip(counts, columns):
            key, least = _COLUMNS[name]
            # int alone would also take 1_000 and white space.
            if not text.isdecimal() or int(text) < least:
                raise ValueError(f'{name} {text!r} is not an integer of at '
                                 f'least {least}')
            sample[key] = int(text)
        if not texts and (self.multi_class or not self.test_mode):
            raise ValueError(f'{quote_line(line)} has no label')
        labels = [self._parse_label(text) for text in texts]
        sample['label'] = labels if self.multi_class else (labels or [-1])[0]
        return sample

    def _check_exist(self, samples: List[dict], numbers: List[int]) -> None:
        """Raise FileNotFoundError if a folder or its last image is absent."""
        name = f'annotation file {self.ann_file}'
        labels = [f'line {number}' for number in numbers]
        leave = 'check_files=False leaves this to the training.'
        check_exist([sample['frame_dir'] for sample in samples],
                    name, 'Correct the file or data_prefix (now img='
                    f'{self.data_prefix["img"]!r}); {leave}',
                    labels=labels,
                    kind='folders',
                    allowed=self.allowed_missing(len(samples)))
        last = [self._last_image(sample) for sample in samples]
        # A network file system answers many questions side by side.
        with ThreadPoolExecutor(16) as pool:
            found = pool.map(os.path.exists, last)
            faults = [
                f'{label}: {path}'
                for label, path, there in zip(labels, last, found) if not there
            ]
        message = fault_list(
            f'{name}: {len(faults)} of {len(samples)} folders have fewer '
            'frames than announced; the last images do not exist', faults,
            f'Correct the number of frames, filename_tmpl '
            f'({self.filename_tmpl!r}) or start_index ({self.start_index}); '
            f'{leave}')
        if len(faults) > self.allowed_missing(len(samples)):
            raise FileNotFoundError(message)
        if faults:
            print_log(message, 'current', logging.WARNING)

    def _last_image(self, sample: dict) -> str:
        """Return the path of the last image, the first of a pair of flow."""
        number = (
            self.start_index + sample.get('offset', 0) +
            sample['total_frames'] - 1)
        fields = ('x', number) if self.modality == 'Flow' else (number, )
        return os.path.join(sample['frame_dir'],
                            self.filename_tmpl.format(*fields))

    def get_data_info(self, idx: int) -> dict:
        """Return a sample before its pipeline.

        Args:
            idx (int): Number of the sample.

        Returns:
            dict: With ``frame_dir``, ``total_frames``, ``filename_tmpl``,
            ``start_index``, ``label`` and, from the list, ``offset``.
        """
        info = super().get_data_info(idx)
        info['filename_tmpl'] = self.filename_tmpl
        return info
