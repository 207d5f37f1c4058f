import pytest
from toy_training import register, write_boxes

from unrender.learn import registry


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Six boxes and balls to train on, three to validate on."""
    return write_boxes(tmp_path_factory.mktemp("boxes"))


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    """The method ``toy``, for the time of a test."""
    monkeypatch.setattr(registry, "METHODS", dict(registry.METHODS))
    register()
