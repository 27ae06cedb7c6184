"""The admin endpoint of policy: documents, their life, the sets in force, analysis."""
