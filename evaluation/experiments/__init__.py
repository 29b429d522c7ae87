"""Experiments on the training, one command each."""

from __future__ import annotations
