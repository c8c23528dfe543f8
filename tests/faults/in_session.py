"""Run a script in a new session, like a terminal."""
import os
import runpy
import sys

os.setsid()
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name='__main__')
