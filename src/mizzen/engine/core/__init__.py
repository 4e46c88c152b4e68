"""The engine's decisions, as functions of values: requests, replies, text."""
