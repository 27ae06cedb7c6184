"""The process that takes in a portion of a large drop; only the gateway starts it."""

from adapters.csv_drop.portion import main

if __name__ == "__main__":  # pragma: no cover - a process of its own
    main()
