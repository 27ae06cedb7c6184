"""From a sample of what an organisation has to a source file an engineer can read."""
