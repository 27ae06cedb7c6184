"""The `site` kind: a source behind Throughline inside its own organisation."""

from adapters.site.adapter import Ends, SiteAdapter, build

__all__ = ["Ends", "SiteAdapter", "build"]
