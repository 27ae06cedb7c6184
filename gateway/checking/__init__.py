"""Whether a registered source is ready: asked what needs no known population."""
