"""The set in force, and a decision for every cell of a question."""
