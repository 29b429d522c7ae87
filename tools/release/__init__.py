"""Build what is published, and what states where it comes from: hashes, licences, audits."""
