"""A site is served by one process of its machine at a time."""

import pytest

from adapters.errors import ConfigurationError
from gateway.site.sole import sole


def test_a_second_process_is_told_to_wait_for_the_first(tmp_path):
    config = tmp_path / "site.toml"
    with (
        sole(config),
        pytest.raises(ConfigurationError, match="another process"),
        sole(config),
    ):
        pass
    with sole(config):
        pass  # what was left can be held again


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    with (
        pytest.raises(ConfigurationError, match=r"own folder"),
        sole(tmp_path / "missing" / "site.toml"),
    ):
        pass
