"""A lock on an index, held by a single writer."""
from mmvideomamba.folder_lock import FolderLock


class IndexLock(FolderLock):
    """Lock on an index: the file ``index.lock`` in the folder.

    Args:
        folder (str | Path): The index.
    """

    name = 'index.lock'
    holder = 'a command that writes the index'
    remedy = 'wait for its end'
    write_remedy = 'make the folder of the index writable'
