"""The EOAM network: its definition, training, evaluation and export. The product reads only the exported files."""
