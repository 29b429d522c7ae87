"""Build the published files, and document their origin: hashes, licences, audits."""
