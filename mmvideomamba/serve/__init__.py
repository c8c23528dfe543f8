"""A page to search videos in a browser, over an index and models.

``Service`` and ``run_server`` are imported by file name: a server
needs the packages of the extra ``serve``.
"""
