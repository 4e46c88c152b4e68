"""What the engine decides, as functions of values: requests, replies, text."""
