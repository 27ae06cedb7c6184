"""What documents come to: differences, narrowings, lints, the gate, and replay."""
