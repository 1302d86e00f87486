"""What every test shares."""

from hypothesis import settings

# The same examples on every run, and no deadline: a busy machine is slow without being wrong.
# To search further: pytest --hypothesis-profile=default
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "claim(*identifiers): fails if one of these claims of the course is false; "
        "claims/README.md lists what a claim needs.",
    )


def pytest_ignore_collect(collection_path):
    """Look for examples in the package and the tools, not in the scripts that tests keep."""
    if collection_path.suffix == ".py" and not collection_path.name.startswith("test_"):
        return True
    return None
