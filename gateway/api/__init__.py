"""One thin file per noun: what a caller may ask for over HTTP."""
