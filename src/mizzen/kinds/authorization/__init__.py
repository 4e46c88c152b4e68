"""Reviews of access: asked and answered, never stored."""
