"""The EOAM network: its definition, training and export. The product reads only the exported files."""
