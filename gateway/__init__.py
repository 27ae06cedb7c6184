"""The service: who may ask, who is asked, what is woven, and what is recorded."""
