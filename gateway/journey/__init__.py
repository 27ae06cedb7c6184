"""From one question to one journey, which says what is missing."""
