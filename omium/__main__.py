"""`python -m omium` is `omium`."""

from omium.cli import main

if __name__ == "__main__":
    main()
