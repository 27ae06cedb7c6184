"""Telling people that something was done: durable, by reference, until it arrives."""
