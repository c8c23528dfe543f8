"""Version of the package, alone here so that setup.cfg can read it."""
__version__ = '0.1.0'
