"""The agent's decisions, as pure functions: no clock, no files, no processes."""
