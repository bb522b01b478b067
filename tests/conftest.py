import pytest
from hypothesis import settings

settings.register_profile("no clock", deadline=None)  # a busy machine is not a defect
settings.load_profile("no clock")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write the goldens anew instead of comparing")
