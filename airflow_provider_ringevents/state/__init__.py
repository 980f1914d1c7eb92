"""Values that outlive a try or a run: checkpoints, watermarks and cursors."""
