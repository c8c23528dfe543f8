"""A finished training, as for the integration tests."""
from integration.conftest import trained  # noqa: F401
