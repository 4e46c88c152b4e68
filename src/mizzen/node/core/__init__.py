"""What the agent decides, as pure functions: no clock, no files, no processes."""
