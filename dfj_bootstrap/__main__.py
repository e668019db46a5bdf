"""``python -m dfj_bootstrap`` is ``dfj``."""

from dfj_bootstrap.cli.main import main

if __name__ == "__main__":
    main()
