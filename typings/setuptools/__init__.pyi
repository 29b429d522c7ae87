"""What setup.py uses of setuptools, which need not be the one of the environment that the types are checked in."""

from collections.abc import Mapping

from setuptools.command.build_py import build_py

def setup(*, cmdclass: Mapping[str, type[build_py]]) -> object: ...
