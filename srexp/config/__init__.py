"""Configuration: where it lies, how it is composed, checked against types, and turned into objects."""
