from tests.providers.crewai.conftest import storage

__all__ = ["storage"]
