"""Policy kept as files, looked at by the people who keep it: no gateway runs."""
