"""Measure what the filter costs in a real OBS, beside no filter, an empty one and the peers' plugins."""
