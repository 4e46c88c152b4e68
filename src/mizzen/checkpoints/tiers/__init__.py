"""One file per tier, `TIER` of which opens it for a job (`mizzen.checkpoints.tier`)."""
