"""Judge the product, its networks and its peers, and make the tables and pictures of the documents."""

from __future__ import annotations
