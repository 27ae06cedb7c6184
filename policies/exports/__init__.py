"""A set in the words of others: Cedar, and FHIR's Permission. It decides nothing."""
