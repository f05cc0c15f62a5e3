"""``python -m passion_monai COMMAND``: the `passion` command where the package is a folder and not installed."""

from passion_monai.cli import main

if __name__ == "__main__":
    main()
