"""Links, lineage, asset URIs and the progress log."""
