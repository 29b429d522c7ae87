"""Judging the product, its networks and its peers: the tables and pictures of the documents."""

from __future__ import annotations
