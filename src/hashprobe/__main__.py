"""``python -m hashprobe`` is ``hashprobe``: launchers of several processes take a module."""

from hashprobe.cli import main

if __name__ == "__main__":
    main()
