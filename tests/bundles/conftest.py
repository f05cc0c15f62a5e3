import pytest

from tests.helpers.bundles import TINY, copy_bundles, options, run


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A root with `bundles/brats_passion` trained for one tiny epoch by the README's command; (root, its output)."""
    root = copy_bundles(tmp_path_factory.mktemp("root"))
    config = "bundles/brats_passion/configs/train.json"
    done = run("run", "training", "--config_file", config, *options(TINY), cwd=root)
    return root, done.stdout
