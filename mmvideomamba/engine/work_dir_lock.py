"""A lock on a working folder, held by a single training at a time."""
from mmvideomamba.folder_lock import FolderLock

NAME = 'training.lock'


class WorkDirLock(FolderLock):
    """Lock on a working folder: the file ``training.lock`` in the folder.

    A further training in the same process takes the lock over: the runner
    before has ended.

    Args:
        folder (str | Path): The working folder.
    """

    name = NAME
    holder = 'a running training'
    remedy = ('wait for its end, name another folder by --work-dir, or take '
              'over by --force')
    write_remedy = ('make the working folder writable, or name another by '
                    '--work-dir')
    replaces_own = True
