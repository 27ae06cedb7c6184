"""How to ask a source: one question, one answer. It knows neither who asks nor why."""
