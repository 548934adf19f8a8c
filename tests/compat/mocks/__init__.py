"""Strict mock providers, one for each dialect: see `__main__.py`."""
